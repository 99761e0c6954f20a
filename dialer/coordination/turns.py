"""A client's turns on the wire when several workers share them. Pure.

The rule is `dialer.pacing`'s, kept at Redis: starts are spaced evenly, `WINDOW` divided by as many
as one second may hold. A turn may be used up to `SLACK` late, and the next ones do not wait for it;
so the window is longer by that, and two starts are never nearer than a second where it counts.
"""

from dataclasses import dataclass, field
from math import ceil, floor

from dialer.coordination.bounds import ClockBounds
from dialer.coordination.contract import Turn
from dialer.pacing import WINDOW as WITNESS_WINDOW

SLACK = 0.020
"""Seconds that an Originate may be written late in its turn: timers, a busy loop."""
WINDOW = WITNESS_WINDOW + SLACK
"""Seconds that must lie between a turn and the one `rate` places on."""
AHEAD = 0.5
"""Seconds that a turn may be given ahead: when Redis loses what it held, or its clock is set, the
turns of before have gone by after this long."""
LINE = 0.15
"""Seconds' worth of turns that a client's calls may wait for: then no more slots are granted."""


def space(max_cps: float) -> float:
    """Seconds between two turns. Below one a second and between whole numbers as in
    `dialer.pacing`: 0.5 is one in two windows, 2.5 is two in one."""
    return WINDOW * max(1.0, 1.0 / max_cps) / max(1, floor(max_cps))


def to_micros(seconds: float) -> int:
    return ceil(seconds * 1_000_000)


def map_turn(place: int, bounds: ClockBounds) -> Turn:
    """A place in microseconds of Redis' clock, in this process' monotonic time: never early, late
    by the quickest round trip at most."""
    not_before = bounds.latest(place / 1_000_000)
    return Turn(not_before, not_before + SLACK)


@dataclass(slots=True)
class TurnClock:
    """Redis' clock as turns are read from it. When somebody saw that it was set, Redis counts a new
    era, in which clients' turns begin anew behind those of the old one. `warm`: seconds for which a
    clock must have gone steadily before turns are trusted to it: what was allotted by a clock that
    was set a moment ago is nobody's."""

    warm: float
    bounds: ClockBounds = field(default_factory=ClockBounds)
    era: int = -1

    def see(self, sent: float, received: float, shown: float, era: int) -> bool:
        """An answer of Redis. True: in this era the clock was set, which Redis must be told."""
        if era != self.era:
            self.bounds.forget()
            self.era = era
        return not self.bounds.add(sent, received, shown)

    def forget(self) -> None:
        """Another server process, perhaps another machine."""
        self.bounds.forget()
        self.era = -1

    def trusted(self, now: float) -> bool:
        return self.bounds.watched(now) >= self.warm
