"""How the calls of the last minutes ended."""

from dialer.cdr import Cdr
from dialer.recent_ends import LONGEST_REASON, MOST_REASONS, OTHER, RecentEnds
from tests import store_records as make
from tests.unit.dialer.builders import make_item

NOW = 1_750_000_040.0  # 20 s into a minute


def ended(disposition: str = "answered", why: str | None = None) -> Cdr:
    attempt = make.reservation(make_item())
    return make.cdr(attempt, disposition, error_message=why)


def test_nothing_ended() -> None:
    ends = RecentEnds()
    assert ends.describe(NOW) == {"dispositions": {}, "reasons": []}
    assert ends.describe_minute(NOW) is None


def test_the_most_frequent_come_first() -> None:
    ends = RecentEnds()
    for cdr in (
        *(ended("failed", "No route to destination") for _ in range(3)),
        *(ended() for _ in range(4)),
        *(ended("failed", "Call Rejected"), ended("busy", "User busy")),
        *(ended("congestion", "Circuit congestion") for _ in range(2)),
    ):
        ends.note(cdr, NOW)
    told = ends.describe(NOW)
    assert list(told["dispositions"].values()) == [4, 4, 2, 1]
    assert told["dispositions"]["failed"] == told["dispositions"]["answered"] == 4
    assert told["reasons"][:2] == [
        ["failed", "No route to destination", 3],
        ["congestion", "Circuit congestion", 2],
    ]
    assert len(told["reasons"]) == 3


def test_what_is_five_minutes_old_is_told_no_more() -> None:
    ends = RecentEnds()
    ends.note(ended("busy", "User busy"), NOW)
    ends.note(ended(), NOW + 60)
    assert ends.describe(NOW + 240)["dispositions"] == {"busy": 1, "answered": 1}
    assert ends.describe(NOW + 280) == {"dispositions": {"answered": 1}, "reasons": []}
    assert ends.describe(NOW + 400)["dispositions"] == {}


def test_the_minute_that_is_over_is_told_alone() -> None:
    ends = RecentEnds()
    ends.note(ended("busy"), NOW)
    ends.note(ended(), NOW + 60)
    assert ends.describe_minute(NOW) is None
    told = ends.describe_minute(NOW + 60)
    assert told is not None
    assert told["dispositions"] == {"busy": 1}
    assert ends.describe_minute(NOW + 180) is None


def test_its_size_is_bounded() -> None:
    ends = RecentEnds()
    for number in range(MOST_REASONS + 20):
        ends.note(ended("failed", f"{number:03} {'x' * 200}"), NOW)
    for minute in range(100):
        ends.note(ended(), NOW + 60 * minute)
    assert ends.describe(NOW)["reasons"] == []
    fresh = RecentEnds()
    for number in range(MOST_REASONS + 20):
        fresh.note(ended("failed", f"{number:03} {'x' * 200}"), NOW)
    told = fresh.describe(NOW)
    assert told["dispositions"] == {"failed": MOST_REASONS + 20}
    assert told["reasons"][0] == ["failed", OTHER, 20]
    assert max(len(reason) for _, reason, _ in told["reasons"]) == LONGEST_REASON


def test_a_clock_that_is_set_invents_nothing() -> None:
    ends = RecentEnds()
    ends.note(ended(), NOW)
    ends.note(ended("busy"), NOW - 3600)
    assert ends.describe(NOW - 3600)["dispositions"] == {"busy": 1}
    ends.note(ended("busy"), NOW + 3600)
    assert ends.describe(NOW + 3600)["dispositions"] == {"busy": 1}
