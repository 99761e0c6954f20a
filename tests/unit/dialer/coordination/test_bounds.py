"""Another machine's clock, known between two bounds."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.coordination.bounds import TOLERANCE, ClockBounds

DELAYS = st.floats(0.0001, 0.3)


@given(
    st.floats(-1e6, 2e9),
    st.lists(st.tuples(st.floats(0.001, 2), DELAYS, DELAYS), min_size=1, max_size=30),
    st.floats(-0.0005, 0.0005),
)
def test_the_truth_stays_between_the_bounds_of_steady_clocks(
    offset: float, asked: list[tuple[float, float, float]], drift: float
) -> None:
    bounds, now = ClockBounds(), 1000.0
    for gap, there, back in asked:
        sent = now + gap
        shown = (sent + there) * (1 + drift) + offset
        now = sent + there + back
        assert bounds.add(sent, now, shown), "nobody set a clock"
        reached = (shown - offset) / (1 + drift)
        assert bounds.earliest(shown) - 1e-5 <= reached <= bounds.latest(shown) + 1e-5
    quickest = min(there + back for _, there, back in asked)
    width = bounds.latest(0) - bounds.earliest(0)
    assert width <= quickest + 0.003 * (now - 1000) + 1e-5


@given(
    st.floats(0.0001, 0.01),
    st.one_of(st.floats(0.02, 1e7), st.floats(-1e7, -0.02)),
    st.floats(0.0001, 0.005),
)
def test_a_clock_that_was_set_is_seen_in_the_next_answer(
    delay: float, jump: float, later: float
) -> None:
    bounds = ClockBounds()
    assert bounds.add(10.0, 10.0 + delay, 5000.0 + delay / 2)
    sent = 10.5
    assert not bounds.add(sent, sent + later, 5000.5 + later / 2 + jump)
    assert bounds.watched(sent) == 0, "nothing of before counts"
    assert bounds.add(11.0, 11.0 + later, 5001.0 + later / 2 + jump)


def test_less_than_the_tolerance_is_followed() -> None:
    bounds = ClockBounds()
    assert bounds.add(10.0, 10.0, 100.0)
    assert bounds.add(10.0, 10.0, 100.0 + TOLERANCE * 0.9)
    assert bounds.latest(100.0 + TOLERANCE * 0.9) == 10.0


def test_a_forgotten_clock_tells_nothing() -> None:
    bounds = ClockBounds()
    assert bounds.watched(1e9) < 0
    bounds.add(10.0, 10.1, 100.0)
    assert bounds.watched(12.0) == 2.0
    bounds.forget()
    assert bounds.watched(1e9) < 0
    assert bounds.add(20.0, 20.1, -5.0), "any clock may be the next"
