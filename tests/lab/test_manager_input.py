"""The real Asterisk hears what the model of its input says (tests/manager_input.py)."""

import pytest

from tests.lab.raw_ami import RawAmi
from tests.lab.running_lab import Lab
from tests.lab.table_calls import logged_in
from tests.manager_input import Heard, hear

pytestmark = pytest.mark.lab

PING = b"Action: Ping\r\nActionID: "
HARD_INPUT = {
    "plain": PING + b"1\r\n\r\n",
    "bare-lf": b"Action: Ping\nActionID: 1\n\n",
    "mixed-ends": PING + b"1\n\r\n" + PING + b"2\r\n\n",
    "cr-inside": PING + b"1\rX: 2\r\n\r\n",
    "two-crs": PING + b"1\r\r\n\r\n",
    "empty-line-with-two-crs": PING + b"1\r\n\r\r\n\r\n",
    "blank-line": PING + b"1\r\n \r\n\r\n",
    "nul-inside": PING + b"1\0 2\r\n\r\n",
    "nul-first": PING + b"1\r\n\0X: 1\r\n" + PING + b"2\r\n\r\n",
    "empty-messages": b"\r\n\n" + PING + b"1\r\n\r\n",
    "low-blanks": b"aCTION:\t\x01 \x1fPing\r\nactionid:\x0b  1  2\r\n\r\n",
    "blank-before-colon": b"Action : Ping\r\nActionID: 1\r\n\r\n",
    "blank-before-name": b" Action: Ping\r\nActionID: 1\r\n\r\n",
    "no-colon": b"Action Ping\r\nActionID: 1\r\n\r\n",
    "first-wins": PING + b"1\r\nActionID: 2\r\naction: None\r\n\r\n",
    "empty-action": b"Action: \r\nAction: Ping\r\nActionID: 1\r\n\r\n",
    "c1": PING + b"a\xc2\x85b\xe2\x80\xa8c\r\n\r\n",
    "trailing-blanks": PING + b"1 \t \r\n\r\n",
    **{
        f"{size}-bytes-{name}": PING + b"1\r\n" + b"x" * size + end + b"\r\n"
        for size in (1022, 1023, 1024, 1025, 2045, 2046, 2047, 3068, 3069, 3070, 5000)
        for name, end in (("crlf", b"\r\n"), ("lf", b"\n"))
    },
    "id-after-long-line": b"Action: Ping\r\n" + b"x" * 2000 + b"\r\nActionID: 1\r\n\r\n",
    "header-after-1023-bytes": b"Action: Ping\r\n" + b"x" * 1023 + b"ActionID: 1\r\n\r\n",
    "128-lines": PING + b"1\r\n" + b"A: 1\r\n" * 126 + b"\r\n",
    "129-lines": PING + b"1\r\n" + b"A: 1\r\n" * 127 + b"\r\n",
    "129-lines-one-long": b"".join(
        [PING + b"1\r\n" + b"A: 1\r\n" * 127, b"x" * 2000, b"\r\n\r\n", PING + b"2\r\n\r\n"]
    ),
}


def expect(message: Heard) -> tuple[bytes, bytes, bytes]:
    """Response, ActionID and Message (none where the Ping is answered)."""
    action_id = message.header("ActionID")
    if message.error:
        return b"Error", action_id, message.error.encode()
    assert message.action.lower() == b"ping"
    return b"Success", action_id, b""


async def answers(ami: RawAmi, data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """What Asterisk answers to these bytes, up to its answer to a Ping of ours behind them."""
    ami.forget()
    ami.writer.write(data + PING + b"the-end\r\n\r\n")
    await ami.until(lambda session: b"ActionID: the-end\r\n" in session.received)
    found = []
    for block in bytes(ami.received).split(b"\r\n\r\n"):
        headers = dict(line.split(b": ", 1) for line in block.split(b"\r\n") if b": " in line)
        if b"Response" in headers:
            told = (headers.get(name, b"") for name in (b"Response", b"ActionID", b"Message"))
            found.append((next(told), next(told), next(told)))
    assert found.pop()[1] == b"the-end"
    return found


@pytest.mark.parametrize("name", HARD_INPUT)
async def test_asterisk_reads_as_the_model_does(lab: Lab, name: str) -> None:
    messages, rest = hear(HARD_INPUT[name])
    assert rest == b""
    async with logged_in(lab.pbx1) as ami:
        assert await answers(ami, HARD_INPUT[name]) == [expect(message) for message in messages]
