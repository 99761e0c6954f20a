"""The breaker: opens for what a server does to all, closes by a probe, never hangs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.breaker import (
    BREAKER_TRANSITIONS,
    FIRST_PAUSE,
    FLAPPING,
    LONGEST_PAUSE,
    TOLERATED,
    Breaker,
    BreakerState,
    Trouble,
)

OPEN, CLOSED, HALF_OPEN = BreakerState.OPEN, BreakerState.CLOSED, BreakerState.HALF_OPEN
SLOWLY_HEALED = [Trouble.UNANSWERED, Trouble.UNREPORTED]
HEALED_BY_LINK = [Trouble.SHUTTING_DOWN, Trouble.LINK_LOST]


def opened(trouble: Trouble, now: float = 100.0) -> Breaker:
    breaker = Breaker()
    for _ in range(TOLERATED[trouble]):
        assert breaker.state is CLOSED
        breaker.saw(trouble, now)
    assert breaker.state is OPEN
    assert not breaker.may_place(now)
    return breaker


def heal(breaker: Breaker, trouble: Trouble) -> None:
    """What comes of a call that goes well."""
    breaker.answered()
    if trouble is Trouble.UNREPORTED:
        assert breaker.state is HALF_OPEN  # a Response alone is no OriginateResponse
    breaker.reported()


@pytest.mark.parametrize("trouble", SLOWLY_HEALED)
def test_after_a_pause_one_probe_goes_and_its_success_closes(trouble: Trouble) -> None:
    breaker = opened(trouble)
    assert not breaker.may_place(100.0 + FIRST_PAUSE - 0.01)
    assert breaker.may_place(100.0 + FIRST_PAUSE)
    assert breaker.state is HALF_OPEN
    breaker.placed(100.0 + FIRST_PAUSE)
    assert not breaker.may_place(101.0 + FIRST_PAUSE)
    heal(breaker, trouble)
    assert breaker.state is CLOSED
    assert breaker.may_place(101.0 + FIRST_PAUSE)


@pytest.mark.parametrize("trouble", SLOWLY_HEALED)
def test_probes_that_fail_come_less_and_less_often(trouble: Trouble) -> None:
    breaker, now, pauses = opened(trouble), 100.0, []
    for _ in range(6):
        pauses.append(breaker.until - now)
        now = breaker.until
        assert breaker.may_place(now)
        breaker.placed(now)
        breaker.saw(trouble, now)
        assert breaker.state is OPEN
    assert pauses == [5.0, 10.0, 20.0, 40.0, LONGEST_PAUSE, LONGEST_PAUSE]


def test_single_misses_between_answers_open_nothing() -> None:
    breaker = Breaker()
    for _ in range(50):
        breaker.saw(Trouble.UNANSWERED, 1.0)
        breaker.saw(Trouble.UNREPORTED, 1.0)
        breaker.answered()
        breaker.reported()
    assert breaker.state is CLOSED


@pytest.mark.parametrize("trouble", HEALED_BY_LINK)
def test_a_new_link_is_the_probe_for_what_it_heals(trouble: Trouble) -> None:
    breaker = opened(trouble)
    assert not breaker.may_place(1e9)  # time alone heals nothing here
    breaker.link_up()
    assert breaker.state is CLOSED
    assert breaker.may_place(100.0)


def test_links_that_come_and_go_are_probed_with_one_call() -> None:
    breaker = Breaker()
    for _ in range(FLAPPING - 1):
        breaker.saw(Trouble.LINK_LOST, 1.0)
        breaker.link_up()
        assert breaker.state is CLOSED
    breaker.saw(Trouble.LINK_LOST, 1.0)
    breaker.link_up()
    assert breaker.state is HALF_OPEN
    assert breaker.may_place(1.0)
    breaker.placed(101.0)
    assert not breaker.may_place(1.0)
    breaker.answered()
    assert breaker.state is CLOSED
    breaker.saw(Trouble.LINK_LOST, 1.0)
    breaker.link_up()
    assert breaker.state is CLOSED  # the answer had made all well again


def test_a_lost_link_makes_an_open_one_wait_for_the_link_and_then_probe() -> None:
    breaker = opened(Trouble.UNANSWERED)
    breaker.saw(Trouble.LINK_LOST, 101.0)
    assert (breaker.state, breaker.openings) == (OPEN, 1)
    assert not breaker.may_place(1e9)
    breaker.link_up()
    assert breaker.may_place(102.0)


def test_a_probe_of_which_nothing_is_heard_does_not_hold_it_for_ever() -> None:
    breaker = opened(Trouble.UNREPORTED)
    assert breaker.may_place(200.0)
    breaker.placed(200.0)
    assert not breaker.may_place(200.0 + LONGEST_PAUSE - 0.1)
    assert breaker.may_place(200.0 + LONGEST_PAUSE)


def test_a_probe_on_a_link_that_was_replaced_makes_room_for_another() -> None:
    breaker = opened(Trouble.UNANSWERED)
    assert breaker.may_place(200.0)
    breaker.placed(200.0)
    breaker.link_up()
    assert breaker.may_place(200.1)


def test_a_probe_that_did_not_leave_makes_room_for_another() -> None:
    breaker = opened(Trouble.UNANSWERED)
    assert breaker.may_place(200.0)
    breaker.placed(200.0)
    assert not breaker.may_place(200.0)
    breaker.unplaced()
    assert breaker.may_place(200.0)


def test_answers_to_what_was_under_way_when_it_opened_close_nothing() -> None:
    breaker = opened(Trouble.UNANSWERED)
    breaker.answered()
    assert breaker.state is OPEN
    assert breaker.may_place(200.0)
    breaker.answered()
    assert breaker.state is HALF_OPEN


def test_it_says_why_it_is_open() -> None:
    assert Breaker().describe(0.0) == "closed"
    text = opened(Trouble.UNANSWERED).describe(102.0)
    assert text == "open: Originates are not answered (next try in 3 s)"
    assert opened(Trouble.LINK_LOST).describe(102.0) == "open: the link is lost"
    breaker = opened(Trouble.UNREPORTED)
    breaker.may_place(1000.0)
    assert breaker.describe(1000.0) == "half-open: OriginateResponses are missing"


EVENTS = ["answered", "reported", "link_up", "unplaced", "place", *Trouble]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 30.0)), max_size=60))
def test_random_walks_stay_in_the_table_and_never_hang(
    events: list[tuple[str, float]],
) -> None:
    """Whatever happens: one probe at a time, and a healthy server is dialed again in the end."""
    breaker, now, probes = Breaker(), 0.0, 0
    for event, seconds in events:
        now += seconds
        before = breaker.state
        if isinstance(event, Trouble):
            breaker.saw(event, now)
        elif event == "place":
            if breaker.may_place(now):
                probes += breaker.state is HALF_OPEN
                breaker.placed(now)
        else:
            getattr(breaker, event)()
        if breaker.state is not HALF_OPEN or event == "unplaced":
            probes = 0
        assert probes <= 1
        between = BREAKER_TRANSITIONS[before] | {before}
        assert breaker.state in between or HALF_OPEN in between
        assert (breaker.trouble is None) == (breaker.state is CLOSED) or breaker.state is CLOSED
    breaker.link_up()
    if not breaker.may_place(now + LONGEST_PAUSE):
        breaker.unplaced()  # its probe came to nothing
    assert breaker.may_place(now + LONGEST_PAUSE)
    breaker.placed(now)
    breaker.answered()
    breaker.reported()
    assert breaker.state is CLOSED


def test_every_state_has_its_row() -> None:
    assert set(BREAKER_TRANSITIONS) == set(BreakerState)
    assert set(TOLERATED) == set(Trouble)
