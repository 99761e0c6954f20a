"""Redis flushed, restarted, killed and hung: a pause that grants nothing, then all as it was."""

import asyncio
import time

import pytest

from dialer.coordination.contract import Held, HeldSlot, Verdict
from tests.crew import QUICK, Crew, Worker, until

pytestmark = pytest.mark.realtime


async def hire_two(crew: Crew) -> tuple[Worker, Worker]:
    """One drives server 1, the other 2."""
    one, two = await crew.hire(1), await crew.hire(2)
    await until(lambda: one.may_write(1) and two.may_write(2))
    return one, two


async def test_a_flush_closes_until_all_authority_has_ended_and_what_is_held_comes_back() -> None:
    async with Crew() as crew:
        one, two = await hire_two(crew)
        assert (await one.take(7, server=1, limit=3, channel="not-yet-on-disk"))[0] is (
            Verdict.GRANTED
        )
        crew.stored = Held((HeldSlot(7, 2, "on-disk", 0.0),), ())
        two.coordinator.hold(2, crew.stored.slots)
        latest = max(one.coordinator.may_write_until(1), two.coordinator.may_write_until(2))
        crew.redis.command("FLUSHALL")
        await until(lambda: one.coordinator.trouble and two.coordinator.trouble)
        assert (await one.take(7))[0] is Verdict.CLOSED
        assert (await two.take(7, server=2))[0] is Verdict.CLOSED
        assert not one.may_write(1), "at once: it was heard"
        assert not two.may_write(2)
        await until(lambda: one.may_write(1) and two.may_write(2))
        assert time.monotonic() > latest
        assert await one.coordinator.live() == {7: 2}
        assert (await two.take(7, server=2, limit=3))[0] is Verdict.GRANTED
        assert (await two.take(7, server=2, limit=3))[0] is Verdict.FULL
        assert one.hands.log == [("granted", 1)], "its calls stay its own"
        assert two.hands.log == [("granted", 2)]


async def test_a_slot_freed_while_it_is_closed_is_free() -> None:
    async with Crew() as crew:
        one, _ = await hire_two(crew)
        _, channel = await one.take(7)
        crew.redis.command("FLUSHALL")
        await until(lambda: one.coordinator.trouble)
        one.coordinator.free(channel)
        await until(lambda: one.may_write(1))
        assert await one.coordinator.live() == {}


async def test_a_restart_without_memory_is_rebuilt() -> None:
    async with Crew() as crew:
        one, two = await hire_two(crew)
        _, channel = await one.take(7)
        rebuilds = crew.rebuilds
        crew.redis.kill()
        await until(lambda: not one.may_write(1) and not two.may_write(2))
        one.coordinator.free(channel)
        assert "cannot be used" in str(one.coordinator.trouble)
        assert (await one.take(7))[0] is Verdict.CLOSED
        rooms = one.hands.rooms
        crew.redis.start()
        await until(lambda: one.may_write(1) and two.may_write(2))
        assert crew.rebuilds > rebuilds
        assert one.hands.rooms > rooms
        assert await one.coordinator.live() == {}, "freed while nobody could be told"
        assert one.hands.log == [("granted", 1)]


async def test_a_restart_with_an_old_memory_is_rebuilt_too() -> None:
    async with Crew("--save", "3600 1") as crew:
        one, _ = await hire_two(crew)
        _, old = await one.take(7)
        crew.redis.command("SAVE")
        one.coordinator.free(old)
        assert (await one.take(8, limit=1))[0] is Verdict.GRANTED
        crew.redis.kill()
        crew.redis.start()
        await until(lambda: one.coordinator.trouble)
        await until(lambda: one.coordinator.trouble is None)
        assert await one.coordinator.live() == {8: 1}
        assert (await one.take(8, limit=1))[0] is Verdict.FULL


async def test_a_quick_restart_gives_no_authority_before_the_old_one_has_ended() -> None:
    async with Crew() as crew:
        one, two = await hire_two(crew)
        started = time.monotonic()
        crew.redis.kill()
        crew.redis.start()
        again = await crew.hire(1, 2)
        assert again.coordinator.trouble is not None
        await until(lambda: two.coordinator.may_write_until(2) > started + QUICK.valid)
        assert two.coordinator.may_write_until(2) > started + 2 * QUICK.valid
        await until(lambda: one.may_write(1))


async def test_a_hung_redis_closes_everything_in_time_and_goes_on_as_it_was() -> None:
    async with Crew() as crew:
        one, two = await hire_two(crew)
        rebuilds = crew.rebuilds
        assert (await one.take(7, limit=2, channel="kept"))[0] is Verdict.GRANTED
        crew.redis.freeze()
        asked = time.monotonic()
        late = asyncio.ensure_future(one.take(7, limit=2, channel="late"))
        assert (await late)[0] is Verdict.CLOSED
        assert time.monotonic() - asked < QUICK.timeout + 5
        await until(lambda: not one.may_write(1) and not two.may_write(2))
        one.coordinator.free("kept")
        crew.redis.thaw()
        await until(lambda: one.may_write(1) and two.may_write(2))
        assert crew.rebuilds == rebuilds, "nothing was lost"
        for _ in range(1000):
            if await two.coordinator.live() == {}:
                break
        assert await two.coordinator.live() == {}, "neither the freed one nor the late one is left"
        assert one.hands.log == [("granted", 1)]


async def test_a_worker_that_comes_back_after_others_opened_has_lost_its_servers() -> None:
    async with Crew() as crew:
        one, two = await hire_two(crew)
        assert (await one.take(7, limit=1, channel="nobody-knows"))[0] is Verdict.GRANTED
        await one.freeze()
        crew.redis.command("FLUSHALL")
        await until(lambda: two.coordinator.trouble)
        await until(lambda: two.coordinator.trouble is None)
        assert (await two.take(7, server=2, limit=1))[0] is Verdict.GRANTED
        one.wake()
        await until(lambda: ("lost", 1) in one.hands.log)
        await until(lambda: one.hands.log[-1] == ("granted", 1))
        assert await one.coordinator.live() == {7: 1}
        assert (await one.take(7, limit=1))[0] is Verdict.FULL


async def test_forgotten_scripts_are_brought_again(caplog: pytest.LogCaptureFixture) -> None:
    async with Crew() as crew:
        one, _ = await hire_two(crew)
        crew.redis.command("SCRIPT", "FLUSH")
        await until(lambda: "Redis cannot be used" in caplog.text)  # over within milliseconds
        await until(lambda: one.coordinator.trouble is None and one.may_write(1))
        assert (await one.take(7))[0] is Verdict.GRANTED


async def test_strays_at_redis_are_swept_and_what_it_lacks_is_put_back() -> None:
    async with Crew() as crew:
        one, _ = await hire_two(crew)
        _, channel = await one.take(7)
        crew.redis.command("HSET", "dialer:on:1", "stray", "9")
        crew.redis.command("HSET", "dialer:counts", "9", "1")
        crew.redis.command("HDEL", "dialer:on:1", channel)
        crew.redis.command("HDEL", "dialer:counts", "7")
        await until(lambda: crew.redis.get_value("HGET", "dialer:on:1", "stray") == b"")
        await until(lambda: crew.redis.get_value("HGET", "dialer:counts", "7") == b"1")
        assert await one.coordinator.live() == {7: 1}
