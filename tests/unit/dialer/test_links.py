"""Links: one a server, where its settings say."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ami import LinkState
from dialer.links import DELIVERY_SECONDS, Links, LinksParts
from dialer.server_link import ServerLink
from tests.unit.dialer.builders import make_server
from tests.unit.dialer.worker_floor import Floor

SERVER = make_server(1, secret_env="LINKS_SECRET", port=1)


class Rack:
    def __init__(self, *, shared: bool) -> None:
        self.floor = Floor()
        self.live: dict[int, ServerLink] = {}
        self.links = Links(
            LinksParts(
                clock=self.floor.clock,
                planner=self.floor.planner,
                worker=self.floor.worker,
                links=self.live,
                max_call_duration=7200,
                shared=shared,
                tap_of=lambda code: None,
            )
        )


@pytest.fixture
def shared() -> bool:
    """Whether other workers may take the server over."""
    return False


@pytest.fixture
async def rack(monkeypatch: pytest.MonkeyPatch, shared: bool) -> AsyncIterator[Rack]:
    monkeypatch.setenv("LINKS_SECRET", "dialer-lab")
    rack = Rack(shared=shared)
    async with asyncio.TaskGroup() as tasks:
        rack.links.run_in(tasks)
        yield rack
        for server_id in list(rack.live):
            rack.links.end(server_id)
        rack.links.run_in(None)


async def test_a_link_is_kept_while_its_address_is_the_same(rack: Rack) -> None:
    rack.links.keep(SERVER)
    first = rack.live[1]
    rack.links.keep(replace(SERVER, max_channels=3))
    assert rack.live[1] is first
    assert first.server.max_channels == 3
    rack.links.keep(replace(SERVER, port=2))
    assert rack.live[1] is not first
    assert rack.links.states == {"pbx1": "down"}


@pytest.mark.parametrize(("shared", "seconds"), [(False, None), (True, DELIVERY_SECONDS)])
async def test_only_where_workers_share_a_few_dead_seconds_end_a_link(
    rack: Rack, seconds: float | None
) -> None:
    rack.links.keep(SERVER)
    assert rack.live[1]._client._timing.delivery_timeout == seconds


async def test_an_ended_link_is_closed_and_its_server_down(rack: Rack) -> None:
    rack.links.keep(SERVER)
    assert rack.floor.planner.is_up(1)  # as the floor has it
    closed = rack.links.end(1)
    assert closed is not None
    await asyncio.wait([closed])
    assert not rack.floor.planner.is_up(1)
    assert (rack.live, rack.links.states) == ({}, {})
    assert rack.links.end(1) is None


async def test_a_missing_secret_is_told_once_until_it_is_there(
    rack: Rack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("LINKS_SECRET")
    caplog.set_level(logging.ERROR)
    for _ in range(2):
        rack.links.keep(SERVER)
    assert rack.live == {}
    assert "LINKS_SECRET" in rack.links.states["pbx1"]
    assert len(caplog.records) == 1
    monkeypatch.setenv("LINKS_SECRET", "dialer-lab")
    address = rack.links.find_address(SERVER)
    assert address is not None
    assert address.secret == "dialer-lab"
    assert rack.links.states == {}


async def test_a_removed_server_is_left_when_it_has_no_calls(rack: Rack) -> None:
    rack.links.keep(SERVER)
    rack.links.end_removed()
    assert list(rack.live) == [1]
    rack.live[1].server = replace(SERVER, removed=True)
    rack.links.end_removed()
    assert rack.live == {}


async def test_what_is_wrong_with_a_server_stands_in_place_of_its_link(rack: Rack) -> None:
    rack.links.keep(SERVER)
    rack.links.complain(1, "somebody else owns it")
    assert rack.links.states == {"pbx1": "somebody else owns it"}
    rack.links.complain(1, None)
    assert rack.links.states == {"pbx1": "down"}


async def test_an_asterisk_that_shuts_down_is_heard_to_its_end(rack: Rack) -> None:
    rack.links.keep(SERVER)
    heard = {}
    for state in LinkState:
        rack.live[1].state = state.value
        heard[state] = rack.links.hears(1)
    assert {state for state in heard if heard[state]} == {LinkState.UP, LinkState.SHUTTING_DOWN}
    rack.links.end(1)
    assert not rack.links.hears(1)
