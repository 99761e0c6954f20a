import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace.objects import make_event, read_objects
from tests.unit.ami.trace.reading import InPieces, messages_of, read

EVENTS = [
    {"Uniqueid": "1", "Event": "Newchannel", "content": ""},
    {"Event": "Hangup", "Cause": 16, "ChanVariable": ["a=1", "b=2"], "CallerIDName": "Jürgen 사"},
]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=4, ensure_ascii=False),
        "\n".join(map(json.dumps, EVENTS)),
        "\n\n".join(json.dumps(event, indent=2) for event in EVENTS),
        "\x1e" + "\n\x1e".join(map(json.dumps, EVENTS)),
    ],
)
def test_arrays_lines_and_objects_in_a_row(text: str) -> None:
    trace, records = read(text.encode())
    assert trace.format == "json"
    first, second = messages_of(records)
    assert (first.name, first.get("Uniqueid"), first.get("content", "none")) == (
        "Newchannel",
        "1",
        "none",
    )
    assert (second.get("Cause"), second.all("ChanVariable")) == ("16", ("a=1", "b=2"))
    assert second.get("CallerIDName") == "Jürgen 사"
    assert trace.problems == []


@pytest.mark.parametrize(
    "wrapped",
    [
        {"timestamp": "2015-11-13T23:14:58Z", "event": EVENTS[0]},
        {"ts": 1447456498, "data": EVENTS[0]},
        {"time": 1447456498000, "name": "Newchannel", "headers": {"Uniqueid": "1"}},
    ],
)
def test_events_wrapped_with_their_time(wrapped: dict[str, object]) -> None:
    record = make_event(wrapped)
    assert record is not None
    assert record.at == 1447456498.0
    assert messages_of([record])[0].name == "Newchannel"


@pytest.mark.parametrize(
    "damaged", [10**400, -(10**400), float("inf"), float("-inf"), float("nan"), 1e300, 0, -5, True]
)
def test_a_number_that_is_no_time_says_nothing(damaged: float) -> None:
    record = make_event({"time": damaged, "event": EVENTS[0]})
    assert record is not None
    assert record.at is None


def test_a_value_can_make_no_header() -> None:
    record = make_event(
        {"Event": "A", "X": "1\r\nCause: 17\r\n\r\nEvent: Hangup", "Y\nZ": "\ud800"}
    )
    assert record is not None
    (message,) = messages_of([record])
    assert message.get("Cause", "none") == "none"


def test_what_is_no_event_is_counted_and_damage_passed_over() -> None:
    trace, records = read(b'{"Event":"A"}\n{"Event":"B", "x\n{"n":1}\n{"Event":"C"}\n{"Ev')
    assert [message.name for message in messages_of(records)] == ["A", "C"]
    assert "1 JSON objects that are no event, response or action" in trace.problems
    assert len(trace.problems) == 3


@pytest.mark.parametrize("bad", ["[" * 100_000, '{"Event":' + "9" * 5000 + "}", '{"a":' * 100_000])
def test_hostile_json_is_a_problem_not_an_exception(bad: str) -> None:
    read(b'{"Event":"A"}\n' + bad.encode())


@given(size=st.integers(1, 50))
@settings(max_examples=30)
def test_the_same_records_however_the_file_is_read(size: int) -> None:
    data = json.dumps(EVENTS, indent=1, ensure_ascii=False).encode()
    problems: list[str] = []
    assert list(read_objects(InPieces(data, size).read, problems.append)) == read(data)[1]


@given(size=st.integers(1, 50))
@settings(max_examples=30)
def test_an_object_is_whole_however_its_parts_stand_in_lines(size: int) -> None:
    """A part that begins a line is not taken for the next event while the rest is to be read."""
    data = b'{"time": 1447456498,\n"event":\n{"Event": "A", "X":\n{"Event": "B"}}}\n{"Event": "C"}'
    problems: list[str] = []
    records = list(read_objects(InPieces(data, size).read, problems.append))
    assert problems == []
    assert [(r.at, message.name) for r in records for message in messages_of([r])] == [
        (1447456498.0, "A"),
        (None, "C"),
    ]


@given(st.text(max_size=100))
@settings(max_examples=100)
def test_any_text_after_an_event_gives_records_or_problems(text: str) -> None:
    read(b'{"Event":"A"}\n' + text.encode("utf-8", "replace"))
