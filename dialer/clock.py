"""Time as an argument: the core gets `now`, the shell gets one of these."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations. Never mix the two."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        ...


class SystemClock:
    """The machine's own clocks. `monotonic` is the one that asyncio's `loop.time` reads."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
