"""The captures are what they claim: whole messages of a real Asterisk, and nothing of a machine."""

from pathlib import Path

import pytest

from tests.lab.raw_ami import Message, parse_message

FOLDER = Path(__file__).parent.parent / "captures" / "asterisk-22.10.1"
CAPTURES = sorted(FOLDER.glob("*.ami"))


def read_messages(name: str) -> list[Message]:
    *blocks, tail = (FOLDER / f"{name}.ami").read_bytes().split(b"\r\n\r\n")
    assert tail == b""
    return [parse_message(block) for block in blocks]


def test_there_is_one_for_each_number() -> None:
    assert [path.name[:2] for path in CAPTURES][:12] == [f"{ending:02d}" for ending in range(12)]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: str(path.stem))
def test_messages_are_whole_and_answer_what_was_sent(path: Path) -> None:
    messages = read_messages(path.stem)
    assert all(message.event or message["Response"] for message in messages)
    sent = path.with_suffix(".sent").read_bytes()
    assert sent.startswith(b"Action: ")
    assert sent.endswith(b"\r\n\r\n")
    responses = [message for message in messages if message["Response"] and not message.event]
    assert len(responses) == sent.count(b"Action: ")


def test_long_talk_is_thirty_seconds() -> None:
    messages = read_messages("07_long_talk")
    (up,) = (m for m in messages if m.event == "Newstate" and m["ChannelStateDesc"] == "Up")
    (end,) = (m for m in messages if m.event == "Hangup")
    assert float(end["Timestamp"]) - float(up["Timestamp"]) == pytest.approx(30, abs=0.1)
