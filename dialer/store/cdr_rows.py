"""Writing CDRs: the row with what histories are searched by, the blocks they are counted in, the
projects they name. Part of the transaction that ends their attempts.

A block is a run of one client's CDRs in their order: how many they are, and when the first and the
last of their calls began. Blocks but the newest do not change any more, so a page far down is found
by adding up sizes, and what was once counted in a block stays counted (`dialer.store.histories`).
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from dialer.cdr import Cdr
from dialer.dialects.parties import find_extension
from dialer.histories import App, name_app, name_source
from dialer.store import tables as t
from dialer.store.bulk import Row, insert_rows, run_with_rows
from dialer.store.dialect import Cursor, both, relation_of
from dialer.store.row_locks import hold_histories
from dialer.store.rows import dump_cdr, dump_json, to_micros

BLOCK: Final = 4096
"""CDRs of a block; a transaction's are not parted, so it may be some hundred more. Older blocks may
be of another size: nothing depends on it."""

# Ids that others chose lie anywhere in an index, and each write of one would be another page to
# write: so they are sorted within a shelf of rows, and looked for on every shelf.
SHELF_BITS: Final = 11

COLUMNS: Final = (
    "attempt_id", "cdr_id", "client_id", "queue_id", "item_id", "server_code", "number",
    "disposition", "final", "started_at", "ended_at", "record", "source", "extension", "project",
    "duration", "talked", "recorded", "call_id", "client_channel_id", "sip_call_id", "shelf",
)  # fmt: skip
_CLIENT, _STARTED, _PROJECT = (COLUMNS.index(n) for n in ("client_id", "started_at", "project"))

ROW: Final = relation_of(t.cdrs, COLUMNS)
_BLOCK: Final = relation_of(
    t.cdr_blocks, ("client_id", "first_id", "last_id", "size", "earliest", "latest")
)
COUNT: Final = both(f"""
INSERT INTO cdr_blocks (client_id, first_id, last_id, size, earliest, latest)
SELECT r.client_id, coalesce((SELECT CASE WHEN b.size < {BLOCK} THEN b.first_id END
    FROM cdr_blocks b WHERE b.client_id = r.client_id ORDER BY b.first_id DESC LIMIT 1),
  r.first_id), r.last_id, r.size, r.earliest, r.latest
FROM {{rows}} WHERE true
ON CONFLICT (client_id, first_id) DO UPDATE SET last_id = excluded.last_id,
  size = cdr_blocks.size + excluded.size, earliest = @least(cdr_blocks.earliest, excluded.earliest),
  latest = @greatest(cdr_blocks.latest, excluded.latest)
""")  # noqa: S608
KNOWN: Final = both("""
SELECT @list(@row(p.client_id, p.name))
FROM @pairs(?) AS n JOIN projects p ON p.client_id = n.one AND p.name = n.other
""")
_NAME: Final = both("""
INSERT INTO projects (client_id, number, name)
SELECT CAST(?1 AS BIGINT), coalesce(max(number), 0) + 1, CAST(?2 AS VARCHAR)
FROM projects WHERE client_id = ?1
""")


def make_row(cdr: Cdr, attempt_id: int, queue_id: int, item_id: int) -> Row:
    """A CDR's row, as `COLUMNS` names its values."""
    return (
        attempt_id,
        cdr.cdr_id,
        cdr.client_id,
        queue_id,
        item_id,
        cdr.server_code,
        cdr.number,
        cdr.disposition,
        cdr.final,
        to_micros(cdr.started_at),
        to_micros(cdr.ended_at),
        dump_cdr(cdr),
        name_source(cdr.caller_id) or "",
        find_extension(cdr),
        cdr.project,
        cdr.duration,
        name_app(False, cdr.application) is App.AUTODIALER,
        cdr.recording_path is not None,
        cdr.call_id,
        cdr.client_channel_id,
        cdr.sip_call_id,
        attempt_id >> SHELF_BITS,
    )


def insert_cdrs(cursor: Cursor, rows: Sequence[Row]) -> Sequence[int]:
    """Insert rows of `make_row`; the ids they got, in their order."""
    hold_histories(cursor, (row[_CLIENT] for row in rows))
    ids = insert_rows(cursor, "cdrs", ROW, rows)
    run_with_rows(cursor, COUNT, _BLOCK, _count(rows, ids))
    _name_projects(cursor, rows)
    return ids


def _count(rows: Sequence[Row], ids: Sequence[int]) -> list[Row]:
    """What these rows add to the blocks of their clients."""
    added: dict[int, list[int]] = {}
    for id_, row in zip(ids, rows, strict=True):
        client_id, at = row[_CLIENT], row[_STARTED]
        block = added.get(client_id)
        if block is None:
            added[client_id] = [client_id, id_, id_, 1, at, at]
            continue
        block[2] = id_
        block[3] += 1
        if at < block[4]:
            block[4] = at
        elif at > block[5]:
            block[5] = at
    return [tuple(block) for block in added.values()]


def _name_projects(cursor: Cursor, rows: Sequence[Row]) -> None:
    """Number the projects that are new."""
    names: dict[tuple[int, Any], None] = dict.fromkeys((r[_CLIENT], r[_PROJECT]) for r in rows)
    wanted = [name for name in names if name[1] is not None]
    if not wanted:
        return
    found = json.loads(KNOWN.ask(cursor, dump_json(wanted)))
    known = {(client_id, name) for client_id, name in found}
    for name in wanted:
        if name not in known:
            _NAME.run(cursor, *name)
