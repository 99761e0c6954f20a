"""Changing queues, and ending items without a further attempt.

A change that ends items marks its queue (`ending`), one that moves retries too
(`dialer.store.waits`); `go_on` then does what the marks name, a piece a transaction, the first in
the change's own. Marks outlive a crash: whoever calls `expire_items` next goes on.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from dialer.errors import Conflict, NotFound
from dialer.states import (
    QUEUE_TRANSITIONS,
    ItemEnd,
    ItemStatus,
    QueueKind,
    QueueStatus,
    check_transition,
)
from dialer.store import tables as t
from dialer.store.audit_rows import note
from dialer.store.bulk import driver_cursor
from dialer.store.contract import Candidate, Client, CloseItem, EndedItem, Queue
from dialer.store.deltas import Deltas
from dialer.store.outbox import insert_deliveries
from dialer.store.reading import LARGEST_ID, Prepared, prepare, read_all, read_prepared
from dialer.store.rows import (
    CANDIDATE_COLUMNS,
    CLIENT_COLUMNS,
    QUEUE_COLUMNS,
    dump_json,
    read_candidate,
    read_client,
    read_queue,
    to_micros,
    word,
)
from dialer.store.waits import move_some, moving_queues

CHUNK: Final = 100  # some 4 ms: writes of attempts get their turn between

_PENDING: Final = "pending"
_RETRIES: Final = "retries"
_CHANGEABLE: Final = frozenset({"retry", "retry_count", "retry_gap", "paused", "redial_unknown"})

_i = t.items.c
_waits = _i.status == word(ItemStatus.PENDING)
_fresh = _waits & _i.due_at.is_(None)
_due = _waits & _i.due_at.is_not(None)
_tried = (_i.attempts > 0) | (_i.unplaced > 0)
# What a mark ends, in conditions that the partial indexes answer.
ENDING: Final[dict[str, tuple[ColumnElement[bool], ...]]] = {
    _PENDING: (_fresh, _due),
    _RETRIES: (_due & _tried,),
}


def change_queue(
    connection: Connection,
    queue_id: int,
    changes: dict[str, Any],
    now: float,
    by: str | None = None,
) -> bool:
    """Apply `changes`; whether `go_on` has something to do. Raises `NotFound`; `Conflict`
    for a completed queue that should go on and for a quick queue that should be completed."""
    queue = load_queue(connection, queue_id)
    wanted = dict(changes)
    status = QueueStatus(wanted.pop("status", queue.status))
    if wanted.pop("closed", False):
        status = QueueStatus.COMPLETED
    if unknown := set(wanted) - _CHANGEABLE:
        raise ValueError(f"a queue has no changeable {', '.join(sorted(unknown))}")
    values = {**wanted, "updated_at": to_micros(now)}
    if status is QueueStatus.COMPLETED and ("status" in changes or changes.get("closed")):
        if queue.kind is QueueKind.QUICK:
            raise Conflict("the queue of quick calls is never completed")
        values |= {"closed": True, "ending": _PENDING, "ending_upto": None}
    elif "retry" in wanted and wanted["retry"] is not queue.retry:
        values |= _mark_of_retries(connection, queue_id, wanted["retry"])
    if wanted.get("retry_gap", queue.retry_gap) != queue.retry_gap:
        values["moved_upto"] = 0
    if status is not queue.status:
        if queue.status is QueueStatus.COMPLETED:
            raise Conflict(f"queue {queue_id} is completed")
        check_transition(QUEUE_TRANSITIONS, queue.status, status)
        values["status"] = status.value
    connection.execute(update(t.queues).where(t.queues.c.id == queue_id).values(values))
    note(connection, by, "queue.change", queue_id, changes, now)
    return values.get("ending") is not None or "moved_upto" in values


def _mark_of_retries(connection: Connection, queue_id: int, retry: bool) -> dict[str, Any]:
    """What becomes of a queue's mark when its retries are switched off or on. A flush under way
    stays: it goes on with the retries if they are off at its end. On again, what has not ended yet
    is spared."""
    ending = connection.scalar(select(t.queues.c.ending).where(t.queues.c.id == queue_id))
    if ending == _PENDING:
        return {}
    return {"ending": None if retry else _RETRIES, "ending_upto": None}


def mark_all(
    connection: Connection, client_id: int, now: float, by: str | None = None
) -> dict[int, int]:
    """Mark every queue of a client's that has something waiting, for all that waits now: no
    attempt of it is granted any more. Queue → how much of that no earlier mark ends anyway."""
    q = t.queues.c
    owned = (q.client_id == client_id) & (q.pending_count > 0)
    query = select(q.id, q.pending_count, q.retry, q.ending, q.ending_upto).where(owned)
    waiting = {raw[0]: _count_unmarked(connection, *raw) for raw in read_all(connection, query)}
    newest = select(func.max(_i.id)).scalar_subquery()
    ends_all = (q.ending == _PENDING) & q.ending_upto.is_(None)
    connection.execute(
        update(t.queues)
        .where(owned, ~func.coalesce(ends_all, False))
        .values(ending=_PENDING, ending_upto=newest)
    )
    account = connection.scalar(select(t.clients.c.accountcode).where(t.clients.c.id == client_id))
    note(connection, by, "client.flush", account, {"flushed": sum(waiting.values())}, now)
    return waiting


def _count_unmarked(
    connection: Connection,
    queue_id: int,
    pending: int,
    retry: bool,
    ending: str | None,
    upto: int | None,
) -> int:
    """How many of the `pending` items the queue's mark does not name."""
    if ending is None:
        return pending
    if ending == _PENDING and upto is None:
        return 0
    behind = _i.id > (upto or 0)
    unnamed = (_fresh & behind, _due & behind if retry else _due & behind & ~_tried)
    counts = (select(func.count()).where(waiting_in(queue_id), which) for which in unnamed)
    return sum(connection.scalars(count).one() for count in counts)


