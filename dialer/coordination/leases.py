"""One worker's leases, and what it makes of the others' signs of life. Pure.

A worker may write to a server for `valid` seconds from the moment it *sent* the last sign of life
that Redis took, by its own monotonic clock. Another one takes a lease over when its own clock saw
no sign of life for `dead` seconds. No clock is ever compared with another machine's. Time in which
this worker itself saw nothing is not the others' silence: Redis may have been away from all.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import inf

from dialer.coordination.spread import choose_give, choose_left, choose_spares, choose_takes
from dialer.coordination.timing import Timing
from dialer.coordination.view import State, View


@dataclass(frozen=True, slots=True)
class Changes:
    """What the driver is to be told, in this order."""

    lost: tuple[int, ...] = ()
    granted: tuple[int, ...] = ()
    wanted: tuple[int, ...] = ()


@dataclass(slots=True)
class _Watch:
    """When a worker's sign of life was last seen to be another one."""

    beat: int
    since: float


@dataclass(slots=True)
class Leases:
    """`offered` without doubt, `doubtful`: see `Coordinator.offer`. `mine`: what the driver
    believes to have. `giving`: given up, Redis is to be told."""

    worker: str
    timing: Timing
    offered: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    mine: set[int] = field(default_factory=set)
    giving: set[int] = field(default_factory=set)
    renewed_at: float = -inf
    _until: float = -inf
    _wanted: int | None = None
    _spare: dict[int, float] = field(default_factory=dict)
    _view: View | None = None
    _watched: dict[str, _Watch] = field(default_factory=dict)
    _seen_at: float = -inf

    def offer(self, server_ids: Collection[int], doubtful: Collection[int] = ()) -> None:
        self.doubtful = frozenset(server_ids) & frozenset(doubtful)
        self.offered = frozenset(server_ids) - self.doubtful

    def see(self, view: View, sent: float, received: float, gave: Iterable[int] = ()) -> Changes:
        """The answer to a sign of life that gave `gave` back. Times are monotonic."""
        self.giving.difference_update(gave)
        self._overlook(received - self._seen_at - self.timing.glance)
        self._view, self._seen_at = view, received
        self._watch(view, received)
        if view.state is not State.OPEN:
            self._until = -inf
            return Changes()
        self._until, self.renewed_at = sent + self.timing.valid, sent
        at_redis = {server for server, owner in view.leases.items() if owner == self.worker}
        lost, granted = self.mine - at_redis, at_redis - self.mine - self.giving
        self.giving |= granted - self.offered - self.doubtful
        granted -= self.giving
        self.mine = (self.mine & at_redis) | granted
        wanted = [*self._choose_parted(received), *self._choose_wanted()]
        return Changes(tuple(sorted(lost)), tuple(sorted(granted)), tuple(wanted))

    def may_write_until(self, server: int) -> float:
        return self._until if server in self.mine else -inf

    def stop(self) -> None:
        """Redis lost what it held: nothing may be written, by nobody's leave."""
        self._until = -inf

    def give_up(self, server: int) -> None:
        self.mine.discard(server)
        self.giving.add(server)

    def lose_all(self) -> tuple[int, ...]:
        """The servers that were ours; somebody else may have been granted them."""
        lost, self.mine, self._until = tuple(sorted(self.mine)), set(), -inf
        self.giving.clear()
        self._view = None
        return lost

    def write_takes(self) -> str:
        """What to ask for by the last view, for `lua/beat.lua`."""
        view = self._view
        if view is None or view.state is not State.OPEN:
            return ""
        words = []
        members, owners = self._members(view), self._owners(view)
        takes = choose_takes(self.worker, members, owners)
        for server in (*takes, *choose_left(self.doubtful, members, owners)):
            owner = view.leases.get(server, "-")
            if server not in self.giving and owner != self.worker:
                words.append(f"{server}:{owner}:{view.beats.get(owner, 0)}")
        return " ".join(words)

    def write_gone(self) -> str:
        """Workers that are dead for so long that they may be forgotten."""
        owners = set() if self._view is None else set(self._view.leases.values())
        return " ".join(
            f"{worker}:{watch.beat}"
            for worker, watch in self._watched.items()
            if worker not in owners and self._seen_at - watch.since > self.timing.forget
        )

    def write_claims(self, now: float) -> str:
        """What is ours and since when it was not renewed, in microseconds (`lua/enter.lua`)."""
        age = min(max(0.0, now - self.renewed_at), 1e9)
        return " ".join(f"{server}:{int(age * 1e6)}" for server in sorted(self.mine))

    def _overlook(self, seconds: float) -> None:
        """For so long nothing could be seen of anybody."""
        if 0 < seconds < inf:
            for watch in self._watched.values():
                watch.since += seconds
            self._spare.clear()

    def _watch(self, view: View, at: float) -> None:
        workers = {*view.beats, *view.leases.values()}
        for worker in workers:
            beat, watch = view.beats.get(worker, 0), self._watched.get(worker)
            if watch is None or watch.beat != beat:
                self._watched[worker] = _Watch(beat, at)
        for worker in set(self._watched) - workers:
            del self._watched[worker]

    def _lives(self, worker: str) -> bool:
        watch = self._watched.get(worker)
        return watch is not None and self._seen_at - watch.since <= self.timing.dead

    def _members(self, view: View) -> dict[str, frozenset[int]]:
        living = {worker: servers for worker, servers in view.offers.items() if self._lives(worker)}
        return {**living, self.worker: self.offered}

    def _owners(self, view: View) -> dict[int, str]:
        return {server: owner for server, owner in view.leases.items() if self._lives(owner)}

    def _choose_wanted(self) -> list[int]:
        """A server that another worker is to have, once."""
        if self._wanted is not None and self._wanted not in self.mine:
            self._wanted = None
        if self._wanted is not None or self._view is None:
            return []
        self._wanted = choose_give(self.worker, self._members(self._view), self._owners(self._view))
        return [] if self._wanted is None else [self._wanted]

    def _choose_parted(self, now: float) -> list[int]:
        """The servers that cannot be driven from here, and by another one for a while; again and
        again, since what a hand-over in order waits for may never come."""
        assert self._view is not None
        spares = choose_spares(self.worker, self.mine & self.doubtful, self._members(self._view))
        self._spare = {server: self._spare.get(server, now) for server in sorted(spares)}
        due = [at for at, since in self._spare.items() if now - since >= self.timing.spare]
        self._spare.update(dict.fromkeys(due, now))
        return due
