"""When a worker that was refused for want of room asks again."""

import asyncio
from collections.abc import Callable, Iterable


def _nobody() -> None:
    """There is no driver yet."""


class Room:
    """Calls `ask_again` once for all that was refused: when a slot of such a client became free,
    when its next turn comes near, or at the latest `longest` seconds after the refusal. While
    nothing is refused it does nothing."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._clients: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.ask_again: Callable[[], None] = _nobody

    @property
    def due(self) -> float | None:
        """When it will ask without being told, by the loop's clock."""
        return None if self._timer is None else self._timer.when()

    def refused(self, client_id: int, seconds: float | None) -> None:
        """`seconds`: until there is room; None: it is not known."""
        wait = self._longest if seconds is None else min(max(seconds, 0.0), self._longest)
        self._clients.add(client_id)
        loop = asyncio.get_running_loop()
        at = loop.time() + wait
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self.now)

    def freed(self, client_ids: Iterable[int]) -> None:
        if not self._clients.isdisjoint(client_ids):
            self.now()

    def now(self) -> None:
        self.close()
        self._clients.clear()
        self.ask_again()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