def load_queue(connection: Connection, queue_id: int) -> Queue:
    rows = read_all(connection, select(*QUEUE_COLUMNS).where(t.queues.c.id == queue_id))
    if not rows:
        raise NotFound("Queue not found")
    return read_queue(rows[0])


def go_on(connection: Connection, queue_id: int, close: CloseItem, now: float) -> bool:
    """Do a piece of what the queue's marks name; whether there may be more."""
    if end_marked(connection, queue_id, CHUNK, close, now) == CHUNK:
        return True
    return move_some(connection, queue_id)


def end_marked(
    connection: Connection, queue_id: int, limit: int, close: CloseItem, now: float
) -> int:
    """End up to `limit` items of a marked queue as terminated; how many. The mark goes with the
    last; that of a flush is followed by that of retries where these were switched off."""
    ended = 0
    while ended < limit:
        ((ending, upto, retry),) = read_prepared(connection, _MARK, queue_id)
        if ending is None:
            return ended
        for query in _NAMED[ending]:
            named = (queue_id, LARGEST_ID if upto is None else upto, limit - ended)
            candidates = _load_candidates(connection, query, *named)
            ended += _end_items(connection, candidates, ItemEnd.TERMINATED, close, now)
            if ended == limit:
                return ended
        behind = None if upto is None or retry else _RETRIES
        done = {"ending": behind, "ending_upto": None}
        connection.execute(update(t.queues).where(t.queues.c.id == queue_id).values(done))
    return ended


def waiting_in(queue_id: int) -> ColumnElement[bool]:
    """Items of a queue, by its servers: without those the index of all the items that it ever had
    would be read from its beginning."""
    lanes = select(t.queue_servers.c.server_id).where(t.queue_servers.c.queue_id == queue_id)
    return (_i.queue_id == queue_id) & _i.server_id.in_(lanes)


def _mark(queue_id: int) -> Select[Any]:
    q = t.queues.c
    return select(q.ending, q.ending_upto, q.retry).where(q.id == queue_id)


def _prepare_named(which: ColumnElement[bool]) -> Prepared:
    def named(queue_id: int, upto: int, limit: int) -> Select[Any]:
        condition = waiting_in(queue_id) & (_i.id <= upto)
        return select(*CANDIDATE_COLUMNS).where(condition, which).limit(limit)

    return prepare(named)


