"""Workers that come and go: servers move with their live calls, nothing rings twice, no cap is
exceeded."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from tests.acceptance.fleet import SHORT, TIMING, Fleet, until
from tests.held_calls import HELD
from tests.patience import PATIENCE

pytestmark = pytest.mark.realtime


async def test_a_worker_that_comes_gets_a_server_with_its_live_calls(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first = await fleet.hire()
        await until(lambda: first.servers == {1, 2})
        await fleet.load(4, HELD)
        await until(lambda: fleet.live == 8)
        second = await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        assert first.engine.worker.live_calls == second.engine.worker.live_calls == 4
        await fleet.hang_up()
        ended = await fleet.until_ended(8)
        assert ended == {"answered": 8}
        assert fleet.originates == 8
        cdrs = [cdr for _, cdr in await fleet.store.cdrs(None, 0, 100)]
        assert not any(cdr.end_estimated for cdr in cdrs), "each end was seen by who had it"


async def test_a_worker_that_ends_hands_over_in_order(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        await fleet.load(10, SHORT)
        talking = await fleet.load(3, HELD)
        await until(lambda: fleet.live > 0)
        assert await first.retire() == []
        await until(lambda: second.servers == {1, 2})
        await until(lambda: fleet.originates == 26)
        await fleet.hang_up()
        ended = await fleet.until_ended(26)
        assert fleet.originates == 26
        # Those that end while nobody is connected, some ms long, leave no trace in AMI.
        assert set(ended) <= {"answered", "unknown"}
        assert await fleet.ended(talking) == {"answered": 6}


async def test_a_second_signal_ends_a_hand_over_at_once(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        handing = asyncio.Event()

        async def never_ends() -> None:
            handing.set()
            await asyncio.get_running_loop().create_future()

        first.engine.ownership.hand_over_all = never_ends  # type: ignore[method-assign]
        draining = asyncio.create_task(first.engine.drain(3600.0))
        await asyncio.wait_for(handing.wait(), PATIENCE)
        first.engine.stop_waiting(0.0)
        assert await asyncio.wait_for(draining, PATIENCE) == []


async def test_the_last_worker_waits_for_its_calls(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        only = await fleet.hire()
        await until(lambda: only.servers == {1, 2})
        await fleet.load(2, HELD)
        await until(lambda: fleet.live == 4)
        retiring = asyncio.create_task(only.retire())
        await until(lambda: only.engine._draining)
        assert await fleet.ended() == {}
        await fleet.hang_up()
        assert await retiring == []
        assert await fleet.ended() == {"answered": 4}


async def test_a_dead_workers_calls_are_followed_and_none_is_placed_again(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        talking = await fleet.load(5, HELD)
        await until(lambda: fleet.live == 10)
        await fleet.load(10, SHORT)
        await first.die()
        await until(lambda: second.servers == {1, 2})
        await until(lambda: fleet.originates == 30)
        await fleet.hang_up()
        ended = await fleet.until_ended(30)
        assert fleet.originates == 30
        assert set(ended) <= {"answered", "unknown"}
        # Those that it had just sent may be over when they are asked for: that is not known then.
        assert await fleet.ended(talking) == {"answered": 10}


async def test_who_lost_the_database_leaves_its_server_to_one_who_has_it(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        first.way.cut = True
        await until(lambda: second.servers == {1, 2})
        assert first.servers == set()
        await fleet.load(4, SHORT)
        assert await fleet.until_ended(8) == {"answered": 8}
        first.way.cut = False
        third = await fleet.hire()
        await until(lambda: len(second.servers) == len(third.servers) == 1)
        assert first.engine.ownership.stages == {}, "it rests"


async def test_who_can_note_nothing_leaves_its_server_to_one_who_can(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        first.way.full = True
        await fleet.load(4, SHORT)
        assert await fleet.until_ended(8) == {"answered": 8}
        assert (first.servers, second.servers) == (set(), {1, 2})


async def test_while_nobody_has_the_database_no_server_moves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        had = [first.servers, second.servers]
        tenures = [dict(hand.engine.ownership._held) for hand in (first, second)]
        caplog.clear()
        first.way.cut = second.way.cut = True

        def told() -> int:
            return sum("left to workers" in record.message for record in caplog.records)

        await until(lambda: told() == 2)
        doubted = time.monotonic()
        await until(lambda: time.monotonic() > doubted + 2 * TIMING.spare)
        first.way.cut = second.way.cut = False
        await until(lambda: told() == 4)
        assert [first.servers, second.servers] == had
        assert [hand.engine.ownership._held for hand in (first, second)] == tenures
        await fleet.load(2, SHORT)
        assert await fleet.until_ended(4) == {"answered": 4}


async def test_who_cannot_reach_an_asterisk_leaves_it_to_one_who_can(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        (lost,) = first.servers
        first.lose_way_to(lost, find_dead_port())
        # It takes the other one for that.
        await until(lambda: second.servers == {lost} and first.servers == {3 - lost})
        await fleet.load(4, SHORT)
        assert await fleet.until_ended(8) == {"answered": 8}


def find_dead_port() -> int:
    """Where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_clients_channels_are_kept_over_all_workers(tmp_path: Path) -> None:
    async with Fleet(tmp_path, channels=3) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        await fleet.load(15, SHORT)
        most = 0

        def look() -> bool:
            nonlocal most
            most = max(most, fleet.live)
            return fleet.originates == 30

        await until(look)
        assert most == 3
        assert await fleet.until_ended(30) == {"answered": 30}
        for asterisk in fleet.asterisks:
            assert asterisk.counters.originates == 15


async def test_a_redis_that_lost_everything_costs_a_pause_and_no_call(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        first, second = await fleet.hire(), await fleet.hire()
        await until(lambda: len(first.servers) == len(second.servers) == 1)
        await fleet.load(4, HELD)
        await until(lambda: fleet.live == 8)
        fleet.redis.command("FLUSHALL")
        await until(lambda: first.coordinator.trouble is not None)
        await fleet.load(4, SHORT)
        await until(lambda: first.coordinator.trouble is None)
        assert fleet.originates >= 8
        await fleet.hang_up()
        assert await fleet.until_ended(16) == {"answered": 16}
        assert fleet.originates == 16
