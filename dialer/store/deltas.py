"""What a transaction's writes change in the counts, applied once at its end."""

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Final

from dialer.states import ItemStatus
from dialer.store.bulk import run_with_rows


@dataclass(slots=True)
class QueueDelta:
    total: int = 0
    pending: int = 0
    queued: int = 0
    processed: int = 0
    terminated: int = 0
    started: bool = False
    at: int = 0  # microseconds


class Deltas:
    """Changes of queues' counts and of tallies. A queue whose first item is reserved becomes
    in-progress; a batch queue with nothing pending or queued left becomes completed."""

    def __init__(self) -> None:
        self.queues: dict[int, QueueDelta] = {}
        self.tallies: Counter[str] = Counter()

    def move(
        self, queue_id: int, old: ItemStatus | None, new: ItemStatus, at: int, count: int = 1
    ) -> None:
        """`count` items of a queue went from `old` (None: they are new) to `new`."""
        delta = self.queues.setdefault(queue_id, QueueDelta())
        delta.at = max(delta.at, at)
        if old is None:
            delta.total += count
        else:
            setattr(delta, old, getattr(delta, old) - count)
        setattr(delta, new, getattr(delta, new) + count)
        delta.started |= new is ItemStatus.QUEUED

    def tally(self, name: str, count: int = 1) -> None:
        self.tallies[name] += count

    def add(self, other: "Deltas") -> None:
        for queue_id, theirs in other.queues.items():
            mine = self.queues.setdefault(queue_id, QueueDelta())
            for name in ("total", "pending", "queued", "processed", "terminated"):
                setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
            mine.started |= theirs.started
            mine.at = max(mine.at, theirs.at)
        self.tallies.update(other.tallies)

    def apply(self, cursor: sqlite3.Cursor) -> None:
        """Write the changes; part of the transaction that made them."""
        if self.queues:
            run_with_rows(cursor, _APPLY_QUEUES, _QUEUE_NAMES, self._queue_rows())
        changed = [(name, count) for name, count in self.tallies.items() if count]
        if changed:
            run_with_rows(cursor, _APPLY_TALLIES, ("name", "value"), changed)

    def _queue_rows(self) -> list[tuple[int, ...]]:
        return [
            (id_, d.total, d.pending, d.queued, d.processed, d.terminated, d.started, d.at)
            for id_, d in self.queues.items()
        ]


_QUEUE_NAMES: Final = (
    "id", "total", "pending", "queued", "processed", "terminated", "started", "at",
)  # fmt: skip

_APPLY_QUEUES: Final = """
UPDATE queues SET
  total_count = total_count + r.total,
  pending_count = pending_count + r.pending,
  queued_count = queued_count + r.queued,
  processed_count = processed_count + r.processed,
  terminated_count = terminated_count + r.terminated,
  updated_at = max(updated_at, r.at),
  status = CASE
    WHEN kind = 'batch' AND total_count + r.total > 0
      AND pending_count + r.pending = 0 AND queued_count + r.queued = 0 THEN 'completed'
    WHEN status = 'pending' AND r.started THEN 'in-progress'
    ELSE status END
FROM {rows} WHERE queues.id = r.id
"""

_APPLY_TALLIES: Final = """
INSERT INTO tallies (name, value) SELECT name, value FROM {rows} WHERE true
ON CONFLICT (name) DO UPDATE SET value = tallies.value + excluded.value
"""
