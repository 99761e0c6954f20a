"""Times by the clock on the wall."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.local_times import find_end, find_start, read_moment

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_spans_of_seconds_and_days() -> None:
    assert find_start("2021-02-18", HANOI) == utc("2021-02-17 17:00:00")
    assert find_start("2021-02-18 17:20:58", HANOI) == utc("2021-02-18 10:20:58")
    assert find_end("2021-02-19", HANOI) == utc("2021-02-19 17:00:00")
    assert find_end("2021-02-19 00:00:00", HANOI) == utc("2021-02-18 17:00:01")
    assert find_start(" 2021-02-18T17:20 ", HANOI) == utc("2021-02-18 10:20:00")


def test_the_hour_that_there_is_twice_is_wholly_in() -> None:
    assert find_start("2024-10-27 02:30:00", BERLIN) == utc("2024-10-27 00:30:00")
    assert find_end("2024-10-27 02:30:00", BERLIN) == utc("2024-10-27 01:30:01")


def test_days_of_23_and_25_hours() -> None:
    for day, hours in (("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)):
        start, end = find_start(day, BERLIN), find_end(day, BERLIN)
        assert start is not None
        assert end is not None
        assert end - start == hours * 3600


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2024-13-01", "2024-02-30", "2024-1-1", "2024-01-01 24:00:00", "0001-01-01"),
        *("9999-12-31", "1970-01-01", "2024-01-01 10", "2024-01-01 10:00:00.5", "2024-01-01Z"),
        *("2024-01-01 10:00:61", "２０２４-01-01", "2024-01-01  10:00:00"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert read_moment(text) is None
    assert find_start(text, BERLIN) is None
    assert find_end(text, BERLIN) is None


@settings(max_examples=50)
@given(st.text(max_size=25) | st.datetimes().map(lambda at: at.isoformat(" ", "seconds")))
def test_any_text_is_a_span_or_nothing(text: str) -> None:
    for zone in (BERLIN, HANOI, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")):
        start, end = find_start(text, zone), find_end(text, zone)
        assert (start is None) == (end is None)
        assert start is None or end is None or start < end
