"""What the planner knows of servers and clients."""

import pytest

from dialer.picture import ClientState, ServerState
from tests.unit.dialer.builders import make_client, make_server


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        ({}, True),
        ({"up": False}, False),
        ({"ours": False}, False),
        ({"server": make_server(1, paused=True)}, False),
        ({"server": make_server(1, removed=True)}, False),
    ],
)
def test_a_server_takes_calls_when_nothing_speaks_against_it(
    changes: dict[str, object], ready: bool
) -> None:
    state = ServerState(make_server(1), up=True)
    for name, value in changes.items():
        setattr(state, name, value)
    assert state.ready is ready


def test_an_id_that_begins_a_live_one_is_refused() -> None:
    state = ServerState(make_server(1), live_ids=["call-10", "other"])
    assert state.refuses("CALL-1")
    assert not state.refuses("call-2")
    assert not state.refuses("zzz")


def test_a_refused_client_is_asked_for_one_slot_then_for_more_each_time() -> None:
    client = ClientState(make_client(1, allocated_channels=4))
    assert client.has_room
    assert client.opens_at() == float("-inf")
    client.refuse(12.5)
    assert client.opens_at() == 12.5
    asked = []
    for _ in range(3):
        client.asked = 0
        while client.has_room and client.asked < 4:
            client.asked += 1
        asked.append(client.asked)
        client.grant()
    assert asked == [1, 2, 4]


def test_a_client_without_room_has_none_however_little_is_asked() -> None:
    client = ClientState(make_client(1, allocated_channels=2), live=2)
    assert not client.has_room
