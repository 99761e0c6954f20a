"""How long callbacks held the event loop, in CPU seconds of its own thread."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any


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
        watch = self

        def measured(handle: asyncio.Handle) -> None:
            before = time.thread_time()
            original(handle)
            spent = time.thread_time() - before
            if spent > 0.005:
                watch._note(spent, handle)

        asyncio.Handle._run = measured  # type: ignore[method-assign]

    def _note(self, spent: float, handle: asyncio.Handle) -> None:
        self.longest = max(self.longest, spent)
        self.over_10_ms += spent > 0.010
        self.worst = sorted([*self.worst, (spent, repr(handle)[:160])], reverse=True)[:5]

    def uninstall(self) -> None:
        asyncio.Handle._run = self._original  # type: ignore[method-assign]
