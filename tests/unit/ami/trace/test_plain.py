import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import Direction, Record
from ami.trace.plain import read_plain
from tests.unit.ami.trace.reading import InPieces, messages_of, read

ACTION = "Action: Originate|ActionID: a1|Channel: Local/259"
ANSWER = "Response: Success|ActionID: a1|Message: queued"
EVENT = "Event: Newchannel|Uniqueid: 1|CallerIDName: 사용자"


def stream(*messages: str, end: str = "\r\n", banner: bool = False) -> bytes:
    text = "".join(message.replace("|", end) + end * 2 for message in messages)
    greeting = f"Asterisk Call Manager/9.0{end}" if banner else ""
    return (greeting + text).encode()


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("banner", [True, False])
def test_streams_of_every_kind(end: str, banner: bool) -> None:
    trace, records = read(stream(ACTION, ANSWER, EVENT, end=end, banner=banner))
    assert trace.format == "ami"
    assert trace.problems == []
    directions = "".join(record.direction.value for record in records)
    assert directions == ("<" if banner else "") + "><<"
    assert [message.name for message in messages_of(records)] == ["Success", "Newchannel"]
    assert messages_of(records)[1].get("CallerIDName") == "사용자"


def test_a_stream_from_its_middle_loses_the_first_part_and_says_so() -> None:
    trace, records = read(b"Exten: 100\r\nContext: x\r\n\r\n" + stream(EVENT))
    assert [message.name for message in messages_of(records)] == ["Newchannel"]
    assert trace.problems == ["22 bytes that are no message"]


def test_the_last_message_counts_without_its_empty_line_but_not_cut_in_a_name() -> None:
    whole = stream(EVENT, ANSWER).rstrip(b"\r\n")
    assert len(read(whole)[1]) == 2
    trace, records = read(whole.removesuffix(b": queued"))
    assert len(records) == 1
    assert trace.problems == ["the last message is cut off"]


def test_its_own_timestamp_is_when_an_event_came() -> None:
    _, records = read(stream("Event: Hangup|Timestamp: 1510239502.250000|Uniqueid: 1"))
    assert records[0].at == 1510239502.25


def test_output_of_a_command_is_one_message() -> None:
    answer = b"Response: Follows\nActionID: 1\nAsterisk built by x\n--END COMMAND--\n\n\n"
    text = b"action: command\n\n" + answer
    _, records = read(text)
    assert [record.direction for record in records] == [Direction.SENT, Direction.RECEIVED]


def test_megabytes_without_an_end_are_dropped_not_held() -> None:
    trace, records = read(stream(EVENT) + b"A: " + b"x" * 3_000_000 + b"\r\n\r\n" + stream(EVENT))
    assert len(records) == 2
    assert trace.problems


@given(size=st.integers(1, 60), end=st.sampled_from(["\r\n", "\n"]))
@settings(max_examples=40)
def test_the_same_records_however_the_file_is_read(size: int, end: str) -> None:
    data = stream(ACTION, ANSWER, EVENT, EVENT, end=end, banner=True)
    problems: list[str] = []
    pieces: list[Record] = list(read_plain(InPieces(data, size).read, problems.append))
    assert pieces == read(data)[1]


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_after_an_event_give_records_or_problems(data: bytes) -> None:
    read(stream(EVENT) + data)
