"""HTTP requests a minute: never more than a client's limit in any rolling minute. Pure.

Windows of another length too, and two at once."""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 60.0
"""Seconds. `rate_limit` of the calling API is a number of requests a minute."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What became of one request: how many more may follow at once, and in how many seconds the
    next place is free (0.0 while there is one)."""

    allowed: bool
    limit: int
    remaining: int
    wait: float


@dataclass(slots=True)
class RollingMinute:
    """The requests of one client in the last minute, or in the last `window` seconds. Its size is
    bounded by the limit."""

    _times: deque[float] = field(default_factory=deque)
    window: float = WINDOW

    def has_room(self, limit: int, now: float) -> bool:
        """Whether `take` would count a request."""
        self._forget(now)
        return len(self._times) < limit

    def take(self, limit: int, now: float) -> Allowance:
        """Count one request at `now` (monotonic seconds), or refuse it; a refused one does not
        count. The limit may change between requests."""
        allowed = self.has_room(limit, now)
        if allowed:
            self._times.append(now)
        remaining = max(0, limit - len(self._times))
        if remaining:
            return Allowance(allowed, limit, remaining, 0.0)
        leaves = self._times[len(self._times) - limit]
        return Allowance(allowed, limit, 0, max(0.0, leaves + self.window - now))

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()


@dataclass(slots=True)
class MinuteAndSecond:
    """The requests of one client under a limit a minute and one a second: a request counts in both
    or, where one has no room, in none."""

    _minute: RollingMinute = field(default_factory=RollingMinute)
    _second: RollingMinute = field(default_factory=lambda: RollingMinute(window=1.0))

    def take(self, per_minute: int, per_second: int, now: float) -> Allowance:
        """As `RollingMinute.take`. `limit` is the minute's, unless the second refused."""
        for window, limit in ((self._minute, per_minute), (self._second, per_second)):
            if not window.has_room(limit, now):
                return window.take(limit, now)
        minute, second = self._minute.take(per_minute, now), self._second.take(per_second, now)
        remaining = min(minute.remaining, second.remaining)
        return Allowance(True, per_minute, remaining, max(minute.wait, second.wait))
