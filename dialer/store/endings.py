"""Ending items without a further attempt: what marks of queues name, and what expires.

A change that ends items marks its queue (`ending`, written by `dialer.store.queue_rows`), one that
moves retries too (`dialer.store.waits`); `go_on` does what the marks name, a piece a transaction.
Marks outlive a crash: whoever calls `expire_items` next goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select, update

from dialer.states import ItemEnd, ItemStatus
from dialer.store import tables as t
from dialer.store.bulk import driver_cursor
from dialer.store.contract import Candidate, Client, CloseItem, EndedItem
from dialer.store.deltas import Deltas
from dialer.store.dialect import SQLITE, both, is_among
from dialer.store.outbox import insert_deliveries
from dialer.store.reading import LARGEST_ID, Prepared, prepare, read_prepared
from dialer.store.row_locks import hold_queues
from dialer.store.rows import (
    CANDIDATE_COLUMNS,
    CLIENT_COLUMNS,
    dump_json,
    read_candidate,
    read_client,
    to_micros,
    word,
)
from dialer.store.waits import move_some, moving_queues

CHUNK: Final = 100  # some 4 ms: writes of attempts get their turn between

# What a mark says is to be ended: everything that waits, or what waits for a retry.
PENDING: Final = "pending"
RETRIES: Final = "retries"

_i = t.items.c
_waits = _i.status == word(ItemStatus.PENDING)
FRESH: Final = _waits & _i.due_at.is_(None)
DUE: Final = _waits & _i.due_at.is_not(None)
TRIED: Final = (_i.attempts > 0) | (_i.unplaced > 0)
# The same in conditions that the partial indexes answer.
ENDING: Final[dict[str, tuple[ColumnElement[bool], ...]]] = {
    PENDING: (FRESH, DUE),
    RETRIES: (DUE & TRIED,),
}


def go_on(connection: Connection, queue_id: int, close: CloseItem, now: float) -> bool:
    """Do a piece of what the queue's marks name; whether there may be more."""
    hold_queues(connection, [queue_id])
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
        behind = None if upto is None or retry else RETRIES
        done = {"ending": behind, "ending_upto": None}
        connection.execute(update(t.queues).where(t.queues.c.id == queue_id).values(done))
    return ended


def waiting_in(queue_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Items of a queue, by its servers: without those the index of all the items that it ever had
    would be read from its beginning."""
    lanes = t.queue_servers.c
    servers = select(lanes.server_id).where(lanes.queue_id == queue_id).correlate(t.queues)
    return (_i.queue_id == queue_id) & _i.server_id.in_(servers)


def _mark(queue_id: int) -> Select[Any]:
    q = t.queues.c
    return select(q.ending, q.ending_upto, q.retry).where(q.id == queue_id)


def name_marked(which: ColumnElement[bool]) -> Callable[[int, int, int], Select[Any]]:
    """The query of items of a queue, up to an id, that a mark names."""

    def named(queue_id: int, upto: int, limit: int) -> Select[Any]:
        # No bound of a search: by the index of retries, not through all items that there ever were.
        is_before = _i.id + 0 <= upto
        return select(*CANDIDATE_COLUMNS).where(waiting_in(queue_id), is_before, which).limit(limit)

    return named


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
    return select(*CLIENT_COLUMNS).where(is_among(t.clients.c.id, ids))


def _codes(ids: str) -> Select[Any]:
    return select(t.servers.c.id, t.servers.c.code).where(is_among(t.servers.c.id, ids))


_MARK: Final = prepare(_mark)
_NAMED: Final = {
    mark: tuple(prepare(name_marked(which)) for which in some) for mark, some in ENDING.items()
}
_EXPIRED: Final = prepare(expired)
_MARKED: Final = prepare(marked)
_OWNERS: Final = prepare(_owners)
_CODES: Final = prepare(_codes)
_TERMINATE: Final = both("""
UPDATE items SET status = 'terminated', disposition = ?, due_at = NULL, ended_at = ?
WHERE status = 'pending' AND id IN @numbers(?)
""")


def marked_queues(connection: Connection) -> list[int]:
    return [raw[0] for raw in read_prepared(connection, _MARKED)]


def expire_items(connection: Connection, now: float, limit: int, close: CloseItem) -> int:
    """End up to `limit` items: those whose deadline has come, and what is left of unfinished
    changes, to which half the limit belongs. How many ended. Of waits that are to be moved a piece
    is."""
    unfinished, moving = marked_queues(connection), moving_queues(connection)[:1]
    share = (limit + 1) // 2 if unfinished else limit
    candidates = _load_expired(connection, to_micros(now), share, [*unfinished, *moving])
    ended = _end_items(connection, candidates, ItemEnd.EXPIRED, close, now)
    for queue_id in unfinished:
        ended += end_marked(connection, queue_id, limit - ended, close, now)
        if ended == limit:
            break
    for queue_id in moving:
        move_some(connection, queue_id)
    return ended


def _load_expired(
    connection: Connection, now: int, limit: int, others: Sequence[int]
) -> list[Candidate]:
    """Items that expire, with their queues (and `others`) held. Where several write at once they
    are looked for again then: some may have gone."""
    found = _load_candidates(connection, _EXPIRED, now, limit)
    if connection.dialect.name == SQLITE:
        return found
    held = {*others, *(item.queue_id for item in found)}
    hold_queues(connection, held)
    return [i for i in _load_candidates(connection, _EXPIRED, now, limit) if i.queue_id in held]


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
    _TERMINATE.run(cursor, end.value, at, ids)
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
    return {client.id: client for client in clients}, {raw[0]: raw[1] for raw in codes}
