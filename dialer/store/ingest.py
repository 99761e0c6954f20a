"""Ingest: batches and quick calls become items."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select, update

from dialer.errors import Conflict, NotFound
from dialer.states import ItemStatus, QueueKind, QueueStatus
from dialer.store import tables as t
from dialer.store.audit_rows import note_for
from dialer.store.bulk import driver_cursor, insert_rows
from dialer.store.contract import BatchStored, IdempotentAnswer, NewBatch, NewItem
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor, Sql, both, relation_of, upsert
from dialer.store.row_locks import hold_name, hold_queues
from dialer.store.rows import dump_json, to_micros, to_micros_or_none

_ITEM: Final = relation_of(
    t.items,
    (
        "client_id", "queue_id", "server_id", "batch_id", "quick", "call_id", "number",
        "caller_id", "payload", "retry", "due_at", "deadline", "channel_base", "created_at",
    ),
)  # fmt: skip

DEFAULT_RETRY_GAP: Final = 300
QUICK_QUEUE_NAME: Final = "quick calls"


def insert_batch(connection: Connection, batch: NewBatch) -> BatchStored:
    """See the contract. Everything in the caller's transaction."""
    hold_name(connection, "batch", batch.client_id, batch.batch_id)
    stored = connection.execute(
        select(t.batches.c.digest, t.batches.c.queue_id, t.batches.c.inserted_count).where(
            t.batches.c.client_id == batch.client_id, t.batches.c.batch_id == batch.batch_id
        )
    ).one_or_none()
    if stored is not None:
        if stored.digest != batch.digest:
            raise Conflict(f"batch_id {batch.batch_id} was used before with another body")
        return BatchStored(stored.queue_id, batch.batch_id, stored.inserted_count, replayed=True)
    now = to_micros(batch.now)
    queue_id = _take_queue(connection, batch, now)
    connection.execute(
        insert(t.batches).values(
            client_id=batch.client_id,
            batch_id=batch.batch_id,
            digest=batch.digest,
            queue_id=queue_id,
            inserted_count=len(batch.items),
            created_at=now,
        )
    )
    _insert_items(connection, batch.client_id, queue_id, batch.batch_id, batch.items, now)
    details = {"batch_id": batch.batch_id, "queue_id": queue_id, "items": len(batch.items)}
    note_for(connection, batch.by, "batch.add", batch.client_id, details, batch.now)
    return BatchStored(queue_id, batch.batch_id, len(batch.items))


def _take_queue(connection: Connection, batch: NewBatch, now: int) -> int:
    """The queue that takes the batch: a new one, or the client's own, reopened where needed."""
    if batch.queue_id is None:
        return _make_queue(
            connection, batch.client_id, batch.queue_name, QueueKind.BATCH, batch.dids, now
        )
    # Its items' ids are taken behind this: who reads them by id misses none that comes later.
    hold_queues(connection, [batch.queue_id])
    queue = connection.execute(
        select(t.queues.c.status, t.queues.c.closed, t.queues.c.kind).where(
            t.queues.c.id == batch.queue_id, t.queues.c.client_id == batch.client_id
        )
    ).one_or_none()
    if queue is None:
        raise NotFound("Queue not found")
    if queue.closed or queue.kind == QueueKind.QUICK:
        raise Conflict(f"queue {batch.queue_id} takes no more batches")
    changes: dict[str, Any] = {"updated_at": now}
    if queue.status == QueueStatus.COMPLETED:
        changes["status"] = QueueStatus.IN_PROGRESS.value
    if batch.dids:
        changes["dids"] = list(batch.dids)
    connection.execute(update(t.queues).where(t.queues.c.id == batch.queue_id).values(changes))
    return batch.queue_id


def _make_queue(
    connection: Connection,
    client_id: int,
    name: str,
    kind: QueueKind,
    dids: Sequence[str],
    now: int,
) -> int:
    result = connection.execute(
        insert(t.queues)
        .values(
            client_id=client_id,
            name=name,
            status=QueueStatus.PENDING.value,
            kind=kind.value,
            retry=kind is QueueKind.BATCH,
            retry_count=0,
            retry_gap=DEFAULT_RETRY_GAP,
            dids=list(dids),
            created_at=now,
            updated_at=now,
        )
        .returning(t.queues.c.id)
    )
    return int(result.scalar_one())


def insert_quick_call(
    connection: Connection, client_id: int, item: NewItem, now: float, by: str | None = None
) -> int:
    """Put `item` into the client's standing queue; that queue's id."""
    at = to_micros(now)
    hold_name(connection, "quick calls", client_id)
    queue_id = connection.execute(
        select(t.queues.c.id).where(
            t.queues.c.client_id == client_id, t.queues.c.kind == QueueKind.QUICK.value
        )
    ).scalar_one_or_none()
    if queue_id is not None:
        hold_queues(connection, [queue_id])
    else:
        queue_id = _make_queue(connection, client_id, QUICK_QUEUE_NAME, QueueKind.QUICK, (), at)
    _insert_items(connection, client_id, queue_id, None, [item], at)
    note_for(connection, by, "quick-call.add", client_id, {"call_id": item.call_id}, now)
    return int(queue_id)


