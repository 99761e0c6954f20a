import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import Direction, Record, read_note
from ami.trace.encoding import MAGIC, MAX_RECORD, decode_records, encode_record, write_note
from tests.unit.ami.trace.reading import InPieces

RECORDS = st.lists(
    st.builds(
        Record,
        st.none() | st.integers(1, 4_000_000_000_000).map(lambda milli: milli / 1000),
        st.sampled_from(Direction),
        st.binary(max_size=80),
    ),
    max_size=8,
)


def decode(data: bytes) -> tuple[list[Record], list[str]]:
    problems: list[str] = []
    return list(decode_records(io.BytesIO(data).read, problems.append)), problems


@given(records=RECORDS, size=st.integers(1, 40))
@settings(max_examples=60)
def test_what_was_written_is_read_back_however_it_is_cut(records: list[Record], size: int) -> None:
    data = MAGIC + b"".join(map(encode_record, records))
    problems: list[str] = []
    assert list(decode_records(InPieces(data, size).read, problems.append)) == records
    assert problems == []


@given(records=RECORDS.filter(bool), data=st.data())
@settings(max_examples=60)
def test_a_file_cut_anywhere_loses_the_cut_record_alone(
    records: list[Record], data: st.DataObject
) -> None:
    written = [encode_record(record) for record in records]
    whole = MAGIC + b"".join(written)
    cut = data.draw(st.integers(len(MAGIC), len(whole)))
    got, problems = decode(whole[:cut])
    ends = [len(MAGIC) + sum(map(len, written[: n + 1])) for n in range(len(written))]
    kept = sum(end <= cut for end in ends)
    assert got[:kept] == records[:kept]
    assert bool(problems) == (cut not in (len(MAGIC), *ends))


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_any_bytes_give_records_or_problems(data: bytes) -> None:
    decode(MAGIC + data)


def test_a_file_that_was_appended_to_after_a_cut_goes_on_with_the_next_record() -> None:
    record = Record(5.0, Direction.RECEIVED, b"Event: A\r\n\r\n")
    cut = MAGIC + encode_record(record)[:-4]
    got, problems = decode(cut + b"\n" + MAGIC + encode_record(record))
    assert got == [record]
    assert problems == [f"{len(cut) + 1 - len(MAGIC)} bytes of a record that was cut or damaged"]


def test_a_file_that_was_appended_to_has_no_problem() -> None:
    record = Record(5.0, Direction.RECEIVED, b"Event: A\r\n\r\n")
    whole = MAGIC + encode_record(record)
    assert decode(whole + b"\n" + whole) == ([record, record], [])


def test_a_length_out_of_bounds_is_damage() -> None:
    record = Record(5.0, Direction.RECEIVED, b"Event: A\r\n\r\n")
    damaged = f"< 1.000000 {MAX_RECORD + 1}\nabc\n".encode()
    got, problems = decode(MAGIC + damaged + encode_record(record))
    assert got == [record]
    assert len(problems) == 1


def test_a_record_that_is_too_long_is_not_written() -> None:
    with pytest.raises(ValueError, match="bytes"):
        encode_record(Record(1.0, Direction.SENT, bytes(MAX_RECORD + 1)))


def test_notes_are_json_objects_or_nothing() -> None:
    assert read_note(write_note(1.0, {"server": "pbx1", "Ü": [1]})) == {"server": "pbx1", "Ü": [1]}
    assert read_note(Record(1.0, Direction.NOTE, b"[1]")) == {}
    assert read_note(Record(1.0, Direction.NOTE, b"\xff{")) == {}
    assert read_note(Record(1.0, Direction.NOTE, b"[" * 100_000)) == {}
