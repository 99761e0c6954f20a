"""Many timers on one: a heap of what is due when, woken by a single timer of the loop."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

# What is due within this time is done in one wake-up: at thousands of calls a second one timer of
# the loop for each would cost more than the calls.
_TOGETHER: Final = 0.0005


class Timer:
    """A call to come. `cancel` forgets it."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        self.act = None


class Timers:
    """Calls `act` after a delay in seconds, in the order of their times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._wake: asyncio.TimerHandle | None = None
        self._running = False

    def after(self, delay: float, act: Callable[[], None]) -> Timer:
        loop = asyncio.get_running_loop()
        timer = Timer(act)
        self._count += 1
        due = loop.time() + delay
        heapq.heappush(self._heap, (due, self._count, timer))
        if not self._running and (self._wake is None or due < self._wake.when()):
            self._arm(loop)
        return timer

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = loop.call_at(self._heap[0][0], self._run) if self._heap else None

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._wake = None
        self._running = True
        until = loop.time() + _TOGETHER
        try:
            while self._heap and self._heap[0][0] <= until:
                timer = heapq.heappop(self._heap)[2]
                act, timer.act = timer.act, None
                if act is not None:
                    act()
        finally:
            self._running = False
            self._arm(loop)
