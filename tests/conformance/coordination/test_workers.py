"""Several workers: who has which server, when one comes, leaves, dies or stands still."""

import asyncio
import time

import pytest

from dialer.coordination.contract import HeldSlot, Verdict
from tests.crew import QUICK, Crew, Worker, until
from tests.cutting_proxy import CuttingProxy

pytestmark = pytest.mark.realtime


def share(workers: list[Worker], *servers: int) -> bool:
    """Whether every server has one who may write, evenly."""
    having = [{s for s in servers if worker.may_write(s)} for worker in workers]
    sizes = [len(have) for have in having]
    return sum(sizes) == len(set().union(*having)) == len(servers) and max(sizes) - min(sizes) <= 1


async def test_servers_spread_evenly_and_move_when_workers_come_and_go() -> None:
    async with Crew() as crew:
        one = await crew.hire(1, 2, 3, 4)
        await until(lambda: one.hands.servers == {1, 2, 3, 4})
        two = await crew.hire(1, 2, 3, 4)
        await until(lambda: share([one, two], 1, 2, 3, 4))
        three = await crew.hire(1, 2, 3, 4)
        await until(lambda: share([one, two, three], 1, 2, 3, 4))
        moves = [word for worker in (one, two, three) for word, _ in worker.hands.log]
        assert moves.count("given") == 3, "two for the second, one for the third"
        assert moves.count("lost") == 0
        await two.freeze()
        await two.coordinator.close()
        await until(lambda: share([one, three], 1, 2, 3, 4))


async def test_who_is_slow_to_give_up_keeps_the_server_and_is_asked_once() -> None:
    async with Crew() as crew:
        one = await crew.hire(1, 2)
        one.hands.prompt = False
        await until(lambda: one.hands.servers == {1, 2})
        wanted = one.hands.wanted
        two = await crew.hire(1, 2)
        await until(lambda: wanted)
        beats = int(crew.redis.get_value("HGET", "dialer:beats", "w1"))
        await until(lambda: int(crew.redis.get_value("HGET", "dialer:beats", "w1")) > beats + 5)
        assert wanted == [1]
        assert one.may_write(1)
        assert two.hands.servers == set()
        await one.coordinator.give_up(1)
        await until(lambda: two.may_write(1))


async def test_a_server_that_its_owner_cannot_drive_goes_to_one_who_can() -> None:
    async with Crew() as crew:
        one = await crew.hire(1, 2)
        await until(lambda: one.hands.servers == {1, 2})
        two = await crew.hire(1, 2)
        await until(lambda: share([one, two], 1, 2))
        (mine,), (yours,) = one.hands.servers, two.hands.servers
        one.coordinator.offer((1, 2), doubtful=(1, 2))
        await until(lambda: two.may_write(1) and two.may_write(2))
        assert one.hands.log[-1] == ("given", mine)
        two.coordinator.offer((1, 2), doubtful=(1, 2))
        beats = int(crew.redis.get_value("HGET", "dialer:beats", "w1"))
        await until(lambda: int(crew.redis.get_value("HGET", "dialer:beats", "w1")) > beats + 20)
        assert two.hands.servers == {1, 2}, "nobody can"
        one.coordinator.offer((1, 2), doubtful=(mine,))
        await until(lambda: one.may_write(yours))
        assert two.may_write(mine)


async def test_a_dead_workers_servers_are_taken_over_after_its_authority_has_ended() -> None:
    async with Crew() as crew:
        dead = await crew.hire(1)
        await until(lambda: dead.may_write(1))
        heir = await crew.hire(1)
        assert (await dead.take(7, channel="on-disk"))[0] is Verdict.GRANTED
        assert (await dead.take(7, channel="never-stored"))[0] is Verdict.GRANTED
        heir.hands.calls = (HeldSlot(7, 1, "on-disk", 0.0),)
        until_then = dead.coordinator.may_write_until(1)
        died = time.monotonic()
        await dead.freeze()
        assert await heir.coordinator.live() == {7: 2}, "counted until somebody knows better"
        await until(lambda: heir.may_write(1))
        assert heir.hands.granted_at[1] > until_then
        assert QUICK.dead < heir.hands.granted_at[1] - died + 2 * QUICK.beat
        assert await settled(heir) == {7: 1}, "what never was a call is swept"


