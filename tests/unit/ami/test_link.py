"""The table of link states, and the waits between attempts."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.errors import IllegalLinkMove
from ami.link import AFTER_REFUSAL, MOVES, RECONNECT, Backoff, LinkSignal, LinkState, backoff, move


def walk(*signals: LinkSignal) -> LinkState:
    state = LinkState.DOWN
    for signal in signals:
        state = move(state, signal)
    return state


LOGGED_IN = (LinkSignal.CONNECT, LinkSignal.CONNECTED, LinkSignal.LOGIN_ACCEPTED)


@pytest.mark.parametrize(
    ("signals", "state"),
    [
        ((LinkSignal.CONNECT, LinkSignal.LOST), LinkState.DOWN),
        ((LinkSignal.CONNECT, LinkSignal.CONNECTED, LinkSignal.LOGIN_REFUSED), LinkState.REFUSED),
        (LOGGED_IN, LinkState.BOOTING),
        ((*LOGGED_IN, LinkSignal.BOOTED), LinkState.UP),
        ((*LOGGED_IN, LinkSignal.BOOTED, LinkSignal.LOST), LinkState.DOWN),
        ((*LOGGED_IN, LinkSignal.BOOTED, LinkSignal.SHUTDOWN_SEEN), LinkState.SHUTTING_DOWN),
        (
            (
                *LOGGED_IN,
                LinkSignal.BOOTED,
                LinkSignal.SHUTDOWN_SEEN,
                LinkSignal.SHUTDOWN_ABORTED,
            ),
            LinkState.UP,
        ),
    ],
)
def test_the_ways_that_matter(signals: tuple[LinkSignal, ...], state: LinkState) -> None:
    assert walk(*signals) is state


def test_every_state_has_its_moves_and_can_be_left() -> None:
    assert set(MOVES) == set(LinkState)
    for state in set(LinkState) - {LinkState.LEAVING}:
        assert move(state, LinkSignal.LEAVE) is LinkState.LEAVING
    assert move(LinkState.LEAVING, LinkSignal.LOST) is LinkState.DOWN


def test_the_notes_show_the_table() -> None:
    notes = (Path(__file__).parents[3] / "docs" / "ami-notes.md").read_text(encoding="utf-8")
    drawn = [
        f"    {state.value} --> {following.value}: {signal.value}"
        for state, moves in MOVES.items()
        for signal, following in moves.items()
    ]
    assert "\n".join(["stateDiagram-v2", "    [*] --> down", *drawn]) in notes


def test_a_move_that_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(IllegalLinkMove, match="no move from up on connect"):
        move(LinkState.UP, LinkSignal.CONNECT)


@given(signals=st.lists(st.sampled_from(LinkSignal), max_size=40))
@settings(max_examples=100)
def test_nothing_is_up_that_did_not_log_in_since_it_was_lost(signals: list[LinkSignal]) -> None:
    state, accepted = LinkState.DOWN, False
    for signal in signals:
        try:
            state = move(state, signal)
        except IllegalLinkMove:
            continue
        if signal is LinkSignal.LOGIN_ACCEPTED:
            accepted = True
        elif signal in (LinkSignal.LOST, LinkSignal.LOGIN_REFUSED):
            accepted = False
        if state is LinkState.UP:
            assert accepted


@given(failures=st.integers(-5, 10_000), seed=st.integers(0, 1000))
@settings(max_examples=100)
def test_waits_stay_between_half_and_all_of_the_doubled_wait(failures: int, seed: int) -> None:
    for limits in (RECONNECT, AFTER_REFUSAL, Backoff(first=0.0, cap=0.0)):
        wait = backoff(failures, random.Random(seed), limits)
        assert limits.first / 2 <= wait <= limits.cap


def test_waits_double_up_to_the_cap_and_differ() -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    waits = [backoff(failures, Highest(), Backoff(1.0, 5.0)) for failures in range(1, 6)]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    rng = random.Random(1)
    assert len({backoff(3, rng) for _ in range(20)}) == 20