def _insert_items(
    connection: Connection,
    client_id: int,
    queue_id: int,
    batch_id: int | None,
    new: Sequence[NewItem],
    now: int,
) -> None:
    for server_id in {item.server_id for item in new}:
        lane = {"queue_id": queue_id, "server_id": server_id}
        try_insert = upsert(connection, t.queue_servers).values(lane).on_conflict_do_nothing()
        connection.execute(try_insert)
    cursor = driver_cursor(connection)
    bases = free_channel_bases(cursor, [item.wanted_channel_id for item in new])
    rows = [
        (
            client_id, queue_id, item.server_id, batch_id, batch_id is None, item.call_id,
            item.number, item.caller_id, item.payload_json, item.retry,
            to_micros_or_none(item.due_at), to_micros_or_none(item.deadline), base, now,
        )
        for item, base in zip(new, bases, strict=True)
    ]  # fmt: skip
    insert_rows(cursor, "items", _ITEM, rows)
    deltas = Deltas()
    deltas.move(queue_id, None, ItemStatus.PENDING, now, len(rows))
    deltas.apply(cursor)


# What a later attempt's id looks like: base-2, base-3 …
_LATER: Final = re.compile(r"(.+)-[1-9][0-9]{0,5}", re.DOTALL)

_TAKEN: Final = both("""
SELECT @list(name) FROM (
  SELECT channel_base AS name FROM items WHERE @name(channel_base) IN @names(?1)
  UNION ALL
  SELECT channel_id FROM attempts WHERE @name(channel_id) IN @names(?1)
) AS taken
""")
# Names in use that a later attempt of the wanted one would get. '.' follows '-'.
_CROSSED: Final = both("""
SELECT @list(each.value) FROM @each(?1) WHERE EXISTS (
  SELECT 1 FROM items WHERE @name(channel_base) > @name(each.value) || '-'
    AND @name(channel_base) < @name(each.value) || '.'
    AND @is_number(substr(channel_base, length(each.value) + 2))
) OR EXISTS (
  SELECT 1 FROM attempts WHERE @name(channel_id) > @name(each.value) || '-'
    AND @name(channel_id) < @name(each.value) || '.'
    AND @is_number(substr(channel_id, length(each.value) + 2))
)
""")


def free_channel_bases(cursor: Cursor, wanted: Sequence[str | None]) -> list[str | None]:
    """Each wanted ChannelId where no attempt of any item has it or could ever get it, else None;
    the first of equals wins. Case does not count, as it does not for Asterisk's lookups."""
    names = [name for name in wanted if name is not None]
    if not names:
        return [None] * len(wanted)
    roots = {match[1] for name in names if (match := _LATER.fullmatch(name))}
    asked = dump_json([*names, *roots])
    taken = _ask(cursor, _TAKEN, asked)
    crossed = _ask(cursor, _CROSSED, dump_json(names))
    given: set[str] = set()
    given_roots: set[str] = set()
    result: list[str | None] = []
    for name in wanted:
        key = name.lower() if name is not None else ""
        match = _LATER.fullmatch(key)
        root = match[1] if match else None
        in_use = key in taken or key in crossed or root in taken
        if name is None or in_use or key in given or key in given_roots or root in given:
            result.append(None)
            continue
        given.add(key)
        if root is not None:
            given_roots.add(root)
        result.append(name)
    return result


def _ask(cursor: Cursor, sql: Sql, names: str) -> set[str]:
    return {name.lower() for name in json.loads(sql.ask(cursor, names))}


def known_batch(client_id: int, batch_id: int, digest: str) -> Select[Any]:
    batches = t.batches.c
    return select(batches.queue_id, batches.inserted_count).where(
        batches.client_id == client_id, batches.batch_id == batch_id, batches.digest == digest
    )


def kept_answer(client_id: int, key: str) -> Select[Any]:
    answers = t.idempotency_answers.c
    return select(answers.digest, answers.status, answers.body, answers.created_at).where(
        answers.client_id == client_id, answers.key == key
    )


def keep_answer(connection: Connection, client_id: int, key: str, answer: IdempotentAnswer) -> bool:
    """Keep the first answer; whether this is it. `Conflict` where the key has one with another
    digest."""
    kept = connection.execute(
        upsert(connection, t.idempotency_answers)
        .values(
            client_id=client_id,
            key=key,
            digest=answer.digest,
            status=answer.status,
            body=answer.body,
            created_at=to_micros(answer.now),
        )
        .on_conflict_do_nothing()
    )
    if kept.rowcount:
        return True
    digest = connection.execute(
        select(t.idempotency_answers.c.digest).where(
            t.idempotency_answers.c.client_id == client_id, t.idempotency_answers.c.key == key
        )
    ).scalar_one()
    if digest != answer.digest:
        raise Conflict("this Idempotency-Key was used before with another request")
    return False
