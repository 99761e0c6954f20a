"""Brings waiting items from the store into the planner's lanes, ahead of need."""

import asyncio
import logging
from collections.abc import Callable

from dialer.clock import Clock
from dialer.errors import StoreUnavailable
from dialer.lanes import AHEAD, LARGEST_LOAD, Lane
from dialer.planner import Planner
from dialer.store.contract import Store

log = logging.getLogger(__name__)

PARALLEL = 4
"""Loads under way at once: reads are short, and the API reads through the same pool."""


class Feeder:
    """Loads the lanes that the planner finds hungry; at most one load a lane at a time."""

    def __init__(
        self,
        store: Store,
        planner: Planner,
        clock: Clock,
        wake: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._planner = planner
        self._clock = clock
        self._wake = wake
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(PARALLEL)

    def feed(self) -> None:
        """Start the loads that are wanted now."""
        for lane in self._planner.hungry_lanes(self._clock.now()):
            lane.loading = True
            task = asyncio.get_running_loop().create_task(self._load(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _load(self, lane: Lane) -> None:
        try:
            async with self._turns:
                await self._load_fresh(lane)
                await self._load_retries(lane)
        except StoreUnavailable as error:
            log.error("waiting items could not be read", extra={"error": str(error)})
            lane.rest(self._clock.now())
        except Exception as error:
            self._on_failure(error)
        finally:
            lane.loading = False
        self._planner.loaded(lane, self._clock.monotonic())
        self._wake()

    async def _load_fresh(self, lane: Lane) -> None:
        if not lane.needs_fresh:
            return
        asked, generation = lane.load_size, lane.generation
        rows = await self._store.waiting(lane.queue_id, lane.server_id, lane.cursor, asked)
        if lane.generation == generation:
            lane.add_fresh(rows, asked, self._planner.on_the_way)

    async def _load_retries(self, lane: Lane) -> None:
        now = self._clock.now()
        if not lane.needs_retries(now):
            return
        generation = lane.generation
        horizon = now + AHEAD
        lane.retry_load_at = None
        rows = await self._store.due_retries(lane.queue_id, lane.server_id, horizon, LARGEST_LOAD)
        full = len(rows) == LARGEST_LOAD
        later = (
            now if full else await self._store.next_retry_at(lane.queue_id, lane.server_id, horizon)
        )
        if lane.generation == generation:
            lane.add_retries(rows, later, self._planner.on_the_way, now)

    async def close(self) -> None:
        """End the loads under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
