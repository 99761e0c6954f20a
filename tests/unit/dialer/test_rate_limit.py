"""Requests a minute."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.rate_limit import WINDOW, Allowance, MinuteAndSecond, RollingMinute


def test_a_limit_counts_down_and_then_refuses() -> None:
    minute = RollingMinute()
    assert [minute.take(3, at) for at in (0.0, 1.0, 2.0, 3.0)] == [
        Allowance(True, 3, 2, 0.0),
        Allowance(True, 3, 1, 0.0),
        Allowance(True, 3, 0, 58.0),
        Allowance(False, 3, 0, 57.0),
    ]


def test_places_come_back_one_by_one() -> None:
    minute = RollingMinute()
    for at in (0.0, 10.0):
        minute.take(2, at)
    assert not minute.take(2, 59.9).allowed
    assert minute.take(2, 60.0).allowed
    assert not minute.take(2, 69.9).allowed
    assert minute.take(2, 70.0).allowed


def test_what_was_refused_does_not_count() -> None:
    minute = RollingMinute()
    minute.take(1, 0.0)
    for at in range(1, 60):
        assert not minute.take(1, float(at)).allowed
    assert minute.take(1, 60.0).allowed


def test_a_client_that_keeps_its_rate_is_never_refused() -> None:
    minute = RollingMinute()
    assert all(minute.take(60, float(second)).allowed for second in range(600))


def test_a_limit_that_shrinks_holds_at_once() -> None:
    minute = RollingMinute()
    for at in (0.0, 1.0, 2.0):
        minute.take(5, at)
    assert minute.take(2, 3.0) == Allowance(False, 2, 0, 58.0)


@given(
    st.lists(st.floats(0, 20, allow_subnormal=False), max_size=60),
    st.integers(1, 8),
)
def test_never_over_the_limit_in_any_rolling_minute(gaps: list[float], limit: int) -> None:
    minute, now = RollingMinute(), 0.0
    passed: list[float] = []
    for gap in gaps:
        now += gap
        answer = minute.take(limit, now)
        recent = [at for at in passed if at > now - WINDOW]
        assert answer.allowed == (len(recent) < limit)
        if answer.allowed:
            passed.append(now)
        else:
            assert minute.take(limit, now + answer.wait / 2).allowed is (answer.wait == 0)


def test_a_minute_and_a_second_together() -> None:
    both = MinuteAndSecond()
    burst = [both.take(5, 3, at) for at in (0.0, 0.25, 0.5, 0.75)]
    assert burst == [
        Allowance(True, 5, 2, 0.0),
        Allowance(True, 5, 1, 0.0),
        Allowance(True, 5, 0, 0.5),
        Allowance(False, 3, 0, 0.25),
    ]
    assert both.take(5, 3, 1.0).allowed  # what was refused counts nowhere
    assert both.take(5, 3, 2.0) == Allowance(True, 5, 0, 58.0)
    assert both.take(5, 3, 10.0) == Allowance(False, 5, 0, 50.0)
    assert both.take(5, 3, 60.0).allowed
