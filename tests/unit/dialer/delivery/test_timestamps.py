from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.delivery.timestamps import format_milliseconds, format_optional, format_seconds

MOMENT = 1705314600.1239


def test_forms() -> None:
    assert format_milliseconds(MOMENT) == "2024-01-15T10:30:00.123Z"
    assert format_seconds(MOMENT) == "2024-01-15T10:30:00Z"
    assert format_seconds(1705314600.999) == "2024-01-15T10:30:00Z"
    assert format_milliseconds(1705314600.0) == "2024-01-15T10:30:00.000Z"


def test_no_time_stays_none() -> None:
    assert format_optional(None) is None
    assert format_optional(MOMENT) == format_milliseconds(MOMENT)


@settings(max_examples=50)
@given(st.floats(min_value=0, max_value=4e9))
def test_reads_back_within_its_precision(epoch: float) -> None:
    assert abs(datetime.fromisoformat(format_milliseconds(epoch)).timestamp() - epoch) <= 0.001001
    assert abs(datetime.fromisoformat(format_seconds(epoch)).timestamp() - epoch) <= 1.000001
