"""What one deliverer among several has claimed, and until when. Pure: no I/O, no clock.

A claim is short, so that others soon send what a dead deliverer had claimed; who lives renews what
it still holds. Times are epoch seconds.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

AT_ONCE: Final = 500
"""Claims that one statement moves: more rows locked at once, and outcomes wait for long."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """One deliverer among several: what it loads it claims for `claim` seconds; every `renew`
    seconds it claims anew what it still holds, and starts no try when fewer than `least` seconds
    are left (it was frozen, or the database away). `follows`: whether it is the one that looks at
    tasks of SGAPI, which are looked at slowly by one alone. After `recheck` seconds the disk is
    looked at anyway: what others claimed and left by dying, or put off, is told by nobody."""

    follows: Callable[[], bool]
    claim: float = 15.0
    renew: float = 4.0
    least: float = 5.0
    recheck: float = 5.0


class Claims:
    """By the ids of deliveries."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def note(self, ids: Iterable[int], until: float) -> None:
        self._until.update((id_, until) for id_ in ids)

    def forget(self, delivery_id: int) -> None:
        self._until.pop(delivery_id, None)

    def take_away(self, ids: Iterable[int]) -> list[tuple[float, list[int]]]:
        """Forget these; as `sort`."""
        found = self.sort(ids)
        for _, some in found:
            for id_ in some:
                self.forget(id_)
        return found

    def sort(
        self, ids: Iterable[int], before: float = float("inf")
    ) -> list[tuple[float, list[int]]]:
        """Those of these whose claims end before that, by when they end, `AT_ONCE` at once."""
        found: dict[float, list[int]] = {}
        for id_ in ids:
            until = self._until.get(id_)
            if until is not None and until < before:
                found.setdefault(until, []).append(id_)
        return [
            (until, some[start : start + AT_ONCE])
            for until, some in found.items()
            for start in range(0, len(some), AT_ONCE)
        ]

    def lasts(self, delivery_id: int, until: float) -> bool:
        return self._until.get(delivery_id, 0.0) >= until

    def renewed(self, asked: Iterable[int], given: Collection[int], until: float) -> None:
        """Those that were not given are another one's by now, or have ended."""
        for id_ in asked:
            if id_ in given:
                self._until[id_] = until
            else:
                self.forget(id_)
