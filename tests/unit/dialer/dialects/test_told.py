from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.dialects.told import format_moment, format_span, tell
from tests.unit.dialer.delivery.samples import make_cdr
from tests.unit.dialer.dialects.samples import make_closing

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("second", "zone", "text"),
    [
        (1711846799, BERLIN, "2024-03-31 01:59:59"),
        (1711846800, BERLIN, "2024-03-31 03:00:00"),  # an hour is missing
        (1729987199, BERLIN, "2024-10-27 01:59:59"),
        (1729989000, BERLIN, "2024-10-27 02:30:00"),
        (1729992600, BERLIN, "2024-10-27 02:30:00"),  # this hour happens twice
        (1729994400, BERLIN, "2024-10-27 03:00:00"),
        (1710053999, NEW_YORK, "2024-03-10 01:59:59"),
        (1710054000, NEW_YORK, "2024-03-10 03:00:00"),
        (1613557835, ZoneInfo("Asia/Ho_Chi_Minh"), "2021-02-17 17:30:35"),
        (0, ZoneInfo("UTC"), "1970-01-01 00:00:00"),
    ],
)
def test_moments(second: int, zone: ZoneInfo, text: str) -> None:
    assert format_moment(second, zone) == text


def test_no_moment_is_an_empty_text() -> None:
    assert format_moment(None, BERLIN) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (59, "00:00:59"), (3725, "01:02:05"), (360000, "100:00:00")],
)
def test_spans(seconds: int, text: str) -> None:
    assert format_span(seconds) == text


@given(
    started=st.floats(1e9, 2e9),
    ringing=st.none() | st.floats(0, 100),
    answering=st.none() | st.floats(0, 100),
    talking=st.floats(0, 7200),
)
def test_whole_seconds_agree(
    started: float, ringing: float | None, answering: float | None, talking: float
) -> None:
    answered = None if answering is None else started + (ringing or 0) + answering
    ended = (answered or started + (ringing or 0)) + talking
    cdr = make_cdr(
        started_at=started,
        ringing_at=None if ringing is None else started + ringing,
        answered_at=answered,
        ended_at=ended,
        duration=int(ended - started),
        billsec=0 if answered is None else int(ended - answered),
    )
    told = tell(cdr)
    assert told.started == int(started)
    assert told.ended is not None
    assert told.ended - told.started == cdr.duration
    assert abs(told.ended - int(ended)) <= 1
    assert (told.answered is None) == (answered is None)
    assert (told.ringing is None) == (ringing is None)
    if told.answered is not None and answered is not None:
        assert told.ended - told.answered == cdr.billsec
        assert abs(told.answered - answered) <= 2
    if told.ringing is not None:
        assert told.started <= told.ringing <= (told.answered or told.ended)


def test_an_item_without_an_attempt_has_no_times() -> None:
    told = tell(make_closing())
    assert (told.started, told.ringing, told.answered, told.ended) == (None,) * 4
    assert (told.duration, told.billsec, told.ring_seconds) == (0, 0, 0)
