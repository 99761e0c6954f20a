"""Shares of one server between the clients that compete for it: slot time in proportion to weight.

Every client has used some slot time: what its ended calls took, and for its live calls what they
took until now but at least what a call usually takes (else all slots that are free at one instant
would go to the same client). The next slot goes to the client with the least use per weight.

Use that was not made is not saved up: a client that had nothing to dial, or was held back by a
limit of its own, stays at most one generation of calls behind the others (`_level`), so that it can
not starve them when it returns.
"""

import heapq
from dataclasses import dataclass, field

EXPECTED_CALL = 1.0
"""Seconds a call is taken to last before any has ended. Better too short than too long: who
outlasts a charge is charged on, but what was charged too much hides what was really used."""

LEAST_WEIGHT = 1e-9

LEARNING = 0.05
"""Weight of the latest call in the running mean of call lengths; more among the first ones."""


@dataclass(slots=True)
class _Share:
    """One client's account. Slot seconds; `running` maps a call to its start and its charge."""

    weight: float
    ended: float = 0.0
    charged: float = 0.0  # sum of the charges of live calls that are within them
    overdue: int = 0  # live calls that outlasted their charge …
    overdue_starts: float = 0.0  # … and the sum of their start times
    starts: float = 0.0  # sum of the start times of all live calls
    running: dict[str, tuple[float, float]] = field(default_factory=dict)
    horizon: list[tuple[float, str]] = field(default_factory=list)  # when a charge is used up

    def spent(self, now: float) -> float:
        """Slot seconds really used until `now`, without what is only charged in advance."""
        return self.ended + len(self.running) * now - self.starts

    def used(self, now: float) -> float:
        """Slot seconds used until `now`, or charged."""
        while self.horizon and self.horizon[0][0] <= now:
            _, call = heapq.heappop(self.horizon)
            self._outlast(call)
        return self.ended + self.charged + self.overdue * now - self.overdue_starts

    def _outlast(self, call: str) -> None:
        if call not in self.running:
            return
        start, charge = self.running[call]
        self.running[call] = (start, 0.0)
        self.charged -= charge
        self.overdue += 1
        self.overdue_starts += start


class FairShare:
    """The accounts of all clients on one server. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._shares: dict[int, _Share] = {}
        self._mean = EXPECTED_CALL
        self._count = 0
        self._level = 0.0  # use per weight at which the latest slots were taken; never falls

    def enter(self, client: int, weight: float, now: float) -> None:
        """`client` has something to dial here (again), with this weight."""
        self.weigh(client, weight, now)
        share = self._shares.setdefault(client, _Share(max(weight, LEAST_WEIGHT)))
        self._lift(share, self._level, now)

    def weigh(self, client: int, weight: float, now: float) -> None:
        """Another weight from now on, for a client that is known here; its place among the others
        stays."""
        share = self._shares.get(client)
        if share is not None:
            weight = max(weight, LEAST_WEIGHT)
            share.ended += share.used(now) * (weight / share.weight - 1.0)
            share.weight = weight

    def started(self, client: int, call: str, now: float) -> None:
        """A slot was taken for `call`."""
        share = self._shares[client]
        # What is charged may turn out too much; a newcomer must not start from that.
        self._level = max(self._level, share.spent(now) / share.weight)
        share.starts += now
        share.running[call] = (now, self._mean)
        share.charged += self._mean
        heapq.heappush(share.horizon, (now + self._mean, call))

    def ended(self, client: int, call: str, now: float, *, counts: bool = True) -> None:
        """The slot of `call` is free again. `counts` False: it was never used (not a call)."""
        share = self._shares[client]
        share.used(now)
        start, charge = share.running.pop(call)
        share.starts -= start
        if charge:
            share.charged -= charge
        else:
            share.overdue -= 1
            share.overdue_starts -= start
        if counts:
            share.ended += now - start
            self._count += 1
            self._mean += max(LEARNING, 1 / self._count) * (now - start - self._mean)
        self._sweep(share)

    def least_served(self, candidates: list[int], now: float) -> list[int]:
        """`candidates` in the order in which they deserve the next slot."""
        for client in candidates:
            self._lift(self._shares[client], self._level - self._mean, now)
        return sorted(candidates, key=lambda client: (self._use(client, now), client))

    def _use(self, client: int, now: float) -> float:
        share = self._shares[client]
        return share.used(now) / share.weight

    @staticmethod
    def _lift(share: _Share, level: float, now: float) -> None:
        share.ended += max(0.0, level - share.used(now) / share.weight) * share.weight

    @staticmethod
    def _sweep(share: _Share) -> None:
        """Forget used-up horizon entries of ended calls before they pile up."""
        if len(share.horizon) > 64 and len(share.horizon) > 2 * len(share.running):
            share.horizon = [entry for entry in share.horizon if entry[1] in share.running]
            heapq.heapify(share.horizon)
