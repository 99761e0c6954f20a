"""What a transaction's writes change in the counts, applied once at its end."""

from collections import Counter
from typing import Final

from dialer.states import ItemStatus
from dialer.store.bulk import run_with_rows
from dialer.store.dialect import Cursor, both, relation
from dialer.store.row_locks import hold_rows


class Deltas:
    """Changes of queues' counts and of tallies. A queue whose first item is reserved becomes
    in-progress; a batch queue with nothing pending or queued left becomes completed."""

    def __init__(self) -> None:
        self._moves: Counter[tuple[int, ItemStatus | None, ItemStatus]] = Counter()
        self._tallies: Counter[str] = Counter()
        self._at = 0

    def move(
        self, queue_id: int, old: ItemStatus | None, new: ItemStatus, at: int, count: int = 1
    ) -> None:
        """`count` items of a queue went from `old` (None: they are new) to `new`; `at` in
        microseconds."""
        self._moves[queue_id, old, new] += count
        if at > self._at:
            self._at = at

    def tally(self, name: str, count: int = 1) -> None:
        self._tallies[name] += count

    def add(self, other: "Deltas") -> None:
        self._moves.update(other._moves)
        self._tallies.update(other._tallies)
        self._at = max(self._at, other._at)

    def apply(self, cursor: Cursor, *, held: bool = False) -> None:
        """Write the changes; part of the transaction that made them. `held`: it holds the queues
        since it began (`dialer.store.row_locks`)."""
        if self._moves:
            rows = self._queue_rows()
            if not held:
                hold_rows(cursor, "queues", (row[0] for row in rows))
            run_with_rows(cursor, _APPLY_QUEUES, _QUEUE, rows)
        changed = sorted((name, count) for name, count in self._tallies.items() if count)
        if changed:
            run_with_rows(cursor, _APPLY_TALLIES, _TALLY, changed)

    def _queue_rows(self) -> list[tuple[int, ...]]:
        queues: dict[int, Counter[str]] = {}
        for (queue_id, old, new), count in self._moves.items():
            changes = queues.setdefault(queue_id, Counter())
            changes["total" if old is None else old] += count if old is None else -count
            changes[new] += count
            changes["started"] |= new is ItemStatus.QUEUED
        return [
            (queue_id, *(changes[name] for name in _QUEUE.names[1:-1]), self._at)
            for queue_id, changes in sorted(queues.items())
        ]


_QUEUE: Final = relation(
    id="bigint",
    total="integer",
    pending="integer",
    queued="integer",
    processed="integer",
    terminated="integer",
    started="integer",
    at="bigint",
)
_APPLY_QUEUES: Final = both("""
UPDATE queues SET
  total_count = total_count + r.total,
  pending_count = pending_count + r.pending,
  queued_count = queued_count + r.queued,
  processed_count = processed_count + r.processed,
  terminated_count = terminated_count + r.terminated,
  updated_at = @greatest(updated_at, r.at),
  status = CASE
    WHEN kind = 'batch' AND total_count + r.total > 0
      AND pending_count + r.pending = 0 AND queued_count + r.queued = 0 THEN 'completed'
    WHEN status = 'pending' AND r.started <> 0 THEN 'in-progress'
    ELSE status END
FROM {rows} WHERE queues.id = r.id
""")

_TALLY: Final = relation(name="text", value="bigint")
_APPLY_TALLIES: Final = both("""
INSERT INTO tallies (name, value) SELECT name, value FROM {rows} WHERE true
ON CONFLICT (name) DO UPDATE SET value = tallies.value + excluded.value
""")
