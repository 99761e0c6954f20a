from ami.trace import Record
from ami.trace.blocks import Blocks, begins_message, make_record, split_blocks


def split(text: str) -> tuple[list[Record], Blocks]:
    blocks = Blocks()
    lines = [(line.encode(), float(number)) for number, line in enumerate(text.split("|"))]
    return list(split_blocks(lines, blocks)), blocks


def test_first_lines_of_messages() -> None:
    assert begins_message(b"event : X")
    assert not begins_message(b"EventTime: 1")


def test_messages_end_with_an_empty_line_and_have_the_time_of_their_first() -> None:
    records, blocks = split("Event: A|X: 1||Event: B|X: 2|")
    assert [(record.at, record.data) for record in records] == [
        (0.0, b"Event: A\r\nX: 1\r\n\r\n"),
        (3.0, b"Event: B\r\nX: 2\r\n\r\n"),
    ]
    assert blocks.lost == 0


def test_a_log_without_empty_lines_is_cut_where_the_next_message_begins() -> None:
    records, _ = split(
        "Event: OriginateResponse|Response: Failure|Event: B|Response: Success|X: 1|Action: Ping"
    )
    assert [record.data.count(b"\r\n") for record in records] == [3, 2, 3, 2]
    assert [record.direction.value for record in records] == ["<", "<", "<", ">"]


def test_lines_of_no_message_are_counted() -> None:
    records, blocks = split("X: 1|Y: 2||Event: A")
    assert len(records) == 1
    assert blocks.lost == 2


def test_a_message_above_the_bound_is_lost_not_held() -> None:
    blocks = Blocks()
    line = b"X: " + b"x" * 1000
    assert list(blocks.add(b"Event: A", None)) == []
    for _ in range(1100):
        assert list(blocks.add(line, None)) == []
    assert list(blocks.end()) == []
    assert blocks.lost > 1000


def test_a_damaged_timestamp_is_no_time() -> None:
    record = make_record(b"Event: A\r\nTimestamp: " + b"9" * 400, None, b"\r\n")
    assert record is not None
    assert record.at is None
