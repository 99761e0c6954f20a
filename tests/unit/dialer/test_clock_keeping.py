"""A step of the clock: noticed, told to the store until it knows, then to everybody."""

import asyncio
from contextlib import suppress

import pytest

from dialer.clock import SystemClock
from dialer.clock_keeping import (
    AGAIN,
    COMPARE_EVERY,
    LOOK_EVERY,
    SLOW,
    STEP,
    ClockKeeper,
    SharedClockKeeper,
)
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


class Distant:
    """A database's clock, which answers after some time, half of it on the way there."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.ahead, self.takes, self.down = 0.0, 0.0, False
        self.waits: list[float] = []  # before it looks at its clock, for each of the next answers

    async def read_clock(self) -> float:
        if self.down:
            raise StoreUnavailable("away")
        self._machine.pass_time(self.takes / 2)
        if self.waits:
            self._machine.pass_time(self.waits.pop(0))
        there = 1_000_000.0 - 50.0 + self._machine.mono + self.ahead
        self._machine.pass_time(self.takes / 2)
        return there


class Branch:
    """One of several machines."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.there = Distant(self.machine)
        self.clock = SystemClock(lambda: self.machine.wall, lambda: self.machine.mono)
        self.steps: list[float] = []
        self.pauses: list[float] = []
        self.looked = asyncio.Event()
        self.keeper = SharedClockKeeper(
            self.clock, self.there, lambda: self.steps.append(self.clock.now()), self._pause
        )

    @property
    def late(self) -> float:
        """Seconds that the database's clock is ahead."""
        return 1_000_000.0 - 50.0 + self.machine.mono + self.there.ahead - self.clock.now()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > 1:
            self.looked.set()
            await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("ahead", "warned"), [(3600.0, True), (-3600.0, True), (0.5, False)])
async def test_one_of_many_goes_by_the_databases_clock_from_its_start(
    ahead: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    branch = Branch()
    branch.there.ahead, branch.there.takes = ahead, 0.25
    await branch.keeper.start()
    assert branch.late == pytest.approx(0.0, abs=1e-6)
    assert ("this machine's clock is wrong" in caplog.text) is warned
    assert branch.steps == []


@pytest.mark.parametrize(
    ("waits", "unheard"),
    [([3.9, 0.0, 3.9], [3.9]), ([3.9, 3.9, 3.9], []), ([0.4, 3.9, 3.9, 3.9], [3.9])],
)
async def test_a_late_answer_at_the_start_moves_no_clock_that_is_right(
    waits: list[float], unheard: list[float]
) -> None:
    branch = Branch()
    branch.there.waits = waits
    await branch.keeper.start()
    assert branch.late == pytest.approx(0.0, abs=1e-6)
    assert waits == unheard


async def test_of_late_answers_the_best_sets_a_clock_that_is_wrong() -> None:
    branch = Branch()
    branch.there.ahead, branch.there.waits = 3600.0, [3.9, 0.4, 1.0]
    await branch.keeper.start()
    assert branch.late == pytest.approx(-0.2)


async def test_what_is_done_to_one_machines_clock_moves_nothing() -> None:
    branch = Branch()
    await branch.keeper.start()
    for by in (3600.0, -7200.0):
        branch.machine.wall += by
        await branch.keeper.look()
        assert branch.late == pytest.approx(0.0, abs=1e-6)
    assert branch.steps == []


async def test_a_step_of_the_databases_clock_is_followed_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    branch = Branch()
    await branch.keeper.start()
    branch.there.ahead, branch.there.takes = STEP + 1.0, 0.1
    await branch.keeper.look()
    assert branch.steps == [pytest.approx(1_000_000.0 + STEP + 1.1)]
    assert "the database's clock was set" in caplog.text
    branch.there.ahead += STEP - 1.0
    await branch.keeper.look()
    assert branch.late == pytest.approx(0.0, abs=1e-6)
    assert len(branch.steps) == 1


@pytest.mark.parametrize(("ahead", "takes"), [(0.04, 0.1), (3600.0, 2 * SLOW + 0.1)])
async def test_an_answer_that_says_too_little_changes_nothing(ahead: float, takes: float) -> None:
    branch = Branch()
    await branch.keeper.start()
    branch.there.ahead, branch.there.takes = ahead, takes
    await branch.keeper.look()
    assert branch.late == pytest.approx(ahead)


async def test_who_is_not_answered_goes_on_by_what_it_knows() -> None:
    branch = Branch()
    await branch.keeper.start()
    branch.there.ahead, branch.there.down = 3600.0, True
    await branch.keeper.look()
    assert branch.late == pytest.approx(3600.0)
    with pytest.raises(StoreUnavailable):
        await branch.keeper.start()


async def test_the_databases_clock_is_looked_at_until_cancelled() -> None:
    branch = Branch()
    branch.there.ahead = 3600.0
    task = asyncio.create_task(branch.keeper.run())
    await asyncio.wait_for(branch.looked.wait(), PATIENCE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert branch.pauses == [COMPARE_EVERY] * 2
    assert branch.late == pytest.approx(0.0, abs=1e-6)
