"""Time as an argument: the core gets `now`, the shell gets one of these."""

import time
from collections.abc import Callable
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
    """The machine's own clocks. `monotonic` is the one that asyncio's `loop.time` reads.

    `now` goes on steadily when somebody sets the machine's clock, until `follow` is called: so
    that what depends on it follows in one moment (`dialer.clock_keeping`).
    """

    def __init__(
        self,
        wall: Callable[[], float] = lambda: time.time(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        return self._monotonic() + self._offset

    def monotonic(self) -> float:
        return self._monotonic()

    def drift(self) -> float:
        """Seconds that the machine's clock is ahead of `now`."""
        return self._wall() - self.now()

    def follow(self) -> None:
        """From now on `now` is what the machine's clock says."""
        self._offset = self._wall() - self._monotonic()

    def shift(self, seconds: float) -> None:
        """From now on `now` is so much more."""
        self._offset += seconds
