"""What became of a load, seen from both ends, and whether it adds up. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialer.cdr import Cdr
from dialer.states import ItemStatus
from dialer.store.contract import Totals


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived at the far ends: Originates at Asterisk, callbacks of attempts by cdr_id,
    closing callbacks by call_id with their disposition, CDRs at the gateway by uuid. `repeated`
    arrived more than once; `turned_away` were refused and had to come again."""

    originates: int
    callbacks: frozenset[str]
    closings: Mapping[str, str]
    sgapi: frozenset[str]
    repeated: int = 0
    turned_away: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Attempts with one disposition, and items that ended with it."""

    disposition: str
    attempts: int
    items: int


@dataclass(frozen=True, slots=True)
class Sum:
    """A sentence that must be true: `left` of something is `right`."""

    text: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class Outcome:
    """The table, its totals, and the sums. `complete`: all of them hold."""

    rows: tuple[Row, ...]
    attempts: int
    items: int
    repeated: int
    turned_away: int
    sums: tuple[Sum, ...]

    @property
    def complete(self) -> bool:
        return all(entry.holds for entry in self.sums)


def tally(cdrs: Sequence[Cdr], totals: Totals, received: Received) -> Outcome:
    """Compare what the store holds with what arrived."""
    attempts = Counter(cdr.disposition for cdr in cdrs)
    ends = Counter(cdr.disposition for cdr in cdrs if cdr.final)
    ends.update(received.closings.values())
    order = sorted(attempts | ends, key=lambda word: (-attempts[word], -ends[word], word))
    rows = tuple(Row(word, attempts[word], ends[word]) for word in order)
    return Outcome(
        rows=rows,
        attempts=len(cdrs),
        items=ends.total(),
        repeated=received.repeated,
        turned_away=received.turned_away,
        sums=_add_up(cdrs, totals, received, ends.total()),
    )


def _add_up(cdrs: Sequence[Cdr], totals: Totals, received: Received, ended: int) -> tuple[Sum, ...]:
    items = sum(totals.items.values())
    processed = totals.items.get(ItemStatus.PROCESSED, 0)
    terminated = totals.items.get(ItemStatus.TERMINATED, 0)
    closings = len(received.closings)
    ids = {cdr.cdr_id for cdr in cdrs}
    return (
        Sum(
            f"items: {items} = {processed} processed + {terminated} terminated",
            items,
            processed + terminated,
        ),
        Sum(f"each with one end: {ended}", ended, items),
        Sum(f"CDRs: {len(cdrs)} = {received.originates} attempts", len(ids), received.originates),
        Sum(
            f"callbacks: {len(received.callbacks) + closings}"
            f" = {len(cdrs)} CDRs + {terminated} closings",
            len(received.callbacks & ids) + closings,
            len(ids) + terminated,
        ),
        Sum(
            f"SGAPI: {len(received.sgapi)} = {len(cdrs)} CDRs",
            len(received.sgapi & ids),
            len(ids),
        ),
    )
