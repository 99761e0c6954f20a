"""Attempts, in bulk: the intent on disk before the Originate (`reserve`), the end (`settle`), and
taking back what never left (`withdraw`). Each names the state it leaves and its owner's token."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dialer.errors import NotFound, OwnershipLost
from dialer.states import ItemEnd, ItemStatus
from dialer.store.bulk import Row, make_arrays, run_with_rows, with_arrays
from dialer.store.cdr_rows import insert_cdrs, make_row
from dialer.store.contract import Delivery, NewDelivery, Reservation, Settlement, Withdrawal
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor, Sql, both, is_sqlite, relation
from dialer.store.outbox import finish_delivery, insert_deliveries
from dialer.store.rows import dump_json, to_micros

RESERVATION: Final = relation(
    item_id="bigint",
    queue_id="bigint",
    number="integer",
    channel_id="text",
    action_id="text",
    cdr_id="text",
    at="bigint",
    fence="bigint",
)

# Everything that can forbid a new attempt and lives in the database, looked at as it is now.
RESERVE: Final = both("""
INSERT INTO attempts
  (item_id, client_id, queue_id, server_id, number, channel_id, action_id, cdr_id, opened_at,
   fence)
SELECT i.id, i.client_id, i.queue_id, i.server_id, r.number, r.channel_id, r.action_id, r.cdr_id,
  r.at, r.fence
FROM {rows}
JOIN items i ON i.id = r.item_id
JOIN queues q ON q.id = i.queue_id
JOIN clients c ON c.id = i.client_id
JOIN servers s ON s.id = i.server_id
WHERE i.status = 'pending' AND i.queue_id = r.queue_id
  AND (i.deadline IS NULL OR i.deadline > r.at) AND (i.due_at IS NULL
    OR i.due_at <= r.at AND q.moved_upto IS NULL AND coalesce(q.ending, '') <> 'retries')
  AND q.status IN ('pending', 'in-progress') AND NOT q.paused
  AND NOT (coalesce(q.ending, '') = 'pending' AND i.id <= coalesce(q.ending_upto, i.id))
  AND (q.retry OR i.attempts + i.unplaced = 0)
  AND c.is_active AND c.status = 'active' AND NOT c.paused
  AND NOT s.paused AND NOT s.removed AND s.fence = r.fence
  AND EXISTS (SELECT 1 FROM api_keys k WHERE k.client_id = c.id AND k.revoked_at IS NULL)
@locking(FOR UPDATE OF i SKIP LOCKED)
""")
_NEWEST: Final = both("SELECT coalesce(max(id), 0) FROM attempts")
_QUEUE_ITEMS: Final = both("""
UPDATE items SET status = 'queued', kept_ids = NULL
WHERE status = 'pending' AND id IN (SELECT item_id FROM attempts WHERE id > ? AND state = 'open')
""")
_GRANTED: Final = both("SELECT @list(cdr_id) FROM attempts WHERE id > ?")
# The same at once, which SQLite cannot say; each way to PostgreSQL is one for whoever waits for the
# queues that are held.
_RESERVE_AT_ONCE: Final = Sql(
    "",
    f"""
WITH placed AS ({RESERVE.postgres} RETURNING item_id, cdr_id), queued AS (
  UPDATE items SET status = 'queued', kept_ids = NULL FROM placed
  WHERE items.id = placed.item_id AND items.status = 'pending')
