"""The lifecycle tables: complete, and no way out of an end."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import IllegalTransition
from dialer.states import (
    ATTEMPT_TRANSITIONS,
    DELIVERY_TRANSITIONS,
    ITEM_TRANSITIONS,
    QUEUE_TRANSITIONS,
    AttemptState,
    DeliveryState,
    ItemStatus,
    QueueStatus,
    check_transition,
)

TABLES: list[tuple[type[StrEnum], dict[StrEnum, set[StrEnum]]]] = [
    (QueueStatus, QUEUE_TRANSITIONS),  # type: ignore[list-item]
    (ItemStatus, ITEM_TRANSITIONS),  # type: ignore[list-item]
    (AttemptState, ATTEMPT_TRANSITIONS),  # type: ignore[list-item]
    (DeliveryState, DELIVERY_TRANSITIONS),  # type: ignore[list-item]
]
TERMINAL = {
    ItemStatus.PROCESSED,
    ItemStatus.TERMINATED,
    AttemptState.ENDED,
    DeliveryState.DELIVERED,
}


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_every_state_has_its_row(states: type[StrEnum], table: dict[StrEnum, set[StrEnum]]) -> None:
    assert set(table) == set(states)


@given(st.sampled_from(TABLES), st.lists(st.integers(0, 5), max_size=20))
def test_random_walks_stay_in_the_table_and_ends_stay_ends(
    chosen: tuple[type[StrEnum], dict[StrEnum, set[StrEnum]]], steps: list[int]
) -> None:
    states, table = chosen
    every = list(states)
    state = every[0]
    for step in steps:
        wanted = every[step % len(every)]
        try:
            check_transition(table, state, wanted)
        except IllegalTransition:
            assert wanted not in table[state]
            continue
        assert state not in TERMINAL
        state = wanted


def test_an_illegal_move_names_both_states() -> None:
    with pytest.raises(IllegalTransition, match="processed to pending"):
        check_transition(ITEM_TRANSITIONS, ItemStatus.PROCESSED, ItemStatus.PENDING)