async def settled(worker: Worker) -> dict[int, int]:
    """What is counted after a sweep."""
    rooms: list[dict[int, int]] = []

    async def look() -> None:
        rooms.append(await worker.coordinator.live())

    await look()
    while rooms[-1] == {7: 2}:
        await look()
    return rooms[-1]


async def test_a_worker_that_stood_still_wakes_without_authority_and_is_told_its_loss() -> None:
    async with Crew() as crew:
        frozen = await crew.hire(1)
        await until(lambda: frozen.may_write(1))
        heir = await crew.hire(1)
        await frozen.freeze()
        await until(lambda: not frozen.may_write(1))
        await until(lambda: heir.may_write(1))
        frozen.wake()
        await until(lambda: frozen.hands.log[-1] == ("lost", 1))
        assert not frozen.may_write(1)
        assert crew.writers(1) == [heir]


async def test_a_worker_that_stood_still_and_was_not_missed_goes_on() -> None:
    async with Crew() as crew:
        frozen = await crew.hire(1)
        await until(lambda: frozen.may_write(1))
        await frozen.freeze()
        await until(lambda: not frozen.may_write(1))
        frozen.wake()
        await until(lambda: frozen.may_write(1))
        assert frozen.hands.log == [("granted", 1)]


async def test_a_worker_cut_off_from_redis_stops_by_itself_and_comes_back() -> None:
    async with Crew() as crew, CuttingProxy(crew.redis.port) as proxy:
        cut = await crew.hire(1, 2, url=f"redis://127.0.0.1:{proxy.port}")
        await until(lambda: cut.hands.servers == {1, 2})
        other = await crew.hire(1, 2)
        await until(lambda: share([cut, other], 1, 2))
        mine = min(cut.hands.servers)
        proxy.frozen = True
        taking = asyncio.ensure_future(cut.take(7, server=mine))
        assert (await taking)[0] is Verdict.CLOSED
        assert "cannot be used" in str(cut.coordinator.trouble) or not cut.coordinator.trouble
        await until(lambda: not cut.may_write(mine))
        assert ("lost", mine) not in cut.hands.log, "nobody told it so"
        await until(lambda: other.hands.servers == {1, 2})
        assert "cannot be used" in str(cut.coordinator.trouble)
        proxy.frozen = False
        proxy.cut()
        await until(lambda: ("lost", mine) in cut.hands.log)
        await until(lambda: share([cut, other], 1, 2))
        assert cut.coordinator.trouble is None


async def test_the_first_who_is_back_at_redis_takes_nothing_from_the_others() -> None:
    async with (
        Crew() as crew,
        CuttingProxy(crew.redis.port) as early,
        CuttingProxy(crew.redis.port) as late,
    ):
        first = await crew.hire(1, 2, url=f"redis://127.0.0.1:{early.port}")
        await until(lambda: first.hands.servers == {1, 2})
        second = await crew.hire(1, 2, url=f"redis://127.0.0.1:{late.port}")
        await until(lambda: share([first, second], 1, 2))
        late.frozen = True
        beats = int(crew.redis.get_value("HGET", "dialer:beats", "w0"))
        await until(lambda: int(crew.redis.get_value("HGET", "dialer:beats", "w0")) > beats + 2)
        early.frozen = True  # it saw the last that the other one said
        gone = time.monotonic()
        await until(lambda: time.monotonic() > gone + QUICK.dead + 2 * QUICK.timeout)
        assert crew.writers(1) == crew.writers(2) == []
        moves = [list(worker.hands.log) for worker in (first, second)]
        early.frozen = False
        early.cut()
        await until(lambda: first.may_write(min(first.hands.servers)))
        late.frozen = False
        late.cut()
        await until(lambda: share([first, second], 1, 2))
        assert [worker.hands.log for worker in (first, second)] == moves


async def test_another_workers_freed_slot_makes_room_at_once() -> None:
    async with Crew() as crew:
        one = await crew.hire(1, 2)
        await until(lambda: one.hands.servers == {1, 2})
        two = await crew.hire(1, 2)
        await until(lambda: share([one, two], 1, 2))
        mine, yours = min(one.hands.servers), min(two.hands.servers)
        verdict, channel = await one.take(7, server=mine, limit=1)
        assert verdict is Verdict.GRANTED
        assert (await two.take(7, server=yours, limit=1))[0] is Verdict.FULL
        one.coordinator.free(channel)
        for _ in range(1000):
            if (await two.take(7, server=yours, limit=1))[0] is Verdict.GRANTED:
                break
        assert await one.coordinator.live() == {7: 1}
