"""What is done to each life of the dialer, decided by a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FAILPOINTS: Final[dict[str, tuple[int, float]]] = {
    "start.opened": (1, 3.0),
    "start.claimed": (1, 3.0),
    "start.left": (1, 3.0),
    "start.resumed": (1, 3.0),
    "start.ready": (1, 3.0),
    "store.writes.commit.before": (60, 3.0),
    "store.writes.commit.after": (60, 3.0),
    "store.runs.commit.before": (6, 3.0),
    "store.runs.commit.after": (6, 3.0),
    "worker.reserve.before": (60, 3.0),
    "worker.reserve.granted": (60, 3.0),
    "worker.originate.before": (60, 3.0),
    "worker.originate.noted": (60, 3.0),
    "worker.originate.after": (60, 3.0),
    "worker.originate.answered": (60, 3.0),
    "worker.settle.before": (40, 3.0),
    "worker.settle.after": (40, 3.0),
    "worker.withdraw.before": (1, 3.0),
    "worker.withdraw.after": (1, 3.0),
    "link.up": (2, 3.0),
    "link.down": (1, 3.0),
    "event.ChannelCreated": (60, 3.0),
    "event.ChannelStateChanged": (60, 3.0),
    "event.DialBegun": (60, 3.0),
    "event.DialProgressed": (60, 3.0),
    "event.DialEnded": (60, 3.0),
    "event.ChannelHungUp": (40, 3.0),
    "event.OriginateAnswered": (40, 3.0),
    "event.handled": (200, 3.0),
    "reconcile.before": (2, 3.0),
    "reconcile.listed": (2, 3.0),
    "reconcile.adopted": (20, 3.0),
    "reconcile.gone": (4, 9.0),
    "delivery.callback.before": (40, 3.0),
    "delivery.callback.after": (40, 3.0),
    "delivery.sgapi.before": (40, 3.0),
    "delivery.sgapi.after": (40, 3.0),
    "delivery.recorded": (60, 3.0),
    "ingest.batch.before": (3, 3.0),
    "ingest.batch.stored": (3, 3.0),
    "ingest.answer.before": (3, 3.0),
}
"""Where lives end: the last hit that may be chosen, and the seconds after which a life that did not
get there is killed all the same."""

AT_RANDOM: Final = "at random"

NEEDS_CUT: Final = frozenset({"link.down"})
"""Failpoints that no life reaches whose link to Asterisk is left alone."""


class Fate(StrEnum):
    """How a life ends."""

    FAILPOINT = "failpoint"  # killed where the plan says, from inside
    TIME = "time"  # killed from outside
    STOPPED = "stopped"  # stopped, continued, killed later
    STOPPED_KILLED = "stopped and killed"  # killed while it is stopped


@dataclass(frozen=True, slots=True)
class LifePlan:
    """`seconds`: after which it is killed from outside, counted from when it is ready (or, if it
    never is, from its start). `stopped`: seconds of SIGSTOP before that. `cut`: its link is
    cut in mid-life. `fresh`: a new Python instead of a fork."""

    fate: Fate
    seconds: float
    point: str | None = None
    hit: int = 1
    stopped: float = 0.0
    cut: bool = False
    fresh: bool = False

    @property
    def where(self) -> str:
        return self.point or AT_RANDOM

    @property
    def rule(self) -> str | None:
        """As DIALER_FAILPOINTS has it."""
        return f"{self.point}=kill@{self.hit}" if self.point else None


class Planner:
    """Deals failpoints like cards, so that each has its turn; one life in five ends at a random
    time, one in `stop_every` is stopped for up to `longest_stop` seconds, one in `cut_every` has
    its link cut."""

    def __init__(
        self,
        seed: int,
        *,
        points: Sequence[str] = tuple(FAILPOINTS),
        stop_every: int = 25,
        longest_stop: float = 30.0,
        cut_every: int = 7,
        fresh_every: int = 20,
    ) -> None:
        self._rng = random.Random(seed)
        self._points = tuple(points)
        self._stop_every, self._longest_stop = stop_every, longest_stop
        self._cut_every, self._fresh_every = cut_every, fresh_every
        self._deck: list[str] = []
        self._count = 0

    def next_life(self) -> LifePlan:
        self._count += 1
        fresh, cut = self._is_turn(self._fresh_every), self._is_turn(self._cut_every)
        if self._is_turn(self._stop_every):
            fate = self._rng.choice([Fate.STOPPED, Fate.STOPPED, Fate.STOPPED_KILLED])
            stopped = min(self._longest_stop, self._rng.expovariate(3.0 / self._longest_stop))
            return LifePlan(fate, self._rng.uniform(1.5, 3.0), stopped=stopped, fresh=fresh)
        if self._count % 5 == 0 or not self._points:
            return LifePlan(Fate.TIME, self._rng.uniform(0.0, 2.0), cut=cut, fresh=fresh)
        point = self._draw()
        most, seconds = FAILPOINTS[point]
        hit = self._rng.randint(1, most)
        cut = cut or point in NEEDS_CUT
        return LifePlan(Fate.FAILPOINT, seconds, point, hit, cut=cut, fresh=fresh)

    def _is_turn(self, every: int) -> bool:
        return every > 0 and self._count % every == 0

    def _draw(self) -> str:
        if not self._deck:
            self._deck = list(self._points)
            self._rng.shuffle(self._deck)
        return self._deck.pop()


def settling_life(seconds: float) -> LifePlan:
    """A life that is left alone until calls that ended between lives are settled."""
    return LifePlan(Fate.TIME, seconds)
