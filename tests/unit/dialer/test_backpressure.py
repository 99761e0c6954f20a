"""The window of unanswered Originates: bounded always, wide for the prompt, narrow for the slow."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.backpressure import FIRST, LEAST, MOST, SLOW, Window

EVENT = st.tuples(st.sampled_from(["take", "give", "answer", "miss"]), st.floats(0.0, 12.0))


@given(st.lists(EVENT, max_size=200))
def test_never_more_is_under_way_than_the_window_allowed(events: list[tuple[str, float]]) -> None:
    window, now, under_way = Window(), 0.0, 0
    for kind, seconds in events:
        now += seconds / 10
        if kind == "take":
            if window.has_room(now):
                window.take(now)
                under_way += 1
        elif under_way:
            under_way -= 1
            if kind == "give":
                window.give_back()
            elif kind == "answer":
                window.answered(seconds, now)
            else:
                window.missed(now)
        assert window.under_way == under_way <= MOST
        assert LEAST <= window.limit <= MOST
        assert window.has_room(now) or under_way >= LEAST


@given(st.lists(st.sampled_from([0.001, 0.05, 0.2, 0.45]), min_size=1, max_size=100))
def test_it_never_narrows_without_a_slow_answer(answers: list[float]) -> None:
    window = Window()
    for seconds in answers:
        window.take(1.0)
        window.answered(seconds, 1.0)
    assert window.limit >= FIRST


def test_one_windowful_of_prompt_answers_makes_room_for_one_more() -> None:
    window = Window()
    for _ in range(int(FIRST) + 1):
        window.take(1.0)
        window.answered(0.005, 1.0)
    assert FIRST + 0.9 < window.limit < FIRST + 1.1


def test_a_slow_spell_halves_it_once_not_once_an_answer() -> None:
    window = Window()
    for _ in range(40):
        window.take(1.0)
    for _ in range(40):  # all were written before the first slow answer came
        window.answered(1.0, 100.0)
    assert window.limit == FIRST / 2
    window.take(1.0)
    window.answered(SLOW + 0.1, 102.0)
    assert window.limit == FIRST / 4


def test_a_missing_answer_leaves_a_trickle_and_a_new_link_begins_anew() -> None:
    window = Window()
    window.take(1.0)
    window.missed(10.0)
    assert window.limit == LEAST
    window.renew()
    assert (window.limit, window.under_way) == (FIRST, 0)


def test_a_mute_server_gets_a_trickle_until_it_is_heard() -> None:
    window = Window()
    for at in (10.0, 10.4, 10.8):
        window.take(at)
    assert window.has_room(11.0)
    assert not window.has_room(11.1)  # nothing was heard for more than a second
    window.give_back()
    window.give_back()
    assert window.has_room(11.1)
    window.take(11.1)
    assert not window.has_room(11.1)
    window.answered(1.5, 12.0)
    assert window.has_room(12.0)
    assert window.limit == FIRST / 2


def test_silence_counts_from_when_an_answer_is_due() -> None:
    window = Window()
    window.take(10.0)
    window.answered(0.005, 10.005)
    assert window.has_room(500.0)
    window.take(500.0)
    window.take(500.0)
    assert window.has_room(500.9)


@pytest.mark.parametrize(("latency", "most"), [(0.005, 2_000.0), (0.05, 2_000.0), (2.0, 4.0)])
def test_the_pace_follows_the_answers(latency: float, most: float) -> None:
    """A source that would place 2,000 a second against an Asterisk that answers after `latency`:
    a healthy one is not slowed, one that takes 2 s an answer gets a few calls a second."""
    window, now, placed = Window(), 0.0, 0
    waiting: deque[float] = deque()
    for step in range(60_000):
        now = step / 2_000
        while waiting and waiting[0] + latency <= now:
            window.answered(now - waiting.popleft(), now)
        if window.has_room(now):
            window.take(now)
            waiting.append(now)
            placed += now >= 20.0
    rate = placed / 10.0
    assert rate == pytest.approx(most, rel=0.01) if most > 100 else rate <= most
    assert rate >= 0.5
