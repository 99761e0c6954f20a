"""The rule of turns, and Redis' clock as the process sees it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.coordination.bounds import ClockBounds
from dialer.coordination.turns import SLACK, TurnClock, map_turn, space, to_micros


@given(st.floats(0.01, 2000), st.floats(0, SLACK), st.floats(0, SLACK))
def test_turns_used_late_never_break_the_rolling_second(
    rate: float, late: float, later: float
) -> None:
    """For a rate below one: never two within 1/rate seconds."""
    step, most = to_micros(space(rate)) / 1_000_000, max(1, int(rate))
    one, beyond = late, most * step + later
    assert beyond - one >= max(1, 1 / rate)


@pytest.mark.parametrize(("rate", "like"), [(2.5, 2), (1.9, 1), (0.5, 0.5), (10, 10)])
def test_between_whole_numbers_and_below_one(rate: float, like: float) -> None:
    assert space(rate) == pytest.approx(float(Fraction(1.035) / Fraction(like)))


@given(st.floats(0.0001, 0.05), st.floats(0.0001, 0.05), st.floats(0, 0.5))
def test_a_turn_is_never_early_and_late_by_a_round_trip_at_most(
    there: float, back: float, ahead: float
) -> None:
    offset, bounds = 1.7e9, ClockBounds()
    bounds.add(50.0, 50.0 + there + back, 50.0 + there + offset)
    place = 50.0 + there + ahead
    turn = map_turn(round((place + offset) * 1_000_000), bounds)
    assert place - 2e-6 <= turn.not_before <= place + there + back + 2e-6
    assert turn.not_after == turn.not_before + SLACK


def test_turns_are_trusted_to_a_clock_that_was_watched() -> None:
    clock = TurnClock(warm=1.0)
    assert not clock.trusted(100.0)
    assert not clock.see(10.0, 10.0, 500.0, era=0)
    assert not clock.trusted(10.5)
    assert clock.trusted(11.0)
    assert clock.see(11.0, 11.0, 800.0, era=0), "it was set: tell Redis"
    assert not clock.trusted(11.5)
    assert not clock.see(11.6, 11.6, 100.0, era=1), "set, and Redis knows already"
    assert not clock.trusted(12.5)
    assert clock.trusted(12.6)
    clock.forget()
    assert not clock.trusted(1e9)
