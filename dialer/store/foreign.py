"""CDRs of other telephony systems, on their way to SGAPI, and what became of any CDR there."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, exists, func, insert, select, update

from dialer.cdr import Cdr
from dialer.errors import DuplicateCdr
from dialer.states import DeliveryState
from dialer.store import tables as t
from dialer.store.audit_rows import note_for
from dialer.store.bulk import driver_cursor
from dialer.store.contract import (
    Delivery,
    ForeignCdr,
    Forward,
    Forwards,
    NewDelivery,
    SgapiTask,
    Task,
)
from dialer.store.deltas import Deltas
from dialer.store.dialect import upsert
from dialer.store.outbox import insert_deliveries
from dialer.store.reading import read_all
from dialer.store.row_locks import hold_name
from dialer.store.rows import (
    Raw,
    dump_json,
    load_cdr,
    to_micros,
    to_seconds,
    to_seconds_or_none,
    word,
)

_f, _d, _a, _c = t.foreign_cdrs.c, t.deliveries.c, t.attempts.c, t.cdrs.c
_m = t.meta.c
_SGAPI: Final = word("sgapi")
_UNSENT_FROM: Final = "unsent_cdrs_from"
"""Of `meta`: the row of the first CDR of ours that may have no delivery, in digits."""

_DELIVERED: Final = (
    _d.state, _d.tries, _d.status, _d.error, _d.updated_at, _d.ended_at, _d.task,
)  # fmt: skip


def add(
    connection: Connection, cdr: ForeignCdr, forward: Forward | None, by: str | None
) -> tuple[Delivery, ...]:
    """See the contract. `DuplicateCdr`: the client has a CDR of this uuid."""
    hold_name(connection, "foreign cdr", cdr.client_id, cdr.uuid)
    own = exists().where(_a.cdr_id == cdr.uuid, _a.client_id == cdr.client_id)
    given = exists().where(_f.uuid == cdr.uuid, _f.client_id == cdr.client_id)
    if connection.scalar(select(own | given)):
        raise DuplicateCdr(f"there is a CDR {cdr.uuid}")
    delivery = None if forward is None else _deliver(connection, cdr, forward, cdr.created_at)
    connection.execute(
        insert(t.foreign_cdrs).values(
            client_id=cdr.client_id,
            uuid=cdr.uuid,
            cdr_id=cdr.cdr_id,
            entity=cdr.entity,
            content=dump_json(cdr.content),
            delivery_id=None if delivery is None else delivery.id,
            created_at=to_micros(cdr.created_at),
        )
    )
    note_for(connection, by, "cdr.add", cdr.client_id, {"uuid": cdr.uuid}, cdr.created_at)
    return () if delivery is None else (delivery,)


def _deliver(connection: Connection, cdr: ForeignCdr, forward: Forward, now: float) -> Delivery:
    """Its delivery, under its own uuid unless another CDR goes to SGAPI, or may, under that:
    SGAPI would take it for the same."""
    sent = exists().where(_d.event_id == cdr.uuid, _d.kind == _SGAPI)
    dialed = exists().where(_a.cdr_id == cdr.uuid)
    is_taken = connection.scalar(select(sent | dialed))
    new = forward(cdr, cdr.cdr_id if is_taken else cdr.uuid)
    cursor, deltas = driver_cursor(connection), Deltas()
    (delivery,) = insert_deliveries(cursor, [(new, now)], deltas)
    deltas.apply(cursor)
    return delivery


def forward_unsent(
    connection: Connection, forwards: Forwards | None, now: float, limit: int
) -> int:
    """See the contract."""
    hold_name(connection, "forward unsent")
    if forwards is None:
        _note_unsent(connection)
        return 0
    count = _forward_foreign(connection, forwards.foreign, now, limit)
    return count or _forward_own(connection, forwards.own, now, limit)


def _note_unsent(connection: Connection) -> None:
    """From which row on CDRs of ours may have no delivery; what was noted earlier stands."""
    following = connection.scalar(select(func.coalesce(func.max(_c.id), 0) + 1))
    noted = upsert(connection, t.meta).values(name=_UNSENT_FROM, value=str(following).encode())
    connection.execute(noted.on_conflict_do_nothing())


def _forward_own(
    connection: Connection, make: Callable[[Cdr], NewDelivery], now: float, limit: int
) -> int:
    """Make deliveries for CDRs of ours that have none, from the noted row on, the oldest first; how
    many were looked at. Behind the last one the note goes: now each CDR comes with its delivery."""
    noted = connection.scalar(select(_m.value).where(_m.name == _UNSENT_FROM))
    if noted is None:
        return 0
    found = connection.execute(own_unsent(int(noted), limit)).all()
    rows = [(make(load_cdr(record)), now) for _, record, has_delivery in found if not has_delivery]
    cursor, deltas = driver_cursor(connection), Deltas()
    insert_deliveries(cursor, rows, deltas)
    deltas.apply(cursor)
    if len(found) < limit:
        connection.execute(delete(t.meta).where(_m.name == _UNSENT_FROM))
    else:
        value = str(found[-1].id + 1).encode()
        connection.execute(update(t.meta).where(_m.name == _UNSENT_FROM).values(value=value))
    return len(found)


def own_unsent(first_id: int, limit: int) -> Select[Any]:
    """The id and record of each CDR of ours from `first_id` on, and whether it has a delivery."""
    has_delivery = exists().where(_d.event_id == _c.cdr_id, _d.kind == _SGAPI)
    return (
        select(_c.id, _c.record, has_delivery).where(_c.id >= first_id).order_by(_c.id).limit(limit)
    )


def _forward_foreign(connection: Connection, forward: Forward, now: float, limit: int) -> int:
    """Make deliveries for foreign CDRs that have none yet, the oldest first; how many."""
    found = read_all(connection, unsent(limit))
    for id_, client_id, uuid, cdr_id, entity, content, at in found:
        cdr = ForeignCdr(client_id, uuid, cdr_id, entity, json.loads(content), to_seconds(at))
        delivery = _deliver(connection, cdr, forward, now)
        connection.execute(
            update(t.foreign_cdrs).where(_f.id == id_).values(delivery_id=delivery.id)
        )
    return len(found)


def unsent(limit: int) -> Select[Any]:
    return (
        select(_f.id, _f.client_id, _f.uuid, _f.cdr_id, _f.entity, _f.content, _f.created_at)
        .where(_f.delivery_id.is_(None))
        .order_by(_f.id)
        .limit(limit)
    )


def foreign_task(client_id: int, uuid: str) -> Select[Any]:
    return (
        select(_f.uuid, _f.cdr_id, _f.content, _f.created_at, *_DELIVERED)
        .join_from(t.foreign_cdrs, t.deliveries, _d.id == _f.delivery_id, isouter=True)
        .where(_f.client_id == client_id, _f.uuid == uuid)
    )


def read_foreign_task(raw: Raw) -> SgapiTask:
    uuid, cdr_id, text, at, *delivered = raw
    told = json.loads(text)
    make = partial(
        SgapiTask,
        uuid=uuid,
        cdr_id=cdr_id,
        foreign=True,
        caller_id=told["caller_id"],
        called_number=told["called_number"],
        disposition=told["disposition"],
        duration=told["duration"],
        created_at=to_seconds(at),
    )
    return _read_task(make, to_seconds(at), delivered)


def own_task(client_id: int, cdr_id: str) -> Select[Any]:
    delivered = (_d.event_id == _c.cdr_id) & (_d.kind == _SGAPI) & (_d.client_id == _c.client_id)
    return (
        select(_c.record, _c.ended_at, *_DELIVERED)
        .join_from(t.cdrs, t.deliveries, delivered, isouter=True)
        .where(_c.client_id == client_id, _c.cdr_id == cdr_id)
        .limit(1)
    )


def read_own_task(raw: Raw) -> SgapiTask:
    told, ended_at, *delivered = raw
    at = to_seconds(ended_at)  # not when it was sent on, which may be weeks later
    make = partial(
        SgapiTask,
        uuid=told["cdr_id"],
        cdr_id=told["cdr_id"],
        foreign=False,
        caller_id=told["caller_id"],
        called_number=told["number"],
        disposition=told["disposition"],
        duration=told["duration"],
        created_at=at,
    )
    return _read_task(make, at, delivered)


def _read_task(make: Callable[..., SgapiTask], at: float, delivered: Raw) -> SgapiTask:
    """`at` is when the CDR came: nothing happened since where there is no delivery, or no try."""
    state, tries, status, error, updated_at, ended_at, task = delivered
    if state is None:
        return make(updated_at=at)
    return make(
        updated_at=at if updated_at is None else to_seconds(updated_at),
        state=DeliveryState(state),
        tries=tries,
        status=status,
        error=error,
        ended_at=to_seconds_or_none(ended_at),
        task=None if task is None else Task(**task),
    )
