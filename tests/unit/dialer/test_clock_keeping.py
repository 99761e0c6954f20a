"""A step of the clock: noticed, told to the store until it knows, then to everybody."""

import asyncio
from contextlib import suppress

import pytest

from dialer.clock import SystemClock
from dialer.clock_keeping import AGAIN, LOOK_EVERY, STEP, ClockKeeper, OneOfMany
from dialer.errors import StoreUnavailable
from dialer.store.contract import RecentStart
from tests.patience import PATIENCE
from tests.unit.dialer.test_clock import Machine


class Ledger:
    """A store that remembers what it was told."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.told: list[tuple[float, float]] = []
        self.down = False

    async def recent_starts(self, since: float) -> tuple[RecentStart, ...]:
        return tuple(RecentStart(1, 1, at) for at in self.starts if at >= since)

    async def follow_clock(self, now: float, step: float) -> None:
        if self.down:
            raise StoreUnavailable("full")
        self.told.append((now, step))


class Desk:
    def __init__(self) -> None:
        self.machine, self.ledger, self.steps = Machine(), Ledger(), 0
        self.pauses: list[float] = []
        self.looked = asyncio.Event()
        clock = SystemClock(lambda: self.machine.wall, lambda: self.machine.mono)
        self.keeper = ClockKeeper(clock, self.ledger, self._step, self._pause)

    def _step(self) -> None:
        self.steps += 1

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > 1:
            self.looked.set()
            await asyncio.get_running_loop().create_future()


async def test_a_step_is_told_at_once_and_what_was_under_way_is_looked_for_again() -> None:
    desk = Desk()
    desk.machine.wall += 3600.0
    for _ in range(AGAIN + 2):
        await desk.keeper.look()
    now = desk.machine.wall
    assert desk.ledger.told == [(now, 3600.0)] + [(now, 0.0)] * (AGAIN - 1)
    assert desk.steps == AGAIN


@pytest.mark.parametrize("drift", [0.0, STEP - 0.1, 0.1 - STEP])
async def test_small_differences_are_followed_in_silence(drift: float) -> None:
    desk = Desk()
    desk.machine.wall += drift
    await desk.keeper.look()
    await desk.keeper.look()
    assert desk.ledger.told == []
    assert desk.steps == 0


async def test_a_store_that_is_down_is_told_of_all_steps_together() -> None:
    desk = Desk()
    desk.ledger.down = True
    for step in (3600.0, -600.0):
        desk.machine.wall += step
        await desk.keeper.look()
    assert desk.steps == 0
    desk.ledger.down = False
    await desk.keeper.look()
    assert desk.ledger.told == [(desk.machine.wall, 3000.0)]
    assert desk.steps == 1


@pytest.mark.parametrize(("ahead", "told"), [(3600.0, 1), (STEP / 2, 0), (-1.0, 0)])
async def test_starts_of_the_future_say_that_the_clock_was_set_back(
    ahead: float, told: int
) -> None:
    desk = Desk()
    desk.ledger.starts = [desk.machine.wall + ahead]
    await desk.keeper.start()
    assert desk.ledger.told == [(desk.machine.wall, 0.0)] * told
    await desk.keeper.look()  # for what was taken back meanwhile
    assert len(desk.ledger.told) == 2 * told


async def test_it_looks_once_a_second_until_it_is_cancelled() -> None:
    desk = Desk()
    desk.machine.wall -= 3600.0
    task = asyncio.create_task(desk.keeper.run())
    await asyncio.wait_for(desk.looked.wait(), PATIENCE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert desk.pauses == [LOOK_EVERY] * 2
    assert [step for _, step in desk.ledger.told] == [-3600.0]


async def test_one_of_many_follows_its_own_clock_and_moves_nothing_of_the_others() -> None:
    machine, steps = Machine(), []
    clock = SystemClock(lambda: machine.wall, lambda: machine.mono)
    keeper = ClockKeeper(clock, OneOfMany(), lambda: steps.append(clock.now()))
    await keeper.start()
    machine.wall += 3600.0
    await keeper.look()
    assert steps == [machine.wall]