def expired(now: int, limit: int) -> Select[Any]:
    return (
        select(*CANDIDATE_COLUMNS)
        .where(_waits, _i.deadline.is_not(None), _i.deadline <= now)
        .order_by(_i.deadline)
        .limit(limit)
    )


def marked() -> Select[Any]:
    """Queues with the least to end first: none waits long behind one of very many items."""
    q = t.queues.c
    return select(q.id).where(q.ending.is_not(None)).order_by(q.pending_count, q.id)


def _owners(ids: str) -> Select[Any]:
    return select(*CLIENT_COLUMNS).where(t.clients.c.id.in_(_values(ids)))


def _codes(ids: str) -> Select[Any]:
    return select(t.servers.c.id, t.servers.c.code).where(t.servers.c.id.in_(_values(ids)))


def _values(ids: str) -> Select[Any]:
    """The numbers of a JSON array."""
    return select(func.json_each(ids).table_valued("value").c.value)


_MARK: Final = prepare(_mark)
_NAMED: Final = {name: tuple(map(_prepare_named, some)) for name, some in ENDING.items()}
_EXPIRED: Final = prepare(expired)
_MARKED: Final = prepare(marked)
_OWNERS: Final = prepare(_owners)
_CODES: Final = prepare(_codes)
_TERMINATE: Final = """
UPDATE items SET status = 'terminated', disposition = ?, due_at = NULL, ended_at = ?
WHERE status = 'pending' AND id IN (SELECT value FROM json_each(?))
"""


def marked_queues(connection: Connection) -> list[int]:
    return [raw[0] for raw in read_prepared(connection, _MARKED)]


def expire_items(connection: Connection, now: float, limit: int, close: CloseItem) -> int:
    """End up to `limit` items: those whose deadline has come, and what is left of unfinished
    changes, to which half the limit belongs. How many ended. Of waits that are to be moved a piece
    is."""
    unfinished = marked_queues(connection)
    share = (limit + 1) // 2 if unfinished else limit
    candidates = _load_candidates(connection, _EXPIRED, to_micros(now), share)
    ended = _end_items(connection, candidates, ItemEnd.EXPIRED, close, now)
    for queue_id in unfinished:
        ended += end_marked(connection, queue_id, limit - ended, close, now)
        if ended == limit:
            break
    for queue_id in moving_queues(connection)[:1]:
        move_some(connection, queue_id)
    return ended


def _load_candidates(connection: Connection, query: Prepared, *values: int) -> list[Candidate]:
    return [read_candidate(raw) for raw in read_prepared(connection, query, *values)]


def _end_items(
    connection: Connection,
    candidates: Sequence[Candidate],
    end: ItemEnd,
    close: CloseItem,
    now: float,
) -> int:
    """pending → terminated, with counts and closing callbacks."""
    if not candidates:
        return 0
    at, deltas, cursor = to_micros(now), Deltas(), driver_cursor(connection)
    ids = dump_json([candidate.id for candidate in candidates])
    cursor.execute(_TERMINATE, (end.value, at, ids))
    deliveries = []
    clients, codes = _load_owners(connection, candidates)
    for item in candidates:
        deltas.move(item.queue_id, ItemStatus.PENDING, ItemStatus.TERMINATED, at)
        ended = EndedItem(item, end, clients[item.client_id], codes[item.server_id])
        deliveries += [(delivery, now) for delivery in close(ended)]
    insert_deliveries(cursor, deliveries, deltas)
    deltas.apply(cursor)
    return len(candidates)


def _load_owners(
    connection: Connection, candidates: Sequence[Candidate]
) -> tuple[dict[int, Client], dict[int, str]]:
    """The clients of these items, and the codes of their servers, by id."""
    owners = dump_json(list({item.client_id for item in candidates}))
    clients = map(read_client, read_prepared(connection, _OWNERS, owners))
    servers = dump_json(list({item.server_id for item in candidates}))
    codes = read_prepared(connection, _CODES, servers)
    return {client.id: client for client in clients}, dict(codes)