SELECT cdr_id FROM placed
""",  # noqa: S608
)
_CDR_ID: Final = RESERVATION.names.index("cdr_id")
_FENCES: Final = both("SELECT @list(@row(id, fence)) FROM servers")


def reserve(
    cursor: Cursor, reservations: Sequence[Reservation], deltas: Deltas
) -> list[bool | OwnershipLost]:
    """True for each that was granted. Raises IntegrityError where a channel id was used before,
    or where an item is named twice."""
    rows: list[Row] = [
        (r.item_id, r.queue_id, r.number, r.channel_id, r.action_id, r.cdr_id, to_micros(r.now),
         r.fence)
        for r in reservations
    ]  # fmt: skip
    granted = _place(cursor, rows)
    outcomes: list[bool | OwnershipLost] = [True] * len(reservations)
    if len(granted) < len(reservations):
        fences = dict(json.loads(_FENCES.ask(cursor)))
        outcomes = [r.cdr_id in granted or _refusal(r, fences) for r in reservations]
    for reservation, outcome in zip(reservations, outcomes, strict=True):
        if outcome is True:
            at = to_micros(reservation.now)
            deltas.move(reservation.queue_id, ItemStatus.PENDING, ItemStatus.QUEUED, at)
    return outcomes


def _place(cursor: Cursor, rows: Sequence[Row]) -> set[str]:
    """Insert the attempts that are granted, and queue their items; their CDR ids."""
    if not is_sqlite(cursor):
        text = with_arrays(_RESERVE_AT_ONCE, RESERVATION)
        found = cursor.execute(text, make_arrays(RESERVATION, rows)).fetchall()
        return {raw[0] for raw in found}
    newest = int(_NEWEST.ask(cursor))
    inserted = run_with_rows(cursor, RESERVE, RESERVATION, rows)
    if inserted:
        _QUEUE_ITEMS.run(cursor, newest)
    if inserted == len(rows):
        return {row[_CDR_ID] for row in rows}
    return set(json.loads(_GRANTED.ask(cursor, newest)))


def _refusal(reservation: Reservation, fences: dict[int, int]) -> bool | OwnershipLost:
    stale = fences.get(reservation.server_id, reservation.fence) != reservation.fence
    return OwnershipLost(reservation.server_id) if stale else False


# An open attempt, with its server's fence and what its queue says of further ones.
_OPEN: Final = both("""
SELECT @list(@row(a.channel_id, a.id, a.item_id, a.queue_id, a.server_id, s.fence,
  q.closed, q.retry, q.retry_gap))
FROM attempts a JOIN queues q ON q.id = a.queue_id JOIN servers s ON s.id = a.server_id
WHERE a.state = 'open' AND @name(a.channel_id) IN @names(?)
""")
_KNOWN: Final = both("""
SELECT @list(channel_id) FROM attempts WHERE @name(channel_id) IN @names(?)
""")
ENDED: Final = relation(id="bigint", at="bigint")
END_ATTEMPTS: Final = both("""
UPDATE attempts SET state = 'ended', ended_at = r.at
FROM {rows} WHERE attempts.id = r.id AND state = 'open'
""")
ITEM: Final = relation(
    id="bigint",
    status="text",
    due_at="bigint",
    placed="integer",
    unplaced="integer",
    disposition="text",
    connected="boolean",
    success="integer",
    failed="integer",
    cdr_id="text",
    ended_at="bigint",
)
END_ITEMS: Final = both("""
UPDATE items SET status = r.status, due_at = r.due_at, attempts = attempts + r.placed,
  unplaced = items.unplaced + r.unplaced, after_unplaced = r.unplaced <> 0,
  disposition = r.disposition, connected = r.connected, call_success = call_success + r.success,
  call_failed = call_failed + r.failed, last_cdr_id = r.cdr_id, ended_at = r.ended_at
