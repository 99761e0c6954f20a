"""What is known of another machine's clock. Pure.

Each answer shows that clock at a moment between sending and receiving. So the offset between it and
our monotonic clock lies between two bounds, and every answer narrows them: after a few they are as
near as the quickest of the round trips was short. An answer outside of them shows that the other
clock was set. Seconds throughout.
"""

from dataclasses import dataclass
from math import inf

DRIFT = 1e-3
"""Bounds widen by this much a second: clocks differ by 0.05 % at most (that is as fast as NTP
slews one), ours may be slewed the other way."""

TOLERANCE = 0.004
"""A clock that was set by less than this is followed without a word: the rolling second has a
margin of its own."""


@dataclass(slots=True)
class ClockBounds:
    """The other clock minus ours: at least `_low`, at most `_high`, as of our time `_at`."""

    _low: float = -inf
    _high: float = inf
    _at: float = -inf
    _since: float = inf

    def add(self, sent: float, received: float, shown: float) -> bool:
        """An answer showed the other clock. False: it was set, and nothing of before holds; the
        bounds are then as this answer alone tells."""
        low, high = shown - received, shown - sent
        self._widen(received)
        if low > self._high + TOLERANCE or high < self._low - TOLERANCE:
            self._low, self._high, self._since = low, high, sent
            return False
        self._since = min(self._since, sent)
        if low > self._high or high < self._low:
            self._low, self._high = low, high
        else:
            self._low, self._high = max(self._low, low), min(self._high, high)
        return True

    def forget(self) -> None:
        """Another clock from now on."""
        self._low, self._high, self._at, self._since = -inf, inf, -inf, inf

    def latest(self, shown: float) -> float:
        """Our time at which the other clock has certainly come to `shown`."""
        return shown - self._low

    def earliest(self, shown: float) -> float:
        """Our time before which it has certainly not."""
        return shown - self._high

    def watched(self, now: float) -> float:
        """For how long nothing has contradicted; negative: nothing is known."""
        return now - self._since

    def _widen(self, now: float) -> None:
        if now > self._at:
            if self._at > -inf:
                self._low -= DRIFT * (now - self._at)
                self._high += DRIFT * (now - self._at)
            self._at = now
