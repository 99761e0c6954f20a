"""A worker's life over a real Redis; many of them at once: tests/conformance/coordination."""

import asyncio
import itertools
import time
from pathlib import Path

import pytest

from dialer.coordination.address import parse_address
from dialer.coordination.contract import Held, HeldSlot, Verdict
from dialer.coordination.redis import RedisCoordinator
from dialer.coordination.scripts import Script
from dialer.errors import CoordinationUnavailable
from tests.crew import QUICK, Crew, until

pytestmark = pytest.mark.realtime


async def test_the_first_worker_waits_until_nobody_can_have_authority_then_rebuilds() -> None:
    async with Crew() as crew:
        crew.stored = Held((HeldSlot(7, 1, "live-one", 0.0),), ())
        began = time.monotonic()
        worker = await crew.hire(1, 2)
        assert "rebuilt from the database" in str(worker.coordinator.trouble)
        assert (await worker.take(7))[0] is Verdict.CLOSED
        worker.hands.calls = crew.stored.slots
        await until(lambda: worker.hands.servers == {1, 2})
        assert worker.hands.granted_at[1] - began >= QUICK.valid + QUICK.margin
        assert crew.rebuilds == 1
        assert worker.coordinator.trouble is None
        assert worker.hands.rooms > 0
        assert await worker.coordinator.live() == {7: 1}
        assert 0 < worker.coordinator.may_write_until(1) - time.monotonic() <= QUICK.valid
        assert worker.coordinator.may_write_until(3) == float("-inf")


async def test_a_slot_is_held_until_it_is_freed_and_limits_hold() -> None:
    async with Crew() as crew:
        worker = await crew.hire(1)
        await until(lambda: worker.may_write(1))
        taken = await asyncio.gather(*(worker.take(5, limit=3) for _ in range(5)))
        assert [verdict for verdict, _ in taken].count(Verdict.GRANTED) == 3
        assert await worker.coordinator.live() == {5: 3}
        assert (await worker.take(5, limit=3))[0] is Verdict.FULL
        rooms = worker.hands.rooms
        worker.coordinator.free(taken[0][1])
        await until(lambda: worker.hands.rooms > rooms)
        assert (await worker.take(5, limit=3))[0] is Verdict.GRANTED
        assert (await worker.take(5, server=2))[0] is Verdict.CLOSED, "not its server"
        again = await worker.take(5, limit=3, channel=taken[1][1])
        assert again[0] is Verdict.GRANTED, "it has that one already"
        assert await worker.coordinator.live() == {5: 3}


async def test_a_full_client_is_asked_for_again_even_if_nothing_is_heard() -> None:
    async with Crew() as crew:
        worker = await crew.hire(1)
        await until(lambda: worker.may_write(1))
        rooms = worker.hands.rooms
        assert (await worker.take(5, limit=0))[0] is Verdict.FULL
        await until(lambda: worker.hands.rooms > rooms)


async def test_turns_without_a_limit_need_nobody() -> None:
    async with Crew() as crew:
        worker = crew.make()
        turn = await worker.turn(1, None)
        assert turn is not None
        assert turn.not_before < time.monotonic() < turn.not_after
        assert await worker.turn(1, 10.0) is None, "nobody can be asked"


async def test_turns_are_spaced_and_no_more_slots_are_granted_than_turns_come_soon() -> None:
    async with Crew() as crew:
        worker = await crew.hire(1)
        await until(lambda: worker.may_write(1))
        await until(lambda: int(crew.redis.get_value("HGET", "dialer:beats", "w0")) > 20)
        turns = [await worker.turn(5, 20.0) for _ in range(6)]
        starts = [turn.not_before for turn in turns if turn is not None]
        assert len(starts) == 6
        for one, other in itertools.pairwise(starts):
            assert other - one == pytest.approx(1.035 / 20, abs=0.005)
        verdict, _ = await worker.take(5, cps=20.0)
        assert verdict is Verdict.FULL, "the line is long enough"
        rooms = worker.hands.rooms
        await until(lambda: worker.hands.rooms > rooms)


