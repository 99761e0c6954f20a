"""Calls per second: never more than the limit in any rolling second, and not much less."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.pacing import CATCH_UP, LINE, SHARED_CATCH_UP, WINDOW, RateGate


def run_gate(gate: RateGate, lags: list[float], start: float = 0.0) -> list[float]:
    """Start as soon as the gate allows, each start late by its lag."""
    now, starts = start, []
    for lag in lags:
        now = max(now, gate.earliest()) + lag
        gate.take(now)
        starts.append(now)
    return starts


def most_in_a_second(starts: list[float]) -> int:
    return max(sum(1 for s in starts if at <= s < at + 1.0) for at in starts)


@given(
    rate=st.floats(0.3, 60),
    lags=st.lists(st.floats(0, 0.2), min_size=1, max_size=150),
)
def test_no_rolling_second_holds_more_than_the_limit(rate: float, lags: list[float]) -> None:
    starts = run_gate(RateGate(rate), lags)
    assert most_in_a_second(starts) <= max(1, rate)


@given(rate=st.integers(1, 200))
def test_starts_are_spaced_and_the_long_run_rate_is_kept(rate: int) -> None:
    starts = run_gate(RateGate(rate), [0.0] * (3 * rate))
    step = WINDOW / rate
    assert all(later - earlier >= step * 0.499 for earlier, later in pairwise(starts))
    assert starts[-1] - starts[0] <= 3 * rate * step


def test_a_rate_below_one_spaces_starts_over_seconds() -> None:
    starts = run_gate(RateGate(0.5), [0.0] * 3)
    assert starts[1] - starts[0] >= 2.0
    assert starts[2] - starts[1] >= 2.0


def test_small_lateness_is_caught_up() -> None:
    starts = run_gate(RateGate(100), [0.002] * 200)
    assert 199 / (starts[-1] - starts[0]) > 95


def test_a_rate_between_whole_numbers_is_spaced_by_what_a_window_holds() -> None:
    starts = run_gate(RateGate(2.5), [0.0] * 8)
    assert all(abs(later - at - WINDOW / 2) < 1.01 * CATCH_UP for at, later in pairwise(starts))


def test_a_gate_that_falls_behind_another_lets_only_a_short_line_wait_there() -> None:
    wire, planned, unlimited = RateGate(10), RateGate(10), RateGate(None)
    wire.take(5.0)
    planned.fall_behind(wire, 0)
    assert planned.earliest() < wire.earliest()  # nobody waits there: it is the disk that is late
    planned.fall_behind(wire, 3)
    behind = pytest.approx(wire.earliest() + 3 * WINDOW / 10 - LINE)
    assert planned.earliest() == behind
    planned.fall_behind(wire, 0)
    assert planned.earliest() == behind
    unlimited.fall_behind(RateGate(None), 3)
    assert unlimited.earliest() == float("-inf")


def test_idling_earns_no_burst() -> None:
    gate = RateGate(10)
    run_gate(gate, [0.0] * 3)
    starts = run_gate(gate, [0.0] * 3, start=100.0)
    assert starts[1] - starts[0] >= 0.09


def test_without_a_rate_everything_may_go() -> None:
    gate = RateGate(None)
    gate.take(1.0)
    assert gate.earliest() == float("-inf")


def test_a_lower_limit_counts_what_was_started() -> None:
    gate = RateGate(100)
    starts = run_gate(gate, [0.0] * 50)
    gate.change(5)
    assert gate.earliest() >= starts[-5] + 1.0


def test_a_new_limit_is_obeyed_from_now_on() -> None:
    gate = RateGate(None)
    gate.change(2)
    assert most_in_a_second(run_gate(gate, [0.0] * 10, start=5.0)) <= 2


@pytest.mark.parametrize(("catch_up", "kept"), [(SHARED_CATCH_UP, True), (CATCH_UP, False)])
def test_who_comes_late_now_and_then_keeps_the_rate_where_that_is_caught_up(
    catch_up: float, kept: bool
) -> None:
    gate, starts, now = RateGate(18.0, catch_up), [0.0], 0.0
    gate.take(now)
    while now < 20.0:
        now = gate.earliest() + (0.04 if len(starts) % 3 == 0 else 0.0)
        gate.take(now)
        starts.append(now)
    assert (len(starts) > 0.95 * 18 / WINDOW * now) == kept
    assert most_in_a_second(starts) <= 18


@pytest.mark.parametrize("rate", [1.0, 7.0])
def test_seeded_starts_count(rate: float) -> None:
    gate = RateGate(rate)
    gate.seed([9.5] * int(rate))
    assert gate.earliest() >= 10.5


def test_seeded_starts_come_in_any_order() -> None:
    gate = RateGate(2.0)
    gate.seed([9.9, 9.8])
    gate.seed([9.1, 9.2])  # of another client, of which is read later
    assert gate.earliest() >= 9.8 + 1.0
    gate = RateGate(1.0)
    gate.take(9.9)
    gate.seed([9.0])  # another worker's, before ours
    assert gate.earliest() >= 10.9


def test_a_start_that_did_not_happen_gives_its_place_back() -> None:
    gate, other = RateGate(10.0), RateGate(10.0)
    for one in (gate, other):
        one.take(100.0)
    gate.take(gate.earliest())
    assert gate.earliest() > other.earliest()
    gate.give_back()
    assert gate.earliest() == other.earliest()
    unlimited = RateGate()
    unlimited.give_back()
    assert unlimited.earliest() == float("-inf")
