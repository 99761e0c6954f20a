"""Attempts, in bulk: the intent on disk before the Originate (`reserve`), the end (`settle`)."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dialer.errors import NotFound
from dialer.states import ItemEnd, ItemStatus
from dialer.store.bulk import Row, insert_rows, run_with_rows
from dialer.store.contract import Delivery, NewDelivery, Reservation, Settlement
from dialer.store.deltas import Deltas
from dialer.store.outbox import insert_deliveries
from dialer.store.rows import dump_cdr, dump_json, to_micros

RESERVATION: Final = ("item_id", "queue_id", "number", "channel_id", "action_id", "cdr_id", "at")

# Everything that can forbid a new attempt and lives in the database, looked at as it is now.
RESERVE: Final = """
INSERT INTO attempts
  (item_id, client_id, queue_id, server_id, number, channel_id, action_id, cdr_id, opened_at)
SELECT i.id, i.client_id, i.queue_id, i.server_id, r.number, r.channel_id, r.action_id, r.cdr_id,
  r.at
FROM {rows}
JOIN items i ON i.id = r.item_id
JOIN queues q ON q.id = i.queue_id
JOIN clients c ON c.id = i.client_id
JOIN servers s ON s.id = i.server_id
WHERE i.status = 'pending' AND i.queue_id = r.queue_id
  AND (i.due_at IS NULL OR i.due_at <= r.at) AND (i.deadline IS NULL OR i.deadline > r.at)
  AND q.status IN ('pending', 'in-progress') AND NOT q.paused
  AND NOT (q.ending IS 'pending' AND i.id <= coalesce(q.ending_upto, i.id))
  AND c.is_active AND c.status = 'active' AND NOT c.paused
  AND NOT s.paused AND NOT s.removed
  AND EXISTS (SELECT 1 FROM api_keys k WHERE k.client_id = c.id AND k.revoked_at IS NULL)
"""
_QUEUE_ITEMS: Final = """
UPDATE items SET status = 'queued'
WHERE status = 'pending' AND id IN (SELECT item_id FROM attempts WHERE id > ?)
"""
_GRANTED: Final = "SELECT json_group_array(cdr_id) FROM attempts WHERE id > ?"


def reserve(
    cursor: sqlite3.Cursor, reservations: Sequence[Reservation], deltas: Deltas
) -> list[bool]:
    """True for each that was granted. Raises IntegrityError where a channel id was used before,
    or where an item is named twice."""
    newest = cursor.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]
    rows = [
        (r.item_id, r.queue_id, r.number, r.channel_id, r.action_id, r.cdr_id, to_micros(r.now))
        for r in reservations
    ]
    inserted = run_with_rows(cursor, RESERVE, RESERVATION, rows)
    if not inserted:
        return [False] * len(reservations)
    cursor.execute(_QUEUE_ITEMS, (newest,))
    if inserted == len(reservations):
        granted = [True] * len(reservations)
    else:
        ids = set(json.loads(cursor.execute(_GRANTED, (newest,)).fetchone()[0]))
        granted = [r.cdr_id in ids for r in reservations]
    for reservation, given in zip(reservations, granted, strict=True):
        if given:
            at = to_micros(reservation.now)
            deltas.move(reservation.queue_id, ItemStatus.PENDING, ItemStatus.QUEUED, at)
    return granted


# An open attempt, with what its queue says of further ones.
_OPEN: Final = """
SELECT json_group_array(json_array(a.channel_id, a.id, a.item_id, a.queue_id, q.closed, q.retry,
  q.retry_gap))
FROM attempts a JOIN queues q ON q.id = a.queue_id
WHERE a.state = 'open' AND a.channel_id IN (SELECT value FROM json_each(?))
"""
_KNOWN: Final = """
SELECT json_group_array(channel_id) FROM attempts
WHERE channel_id IN (SELECT value FROM json_each(?))
"""
END_ATTEMPTS: Final = """
UPDATE attempts SET state = 'ended', ended_at = r.at
FROM {rows} WHERE attempts.id = r.id AND state = 'open'
"""
ITEM: Final = (
    "id", "status", "due_at", "placed", "unplaced", "disposition", "connected", "success",
    "failed", "cdr_id", "ended_at",
)  # fmt: skip
END_ITEMS: Final = """
UPDATE items SET status = r.status, due_at = r.due_at, attempts = attempts + r.placed,
  unplaced = items.unplaced + r.unplaced, after_unplaced = r.unplaced, disposition = r.disposition,
  connected = r.connected, call_success = call_success + r.success,
  call_failed = call_failed + r.failed, last_cdr_id = r.cdr_id, ended_at = r.ended_at
