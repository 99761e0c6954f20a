"""How long callbacks held the event loop, in CPU seconds of its own thread."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

WORTH_NOTING = 0.005
LOOK_EVERY = 0.001
"""Seconds. Asking for a thread's CPU is a system call; asked around every callback it cost a tenth
of what was measured. So a callback may be counted as longer by this much at most."""


@dataclass(slots=True)
class LoopWatch:
    """Counts while installed. `worst` holds the longest callbacks with what they were."""

    longest: float = 0.0
    over_10_ms: int = 0
    worst: list[tuple[float, str]] = field(default_factory=list)
    _original: Any = None

    def install(self) -> None:
        """Measure every callback of every loop of this process from now on."""
        self._original = original = asyncio.Handle._run
        clock, cpu = time.perf_counter, time.thread_time
        looked, used = 0.0, 0.0  # when the CPU was last looked at, and what it said

        def measured(handle: asyncio.Handle) -> None:
            nonlocal looked, used
            started = clock()
            if started - looked > LOOK_EVERY:
                looked, used = started, cpu()
            original(handle)
            if clock() - started > WORTH_NOTING:
                spent = cpu() - used
                if spent > WORTH_NOTING:
                    self._note(spent, handle)

        asyncio.Handle._run = measured  # type: ignore[assignment, method-assign]

    def _note(self, spent: float, handle: asyncio.Handle) -> None:
        self.longest = max(self.longest, spent)
        self.over_10_ms += spent > 0.010
        self.worst = sorted([*self.worst, (spent, repr(handle)[:160])], reverse=True)[:5]

    def uninstall(self) -> None:
        asyncio.Handle._run = self._original  # type: ignore[method-assign]