async def test_a_sweep_that_is_slow_stops_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Crew() as crew:
        worker = await crew.hire(1, 2)
        await until(lambda: worker.may_write(1))
        session = worker.coordinator._session
        assert session is not None
        run, swept = session.run, asyncio.Event()

        async def run_slowly(script: Script, *words: str) -> str:
            if script is Script.READ:
                swept.set()
                await asyncio.get_running_loop().create_future()
            return await run(script, *words)

        monkeypatch.setattr(session, "run", run_slowly)
        await asyncio.wait_for(swept.wait(), 10)
        stood_at = time.monotonic()
        await until(lambda: time.monotonic() > stood_at + 2 * QUICK.valid)
        assert worker.may_write(1)


async def test_where_nobody_listens_it_cannot_be_opened() -> None:
    async with Crew() as crew:
        crew.redis.kill()
        coordinator = crew.make().coordinator
        with pytest.raises(CoordinationUnavailable, match=r"Redis at 127\.0\.0\.1:\d+ cannot"):
            await coordinator.open()
        assert coordinator.trouble is not None


@pytest.mark.parametrize(
    ("setting", "word"), [("maxmemory", "noeviction"), ("replicaof", "is a replica")]
)
async def test_a_redis_that_loses_or_refuses_keys_is_not_used(setting: str, word: str) -> None:
    async with Crew() as crew:
        if setting == "maxmemory":
            crew.redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            crew.redis.command("CONFIG", "SET", "maxmemory", "100mb")
        else:
            crew.redis.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(CoordinationUnavailable, match=word):
            await crew.make().coordinator.open()


async def test_a_database_that_cannot_be_read_keeps_the_epoch_closed_and_is_asked_again() -> None:
    async with Crew() as crew:
        crew.unreadable = OSError("the disk is away")
        worker = await crew.hire(1)
        await until(lambda: crew.rebuilds >= 2)
        assert "the disk is away" in str(worker.coordinator.trouble)
        assert not worker.may_write(1)
        crew.unreadable = None
        await until(lambda: worker.may_write(1))
        assert worker.coordinator.trouble is None


async def test_who_leaves_gives_its_servers_back_at_once() -> None:
    async with Crew() as crew:
        one = await crew.hire(1)
        await until(lambda: one.may_write(1))
        two = await crew.hire(1)
        await one.freeze()
        left = time.monotonic()
        await one.coordinator.close()
        assert not one.may_write(1)
        await until(lambda: two.may_write(1))
        assert two.hands.granted_at[1] - left < QUICK.dead


async def test_what_a_stopped_worker_asks_is_closed() -> None:
    async with Crew() as crew:
        worker = await crew.hire(1)
        await until(lambda: worker.may_write(1))
        await worker.freeze()
        await worker.coordinator.close()
        assert (await worker.take(1))[0] is Verdict.CLOSED
        assert await worker.coordinator.live() == {}
        await worker.coordinator.close()


async def test_two_databases_of_one_redis_know_nothing_of_each_other() -> None:
    async with Crew() as crew:
        one = await crew.hire(1)
        await until(lambda: one.may_write(1))
        address = parse_address(f"redis://127.0.0.1:{crew.redis.port}/5")
        other = RedisCoordinator(address, crew.rebuild, timing=QUICK)
        await other.open()
        assert other.trouble is not None, "an epoch of its own"
        assert one.coordinator.trouble is None
        await other.close()


async def test_a_user_with_the_documented_rights_is_enough() -> None:
    page = Path(__file__).parents[4] / "docs" / "coordination.md"
    rights = page.read_text(encoding="utf-8").partition("A user for it needs: `")[2]
    async with Crew() as crew:
        words = rights.partition("`")[0].split()
        answer = crew.redis.command("ACL", "SETUSER", "dialer", "on", ">pw", "resetkeys", *words)
        assert answer == b"+OK\r\n"
        url = f"redis://dialer:pw@127.0.0.1:{crew.redis.port}"
        worker = await crew.hire(1, url=url)
        await until(lambda: worker.may_write(1))
        verdict, channel = await worker.take(7)
        assert verdict is Verdict.GRANTED
        worker.coordinator.free(channel)
        await until(lambda: crew.redis.command("HGETALL", "dialer:counts") == b"*0\r\n")
        await worker.freeze()
        await worker.coordinator.close()
        assert crew.redis.get_value("HGET", "dialer:beats", "w0") == b""
