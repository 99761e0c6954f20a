"""Notices that somebody set the machine's clock, and has everything follow it in one moment.

Deadlines are moments: they come when the clock says so. Gaps before retries, of calls and of
deliveries, are durations, kept on disk as moments: those are moved with the clock, so that a step
forward brings no storm of them, and a step back no wait for as long.

Where several machines share a database all of them go by its clock, and what somebody does to their
own moves nothing: a moment that one wrote means the same to all others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from dialer.clock import SystemClock
from dialer.errors import StoreUnavailable
from dialer.store.contract import RecentStart

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the machine's clock."""

STEP: Final = 2.0
"""Seconds from which a difference is a step. Less is what NTP and rounding make, and is followed
in silence."""

AGAIN: Final = 3
"""Looks after a step back in which what was under way is looked for: a call that ended before it
and was written after it."""


COMPARE_EVERY: Final = 10.0
"""Seconds between two looks at the database's clock. Monotonic clocks differ by less than 1 ms in
that time: NTP slews them by 500 ppm at most (adjtimex(2))."""

SLOW: Final = 1.0
"""Seconds after which an answer of the database's says too little about what time it is."""

ASKED: Final = 3
"""Times that a process asks at its start, until an answer came without delay."""

PROMPT: Final = 0.1
"""Seconds by which such an answer may be wrong."""


class ClockStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    async def recent_starts(self, since: float) -> tuple[RecentStart, ...]: ...
    async def follow_clock(self, now: float, step: float) -> None: ...


class SharedStore(Protocol):
    """What is needed of `dialer.store.contract.Store` where others use it, too."""

    async def read_clock(self) -> float: ...


class Keeper(Protocol):
    """What keeps a process's clock."""

    async def start(self) -> None:
        """Before anything is dialed. Raises `StoreUnavailable`."""

    async def run(self) -> None:
        """Look until cancelled."""


class ClockKeeper:
    """`on_step` is called after everything on disk has followed a step."""

    def __init__(
        self,
        clock: SystemClock,
        store: ClockStore,
        on_step: Callable[[], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._store, self._on_step, self._pause = clock, store, on_step, pause
        self._again = 0  # looks that are left for what was under way
        self._pending = 0.0  # a step that the store does not know of yet

    async def start(self) -> None:
        """Before anything is dialed: the clock may have been set back while nobody ran. Raises
        `StoreUnavailable`."""
        now = self._clock.now()
        if await self._store.recent_starts(now + STEP):
            log.warning("the machine's clock was set back since the last start")
            await self._store.follow_clock(now, 0.0)
            self._again = AGAIN

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._pause(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Follow the machine's clock. What the store can not do now is done at the next look."""
        step = self._clock.drift()
        self._clock.follow()
        if abs(step) >= STEP:
            log.warning("the machine's clock was set", extra={"by_seconds": round(step, 1)})
            self._pending += step
            self._again = AGAIN
        if not self._again:
            return
        try:
            await self._store.follow_clock(self._clock.now(), self._pending)
        except StoreUnavailable as error:
            log.error("retries do not follow the clock yet", extra={"error": str(error)})
            return
        self._pending = 0.0
        self._again -= 1
        self._on_step()


class SharedClockKeeper:
    """Has `clock` go by the database's. `on_step` is called after a step of that one."""

    def __init__(
        self,
        clock: SystemClock,
        store: SharedStore,
        on_step: Callable[[], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._store, self._on_step, self._pause = clock, store, on_step, pause

    async def start(self) -> None:
        """Before anything is dialed. Goes by the best of some answers, and moves nothing where
        even that one does not tell that the clock is wrong. Raises `StoreUnavailable`."""
        ahead, doubt = await self._compare()
        for _ in range(ASKED - 1):
            if doubt <= PROMPT:
                break
            ahead, doubt = min((ahead, doubt), await self._compare(), key=lambda found: found[1])
        if abs(ahead) <= doubt:
            return
        if abs(ahead) - doubt >= STEP:
            log.warning(
                "this machine's clock is wrong: the database's is used",
                extra={"behind_by_seconds": round(ahead, 1)},
            )
        self._clock.shift(ahead)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._pause(COMPARE_EVERY)
            await self.look()

    async def look(self) -> None:
        """Follow the database's clock, as far as its answer tells it; no answer changes nothing."""
        try:
            ahead, doubt = await self._compare()
        except StoreUnavailable:
            return
        if doubt > SLOW or abs(ahead) <= doubt:
            return
        self._clock.shift(ahead)
        if abs(ahead) >= STEP:
            log.warning("the database's clock was set", extra={"by_seconds": round(ahead, 1)})
            self._on_step()

    async def _compare(self) -> tuple[float, float]:
        """Seconds that the database's clock is ahead of ours, and how many that may be wrong."""
        asked = self._clock.monotonic()
        there = await self._store.read_clock()
        doubt = (self._clock.monotonic() - asked) / 2
        return there - (self._clock.now() - doubt), doubt
