"""Calls per second: when the next one may start.

Two rules together, each for one server or one client:

- starts are spaced evenly, by a grid of `1/rate` seconds (2.5 a second are 2 here, for that is what
  the other rule leaves of them); after a start that came a little late the next one keeps its own
  grid time, so that the long-run rate is kept, but never sooner than half a step after the last;
- never more than `rate` starts in any rolling second: the start `rate` places back must be at
  least `WINDOW` seconds old. This one holds whatever the grid says.
"""

from collections import deque
from dataclasses import dataclass, field
from math import floor

WINDOW = 1.015
"""Seconds. A witness on the socket sees our writes with a jitter of its own; 15 ms of it are
allowed for before its rolling second could hold one start too many."""

CATCH_UP = 0.005
"""Seconds by which a start may lag behind its grid time (timers, a commit) without the grid moving:
the next ones follow at half steps until the grid is reached. More lag, or idling, earns nothing."""

SHARED_CATCH_UP = 0.05
"""The same for a server whose clients other workers share: who was refused a slot comes a little
later, and clients' turns do not fall on the server's grid."""

LINE = 0.1
"""Seconds' worth of starts that may wait for their turns: when a commit is late they go meanwhile,
so that it costs no rate."""


@dataclass(slots=True)
class RateGate:
    """Spaces the starts of one server or client. `rate` None or inf: no limit.

    `rate` may be below one a second (0.5: one start every two seconds).
    """

    rate: float | None = None
    catch_up: float = CATCH_UP
    _next: float = field(default=float("-inf"))
    _last: float = field(default=float("-inf"))
    _recent: deque[float] = field(default_factory=deque)

    @property
    def _burst(self) -> int:
        """Starts that one window may hold: at least one, for rates below one a second."""
        assert self.rate is not None
        return max(1, floor(self.rate))

    @property
    def _step(self) -> float:
        assert self.rate is not None
        return WINDOW / min(self.rate, self._burst)

    def earliest(self) -> float:
        """The monotonic time from which one more start is allowed (may be in the past)."""
        if self.rate is None:
            return float("-inf")
        return max(self._next, self._last + self._step / 2, self.has_room_at())

    def has_room_at(self) -> float:
        """The same by the rule of the rolling second alone: for a start whose time another grid
        gave."""
        if self.rate is None or len(self._recent) < self._burst:
            return float("-inf")
        return self._recent[-self._burst] + WINDOW * max(1.0, 1.0 / self.rate)

    def take(self, now: float) -> None:
        """Record a start at `now`; the caller has looked at `earliest`."""
        if self.rate is None:
            return
        self._next = max(self._next, now - self.catch_up) + self._step
        self._last = now
        self._recent.append(now)
        while len(self._recent) > self._burst:
            self._recent.popleft()

    def give_back(self) -> None:
        """The latest start did not happen."""
        if self.rate is not None and self._recent:
            self._recent.pop()
            self._last = self._recent[-1] if self._recent else float("-inf")
            self._next -= self._step

    def fall_behind(self, other: "RateGate", waiting: int) -> None:
        """`waiting` starts that went through this gate wait for `other`, of the same rate: start
        nothing that would wait there for longer than `LINE`."""
        if self.rate is not None:
            self._next = max(self._next, other._next + waiting * self._step - LINE)

    def change(self, rate: float | None) -> None:
        """Another limit from now on; what was started already still counts."""
        if rate == self.rate:
            return
        self.rate = rate
        if rate is not None:
            # More history than the new burst is harmless; less is refilled by coming starts.
            self._next = self._last + self._step if self._recent else float("-inf")

    def seed(self, starts: list[float]) -> None:
        """Starts of the last seconds that an earlier life of this process made, or another worker:
        in any order, before and after those that are known."""
        if self.rate is None:
            return
        known, ahead = sorted([*self._recent, *starts]), self._next
        self._recent.clear()
        self._next = self._last = float("-inf")
        for at in known[-self._burst :]:
            self.take(at)
        self._next = max(self._next, ahead)
