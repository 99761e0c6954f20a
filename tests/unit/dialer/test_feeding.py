"""The feeder: brings what is hungry, once, and never what is on its way already."""

import asyncio

from dialer.errors import StoreUnavailable
from dialer.feeding import Feeder
from dialer.lanes import AHEAD, FIRST_LOAD, HOLD_OFF
from dialer.store.contract import Candidate
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_item, make_queue
from tests.unit.dialer.clocks import FakeClock
from tests.unit.dialer.test_planner import Stage, make_stage


class Shelf:
    """The reads that a feeder makes, over items in memory."""

    def __init__(self, items: list[Candidate]) -> None:
        self.items = items
        self.reads: list[tuple[str, float]] = []
        self.broken = False

    async def waiting(self, queue: int, server: int, after: int, limit: int) -> list[Candidate]:
        self.reads.append(("fresh", after))
        if self.broken:
            raise StoreUnavailable("disk full")
        return [i for i in self.items if i.due_at is None and i.id > after][:limit]

    async def due_retries(
        self, queue: int, server: int, until: float, limit: int
    ) -> list[Candidate]:
        self.reads.append(("retries", until))
        return [i for i in self.items if i.due_at is not None and i.due_at <= until][:limit]

    async def next_retry_at(self, queue: int, server: int, after: float = 0.0) -> float | None:
        later = [i.due_at for i in self.items if i.due_at is not None and i.due_at > after]
        return min(later, default=None)


class Kitchen:
    """A feeder over a shelf, with a planner that has one client on one server."""

    def __init__(self, items: list[Candidate]) -> None:
        self.stage: Stage = make_stage(allocated_channels=100)
        self.clock = FakeClock(wall=self.stage.wall)
        self.shelf = Shelf(items)
        self.woken = asyncio.Event()
        self.failures: list[BaseException] = []
        self.feeder = Feeder(
            self.shelf,  # type: ignore[arg-type]
            self.stage.planner,
            self.clock,
            self.woken.set,
            self.failures.append,
        )
        self.stage.planner.items_added(make_queue(), [1])

    async def feed(self) -> list[int]:
        """One round of loading and planning: the items that go."""
        self.woken.clear()
        self.feeder.feed()
        async with asyncio.timeout(PATIENCE):
            await self.woken.wait()
        return self.stage.plan_ids()


async def test_what_waits_is_brought_in_order() -> None:
    kitchen = Kitchen([make_item(n) for n in range(1, 6)])
    assert await kitchen.feed() == [1, 2, 3, 4, 5]


async def test_a_long_queue_comes_in_portions() -> None:
    kitchen = Kitchen([make_item(n) for n in range(1, FIRST_LOAD * 3)])
    assert await kitchen.feed() == list(range(1, FIRST_LOAD + 1))
    assert (await kitchen.feed())[0] == FIRST_LOAD + 1


async def test_a_lane_is_loaded_once_at_a_time() -> None:
    kitchen = Kitchen([make_item(1)])
    kitchen.feeder.feed()
    kitchen.feeder.feed()
    async with asyncio.timeout(PATIENCE):
        await kitchen.woken.wait()
    assert [kind for kind, _ in kitchen.shelf.reads].count("fresh") == 1


async def test_retries_are_brought_shortly_before_they_are_due() -> None:
    soon, later = 1000.0 + AHEAD, 1100.0
    kitchen = Kitchen([make_item(1, due_at=soon), make_item(2, due_at=later)])
    assert await kitchen.feed() == []
    assert kitchen.stage.planner.wake_wall == soon
    kitchen.stage.wall = soon
    assert kitchen.stage.plan_ids() == [1]
    assert kitchen.stage.planner.next_lookup == later - AHEAD


async def test_an_unreadable_store_is_asked_again_later() -> None:
    kitchen = Kitchen([make_item(1)])
    kitchen.shelf.broken = True
    assert await kitchen.feed() == []
    kitchen.shelf.broken = False
    kitchen.feeder.feed()
    assert len(kitchen.shelf.reads) == 1
    kitchen.stage.wall = kitchen.clock.wall = kitchen.clock.wall + HOLD_OFF
    assert await kitchen.feed() == [1]


async def test_closing_ends_loads_under_way() -> None:
    kitchen = Kitchen([make_item(1)])
    kitchen.feeder.feed()
    await kitchen.feeder.close()
    assert kitchen.stage.plan_ids() == []
