"""HTTP requests a minute: never more than a client's limit in any rolling minute. Pure."""

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
    """The requests of one client in the last minute. Its size is bounded by the limit."""

    _times: deque[float] = field(default_factory=deque)

    def take(self, limit: int, now: float) -> Allowance:
        """Count one request at `now` (monotonic seconds), or refuse it; a refused one does not
        count. The limit may change between requests."""
        while self._times and self._times[0] <= now - WINDOW:
            self._times.popleft()
        allowed = len(self._times) < limit
        if allowed:
            self._times.append(now)
        remaining = max(0, limit - len(self._times))
        if remaining:
            return Allowance(allowed, limit, remaining, 0.0)
        leaves = self._times[len(self._times) - limit]
        return Allowance(allowed, limit, 0, max(0.0, leaves + WINDOW - now))