FROM {rows} WHERE items.id = r.id AND items.status = 'queued'
"""
_CDR: Final = (
    "attempt_id", "cdr_id", "client_id", "queue_id", "item_id", "server_code", "number",
    "disposition", "final", "started_at", "ended_at", "record",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Ending:
    """A settlement of an attempt that is open, and where it leaves the item."""

    settlement: Settlement
    attempt_id: int
    item_id: int
    queue_id: int
    status: ItemStatus
    deliveries: tuple[NewDelivery, ...]
    due_at: float | None


def settle(
    cursor: sqlite3.Cursor, settlements: Sequence[Settlement], deltas: Deltas
) -> list[tuple[Delivery, ...] | NotFound]:
    """The stored deliveries of each; () for an attempt that had ended before."""
    endings = _find_open(cursor, settlements)
    run_with_rows(
        cursor,
        END_ATTEMPTS,
        ("id", "at"),
        [(e.attempt_id, to_micros(e.settlement.now)) for e in endings.values()],
    )
    run_with_rows(cursor, END_ITEMS, ITEM, [_item_row(e) for e in endings.values()])
    insert_rows(cursor, "cdrs", _CDR, [_cdr_row(e) for e in endings.values()])
    stored = insert_deliveries(
        cursor,
        [(d, e.settlement.now) for e in endings.values() for d in e.deliveries],
        deltas,
    )
    results: list[tuple[Delivery, ...] | NotFound] = [()] * len(settlements)
    for place, ending in endings.items():
        at = to_micros(ending.settlement.now)
        deltas.move(ending.queue_id, ItemStatus.QUEUED, ending.status, at)
        deltas.tally(f"cdr/{ending.settlement.cdr.disposition}")
        results[place] = tuple(stored[: len(ending.deliveries)])
        stored = stored[len(ending.deliveries) :]
    _refuse_unknown(cursor, settlements, endings, results)
    return results


def _find_open(cursor: sqlite3.Cursor, settlements: Sequence[Settlement]) -> dict[int, _Ending]:
    """By place in `settlements`; of several for one attempt the first."""
    names = dump_json([s.channel_id for s in settlements])
    open_ = {
        raw[0].lower(): raw[1:] for raw in json.loads(cursor.execute(_OPEN, (names,)).fetchone()[0])
    }
    endings: dict[int, _Ending] = {}
    for place, settlement in enumerate(settlements):
        raw = open_.pop(settlement.channel_id.lower(), None)
        if raw is None:
            continue
        attempt_id, item_id, queue_id, closed, retry, gap = raw
        deliveries = settlement.deliveries
        if settlement.final:
            status = ItemStatus.PROCESSED
        elif closed or not retry:
            # The queue was completed, or lost its retries, while this was being decided.
            status, deliveries = ItemStatus.TERMINATED, deliveries + settlement.closing
        else:
            status = ItemStatus.PENDING
        due_at = _due_at(settlement, gap) if status is ItemStatus.PENDING else None
        endings[place] = _Ending(
            settlement, attempt_id, item_id, queue_id, status, deliveries, due_at
        )
    return endings


def _due_at(settlement: Settlement, gap: float) -> float:
    if settlement.next_attempt_at is None:
        return settlement.now
    used = settlement.retry_gap
    return settlement.next_attempt_at + (0.0 if used is None else gap - used)


def _item_row(ending: _Ending) -> Row:
    settlement, cdr = ending.settlement, ending.settlement.cdr
    now = to_micros(settlement.now)
    answered = cdr.disposition == "answered"
    ended = ending.status is ItemStatus.TERMINATED
    return (
        ending.item_id,
        ending.status.value,
        None if ending.due_at is None else to_micros(ending.due_at),
        not settlement.unplaced,
        settlement.unplaced,
        ItemEnd.TERMINATED.value if ended else cdr.disposition,
        cdr.connected,
        answered,
        not answered,
        cdr.cdr_id,
        None if ending.status is ItemStatus.PENDING else now,
    )


def _cdr_row(ending: _Ending) -> Row:
    cdr = ending.settlement.cdr
    return (
        ending.attempt_id,
        cdr.cdr_id,
        cdr.client_id,
        ending.queue_id,
        ending.item_id,
        cdr.server_code,
        cdr.number,
        cdr.disposition,
        cdr.final,
        to_micros(cdr.started_at),
        to_micros(cdr.ended_at),
        dump_cdr(cdr),
    )


def _refuse_unknown(
    cursor: sqlite3.Cursor,
    settlements: Sequence[Settlement],
    endings: dict[int, _Ending],
    results: list[tuple[Delivery, ...] | NotFound],
) -> None:
    """An attempt that never was is our own mistake, unlike one that has ended."""
    left = [place for place in range(len(settlements)) if place not in endings]
    if not left:
        return
    names = dump_json([settlements[place].channel_id for place in left])
    known = {name.lower() for name in json.loads(cursor.execute(_KNOWN, (names,)).fetchone()[0])}
    for place in left:
        channel_id = settlements[place].channel_id
        if channel_id.lower() not in known:
            results[place] = NotFound(f"there is no attempt {channel_id}")
