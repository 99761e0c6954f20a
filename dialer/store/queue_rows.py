"""Changing queues. What a change ends or moves, `dialer.store.endings` does, a piece a transaction,
the first in the change's own: the change leaves a mark that tells it what."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    case,
    func,
    select,
    update,
)

from dialer.errors import Conflict, NotFound
from dialer.states import QUEUE_TRANSITIONS, QueueKind, QueueStatus, check_transition
from dialer.store import tables as t
from dialer.store.audit_rows import note
from dialer.store.contract import Queue
from dialer.store.endings import DUE, FRESH, PENDING, RETRIES, TRIED, waiting_in
from dialer.store.reading import prepare, read_all, read_prepared
from dialer.store.row_locks import hold_queues
from dialer.store.rows import QUEUE_COLUMNS, read_queue, to_micros

_CHANGEABLE: Final = frozenset({"retry", "retry_count", "retry_gap", "paused", "redial_unknown"})


def change_queue(
    connection: Connection,
    queue_id: int,
    changes: dict[str, Any],
    now: float,
    by: str | None = None,
) -> bool:
    """Apply `changes`; whether `go_on` has something to do. Raises `NotFound`; `Conflict`
    for a completed queue that should go on and for a quick queue that should be completed."""
    hold_queues(connection, [queue_id])
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
        values |= {"closed": True, "ending": PENDING, "ending_upto": None}
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
    if ending == PENDING:
        return {}
    return {"ending": None if retry else RETRIES, "ending_upto": None}


def mark_all(
    connection: Connection, client_id: int, now: float, by: str | None = None
) -> dict[int, int]:
    """Mark every queue of a client's that has something waiting, for all that waits now: no
    attempt of it is granted any more. Queue → how much of that no earlier mark ends anyway."""
    q = t.queues.c
    owned = read_all(connection, select(q.id).where(_has_waiting(client_id)))
    hold_queues(connection, (raw[0] for raw in owned))
    found = read_prepared(connection, _UNMARKED, client_id)
    waiting: dict[int, int] = {raw[0]: raw[1] for raw in found}
    newest = select(func.max(t.items.c.id)).scalar_subquery()
    ends_all = (q.ending == PENDING) & q.ending_upto.is_(None)
    connection.execute(
        update(t.queues)
        .where(_has_waiting(client_id), ~func.coalesce(ends_all, False))
        .values(ending=PENDING, ending_upto=newest)
    )
    account = connection.scalar(select(t.clients.c.accountcode).where(t.clients.c.id == client_id))
    note(connection, by, "client.flush", account, {"flushed": sum(waiting.values())}, now)
    return waiting


def _has_waiting(client_id: int) -> ColumnElement[bool]:
    return (t.queues.c.client_id == client_id) & (t.queues.c.pending_count > 0)


def unmarked(client_id: int) -> Select[Any]:
    """The client's queues in which something waits, and how much of it their marks do not name."""
    q = t.queues.c
    behind = t.items.c.id > q.ending_upto
    behind_flush = _count(FRESH & behind) + case(
        (q.retry, _count(DUE & behind)), else_=_count(DUE & ~TRIED & behind)
    )
    count = case(
        (q.ending.is_(None), q.pending_count),
        (q.ending == RETRIES, _count(FRESH) + _count(DUE & ~TRIED)),
        (q.ending_upto.is_(None), 0),
        else_=behind_flush,
    )
    return select(q.id, count.label("count")).where(_has_waiting(client_id))


def _count(which: ColumnElement[bool]) -> ScalarSelect[int]:
    """Of a queue's items."""
    named = waiting_in(t.queues.c.id) & which
    count = select(func.count()).select_from(t.items).where(named)
    return count.correlate(t.queues).scalar_subquery()


_UNMARKED: Final = prepare(unmarked)


def load_queue(connection: Connection, queue_id: int) -> Queue:
    rows = read_all(connection, select(*QUEUE_COLUMNS).where(t.queues.c.id == queue_id))
    if not rows:
        raise NotFound("Queue not found")
    return read_queue(rows[0])
