"""Many timers on one of the loop's."""

import asyncio

from ami.simulator.timers import Timers
from tests.patience import PATIENCE


async def test_order_and_cancel() -> None:
    timers, seen = Timers(), list[str]()
    done = asyncio.Event()
    timers.after(0.006, done.set)
    timers.after(0.003, lambda: seen.append("late"))
    timers.after(0.0, lambda: seen.append("soon"))
    timers.after(0.001, lambda: seen.append("never")).cancel()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert seen == ["soon", "late"]


async def test_a_timer_may_set_another() -> None:
    timers, done = Timers(), asyncio.Event()

    def set_another() -> None:
        timers.after(0.0, done.set)

    timers.after(0.0, set_another)
    await asyncio.wait_for(done.wait(), PATIENCE)


async def test_clear_forgets_everything() -> None:
    timers, seen = Timers(), list[str]()
    timers.after(0.0, lambda: seen.append("never"))
    timers.clear()
    done = asyncio.Event()
    timers.after(0.001, done.set)
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert seen == []
