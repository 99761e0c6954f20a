"""Reads the dialer's database, from outside and without writing.

While the dialer lives only: the last connection that is closed would tidy up after a kill, which is
what the next life must be seen to do. After the last life anything goes.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from chaos.records import Attempt, CdrRow, Item, Rows

ENDED: Final = "('delivered', 'dead')"


def _read(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10.0)) as connection:
        return connection.execute(query).fetchall()


def count_open(file: Path) -> int:
    """Attempts that hold a slot."""
    return int(_read(file, "SELECT count(*) FROM attempts WHERE ended_at IS NULL")[0][0])


def count_unfinished(file: Path) -> dict[str, int]:
    """What is not at its end: items, attempts and deliveries."""
    items = _read(
        file, "SELECT count(*) FROM items WHERE status NOT IN ('processed', 'terminated')"
    )
    deliveries = _read(file, f"SELECT count(*) FROM deliveries WHERE state NOT IN {ENDED}")
    return {
        "items": int(items[0][0]),
        "attempts": count_open(file),
        "deliveries": int(deliveries[0][0]),
    }


def count_terminated(file: Path) -> int:
    """Items that ended without a further attempt."""
    return int(_read(file, "SELECT count(*) FROM items WHERE status = 'terminated'")[0][0])


def read_times(file: Path) -> list[dict[str, Any]]:
    """The records of all CDRs."""
    return [json.loads(record) for (record,) in _read(file, "SELECT record FROM cdrs")]


def read_rows(file: Path) -> Rows:
    """All that the checker wants to know."""
    items = _read(file, "SELECT id, number, status, attempts FROM items")
    attempts = _read(
        file,
        "SELECT a.item_id, i.number, a.channel_id, a.cdr_id, "
        "CASE WHEN a.ended_at IS NULL THEN 'open' ELSE 'ended' END "
        "FROM attempts a JOIN items i ON i.id = a.item_id",
    )
    cdrs = _read(
        file,
        "SELECT c.cdr_id, a.channel_id, i.number, c.disposition, c.final FROM cdrs c "
        "JOIN attempts a ON a.id = c.attempt_id JOIN items i ON i.id = c.item_id",
    )
    held = count_unfinished(file)
    queued = _read(file, "SELECT coalesce(sum(pending_count + queued_count), 0) FROM queues")
    held["items counted by their queues as not ended"] = int(queued[0][0])
    dead = _read(file, "SELECT count(*) FROM deliveries WHERE state = 'dead'")
    held["dead letters"] = int(dead[0][0])
    return Rows(
        items=tuple(Item(*row) for row in items),
        attempts=tuple(Attempt(*row) for row in attempts),
        cdrs=tuple(
            CdrRow(cdr_id, channel_id, number, disposition, bool(final))
            for cdr_id, channel_id, number, disposition, final in cdrs
        ),
        held=held,
    )