FROM {rows} WHERE items.id = r.id AND items.status = 'queued'
""")


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


Stored = tuple[Delivery, ...] | NotFound | OwnershipLost


def settle(cursor: Cursor, settlements: Sequence[Settlement], deltas: Deltas) -> list[Stored]:
    """The stored deliveries of each; () for an attempt that had ended before."""
    results: list[Stored] = [()] * len(settlements)
    endings = {
        place: _ending(settlements[place], found)
        for place, found in _find_open(cursor, settlements, results).items()
    }
    run_with_rows(
        cursor,
        END_ATTEMPTS,
        ENDED,
        [(e.attempt_id, to_micros(e.settlement.now)) for e in endings.values()],
    )
    run_with_rows(cursor, END_ITEMS, ITEM, [_item_row(e) for e in endings.values()])
    ids = insert_cdrs(cursor, [_cdr_row(e) for e in endings.values()])
    stored = insert_deliveries(
        cursor,
        [
            (finish_delivery(d, cdr_row), e.settlement.now)
            for cdr_row, e in zip(ids, endings.values(), strict=True)
            for d in e.deliveries
        ],
        deltas,
    )
    for place, ending in endings.items():
        at = to_micros(ending.settlement.now)
        deltas.move(ending.queue_id, ItemStatus.QUEUED, ending.status, at)
        deltas.tally(f"cdr/{ending.settlement.cdr.disposition}")
        results[place] = tuple(stored[: len(ending.deliveries)])
        stored = stored[len(ending.deliveries) :]
    return results


@dataclass(frozen=True, slots=True)
class _Open:
    """An open attempt, and what its queue says of further ones now."""

    id: int
    item_id: int
    queue_id: int
    server_id: int
    fence: int
    closed: bool
    retry: bool
    gap: float


def _find_open(
    cursor: Cursor,
    writes: Sequence[Settlement | Withdrawal],
    results: list[Stored],
) -> dict[int, _Open]:
    """The open attempts that these writes may leave, by place in `writes`; of several for one
    attempt the first. In `results`: `OwnershipLost` for an attempt that is another worker's,
    `NotFound` for one that never was, which is our own mistake, unlike one that has ended."""
    names = dump_json([write.channel_id for write in writes])
    rows = json.loads(_OPEN.ask(cursor, names))
    open_ = {raw[0].lower(): _Open(*raw[1:]) for raw in rows}
    found: dict[int, _Open] = {}
    left: list[int] = []
    for place, write in enumerate(writes):
        attempt = open_.get(write.channel_id.lower())
        if attempt is None:
            left.append(place)
        elif attempt.fence != write.fence:
            results[place] = OwnershipLost(attempt.server_id)
        else:
            found[place] = attempt
            del open_[write.channel_id.lower()]
    if left:
        names = dump_json([writes[place].channel_id for place in left])
        ended = json.loads(_KNOWN.ask(cursor, names))
        known = {name.lower() for name in ended}
        for place in left:
            if writes[place].channel_id.lower() not in known:
                results[place] = NotFound(f"there is no attempt {writes[place].channel_id}")
    return found


def _ending(settlement: Settlement, found: _Open) -> _Ending:
    deliveries = settlement.deliveries
    if settlement.final:
        status = ItemStatus.PROCESSED
    elif found.closed or not found.retry:
        # The queue was completed, or lost its retries, while this was being decided.
        status, deliveries = ItemStatus.TERMINATED, deliveries + settlement.closing
    else:
        status = ItemStatus.PENDING
    due_at = _due_at(settlement, found.gap) if status is ItemStatus.PENDING else None
    return _Ending(settlement, found.id, found.item_id, found.queue_id, status, deliveries, due_at)


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
    return make_row(ending.settlement.cdr, ending.attempt_id, ending.queue_id, ending.item_id)


# Its ids go to the item before the row goes; `{rows}` are attempts and what becomes of their items.
_WITHDRAWAL: Final = relation(id="bigint", status="text", disposition="text", ended_at="bigint")
GIVE_BACK: Final = both("""
UPDATE items SET status = r.status, disposition = coalesce(r.disposition, items.disposition),
  ended_at = r.ended_at, kept_ids = @row(a.channel_id, a.action_id, a.cdr_id)
FROM {rows} JOIN attempts a ON a.id = r.id AND a.state = 'open'
WHERE items.id = a.item_id AND items.status = 'queued'
""")
_TAKE_BACK: Final = both("DELETE FROM attempts WHERE state = 'open' AND id IN @numbers(?)")
_TRIED: Final = both("""
SELECT @list(id) FROM items WHERE attempts + unplaced > 0 AND id IN @numbers(?)
""")


def withdraw(cursor: Cursor, withdrawals: Sequence[Withdrawal], deltas: Deltas) -> list[Stored]:
    """The stored deliveries of each; () for an attempt that had ended before, or is not there: that
    is what a withdrawal wants. A queue that was completed, or lost its retries, takes no (further)
    attempt of the item: it ends."""
    results: list[Stored] = [()] * len(withdrawals)
    found = _find_open(cursor, withdrawals, results)
    results = [() if isinstance(result, NotFound) else result for result in results]
    items = dump_json([attempt.item_id for attempt in found.values()])
    tried = set(json.loads(_TRIED.ask(cursor, items)))
    rows: list[Row] = []
    for place, attempt in found.items():
        withdrawal = withdrawals[place]
        at = to_micros(withdrawal.now)
        if attempt.closed or (not attempt.retry and attempt.item_id in tried):
            status = ItemStatus.TERMINATED
            rows.append((attempt.id, status.value, ItemEnd.TERMINATED.value, at))
            closing = [(delivery, withdrawal.now) for delivery in withdrawal.closing]
            results[place] = tuple(insert_deliveries(cursor, closing, deltas))
        else:
            status = ItemStatus.PENDING
            rows.append((attempt.id, status.value, None, None))
        deltas.move(attempt.queue_id, ItemStatus.QUEUED, status, at)
    run_with_rows(cursor, GIVE_BACK, _WITHDRAWAL, rows)
    _TAKE_BACK.run(cursor, dump_json([attempt.id for attempt in found.values()]))
    return results
