"""Rows ↔ records.

Reads ask the database for one JSON text (`as_json`) instead of rows: stepping to a row lets go of
Python's lock, and a thread that reads a hundred rows beside a busy event loop waits a hundred
times. Moments are integer microseconds in the database and float seconds in the records.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    exists,
    func,
    literal_column,
    select,
)

from ami import LegB
from dialer.cdr import Cdr
from dialer.dialects import CdrMapping, Shape
from dialer.policy import read_policy
from dialer.states import CallbackEvent, DeliveryState, ItemStatus, QueueKind, QueueStatus
from dialer.store import tables as t
from dialer.store.contract import (
    Candidate,
    Client,
    Delivery,
    DeliveryRecord,
    Item,
    NewDelivery,
    OpenAttempt,
    Queue,
    Server,
    Task,
)
from dialer.store.dialect import json_list

Raw = Sequence[Any]


def dump_json(value: object) -> str:
    """Compact JSON, three times as fast as json's own encoder. Text must have a UTF-8."""
    return to_json(value).decode()


def to_micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def to_micros_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)


def to_seconds(micros: int) -> float:
    return micros / 1_000_000


def to_seconds_or_none(micros: int | None) -> float | None:
    return None if micros is None else micros / 1_000_000


def word(state: str) -> ColumnElement[str]:
    """A state as a literal: a partial index answers only what names its very condition."""
    return literal_column(f"'{state}'")


def as_json(query: Select[Any]) -> Select[Any]:
    """The same rows as one JSON array of arrays, in the same order."""
    rows = query.subquery()
    columns: list[ColumnElement[Any]] = [
        func.json(column) if isinstance(column.type, JSON) else column for column in rows.c
    ]
    return select(func.json_group_array(func.json_array(*columns)))


_owned_servers = (
    select(json_list(t.client_servers.c.server_id))
    .where(t.client_servers.c.client_id == t.clients.c.id)
    .correlate(t.clients)
    .scalar_subquery()
)
_live_key = (
    exists()
    .where(t.api_keys.c.client_id == t.clients.c.id, t.api_keys.c.revoked_at.is_(None))
    .correlate(t.clients)
)

SERVER_COLUMNS: Final = tuple(c for c in t.servers.c if c.name != "fence")
CLIENT_COLUMNS: Final = (
    *(c for c in t.clients.c if c.name not in ("created_at", "updated_at")),
    _owned_servers.label("server_ids"),
    _live_key.label("has_key"),
    t.clients.c.created_at,
    t.clients.c.updated_at,
)
_MARKS: Final = frozenset({"ending", "ending_upto", "moved_upto"})
QUEUE_COLUMNS: Final = tuple(c for c in t.queues.c if c.name not in _MARKS)
ITEM_COLUMNS: Final = tuple(t.items.c[f.name] for f in fields(Item))
CANDIDATE_COLUMNS: Final = tuple(t.items.c[f.name] for f in fields(Candidate))
_KEPT_OF_DELIVERY: Final = ("id", "tries", "created_at", "state", "task")
DELIVERY_COLUMNS: Final = tuple(
    t.deliveries.c[name] for name in (*(f.name for f in fields(NewDelivery)), *_KEPT_OF_DELIVERY)
)
OPEN_ATTEMPT_COLUMNS: Final = (
    t.attempts.c.number.label("attempt_number"),
    t.attempts.c.channel_id,
    t.attempts.c.action_id,
    t.attempts.c.cdr_id,
    t.attempts.c.opened_at,
    *CANDIDATE_COLUMNS,
)


def read_server(raw: Raw) -> Server:
    id_, code, host, port, username, env, file, tls, channels, cps, paused, removed, url = raw
    return Server(
        id_, code, host, port, username, env, file, bool(tls), channels, cps, bool(paused),
        bool(removed), url,
    )  # fmt: skip


def read_client(raw: Raw) -> Client:
    *plain, server_ids, has_key, created_at, updated_at = raw
    names = [c.name for c in CLIENT_COLUMNS[: len(plain)]]
    values = dict(zip(names, plain, strict=True))
    for flag in ("is_superuser", "is_active", "paused"):
        values[flag] = bool(values[flag])
    values["policy"] = read_policy(values["policy"])
    values["callback_shape"] = Shape(values["callback_shape"])
    values["cdr_mapping"] = CdrMapping(values["cdr_mapping"])
    values["callback_events"] = frozenset(map(CallbackEvent, values["callback_events"]))
    return Client(
        **values,
        server_ids=frozenset(server_ids),
        has_key=bool(has_key),
        created_at=to_seconds(created_at),
        updated_at=to_seconds(updated_at),
    )


def read_queue(raw: Raw) -> Queue:
    id_, client_id, name, status, kind, retry, count, gap, dids, paused, closed, *rest = raw
    total, pending, queued, processed, terminated, created_at, updated_at, redial = rest
    return Queue(
        id_, client_id, name, QueueStatus(status), QueueKind(kind), bool(retry), count, gap,
        tuple(dids), bool(paused), bool(closed), total, pending, queued, processed, terminated,
        to_seconds(created_at),
        to_seconds(updated_at),
        bool(redial),
    )  # fmt: skip


def read_item(raw: Raw) -> Item:
    values = list(raw)
    values[5] = ItemStatus(values[5])
    values[12] = bool(values[12])
    for place in (15, 16, 18, 19):  # due_at, deadline, created_at, ended_at
        values[place] = to_seconds_or_none(values[place])
    return Item(*values)


def read_candidate(raw: Raw) -> Candidate:
    values = list(raw)
    values[4] = bool(values[4])
    values[12] = to_seconds_or_none(values[12])
    values[13] = to_seconds_or_none(values[13])
    values[16] = to_seconds(values[16])
    if values[17] is not None:
        values[17] = tuple(values[17])
    return Candidate(*values)


def read_open_attempt(raw: Raw) -> OpenAttempt:
    number, channel_id, action_id, cdr_id, opened_at, *item = raw
    return OpenAttempt(
        read_candidate(item), number, channel_id, action_id, cdr_id, to_seconds(opened_at)
    )


def read_delivery(raw: Raw) -> Delivery:
    values = list(raw)
    values[7] = to_seconds(values[7])
    values[10] = to_seconds(values[10])
    values[11] = DeliveryState(values[11])
    values[12] = None if values[12] is None else Task(**values[12])
    return Delivery(*values)


def read_delivery_record(raw: Raw) -> DeliveryRecord:
    *delivery, accountcode, status, error, ended_at = raw
    ended = to_seconds_or_none(ended_at)
    return DeliveryRecord(read_delivery(delivery), accountcode, status, error, ended)


def dump_task(task: Task) -> str:
    """What is known of it: a row that grows little stays in its page."""
    known = ((name, getattr(task, name)) for name in _TASK_FIELDS)
    return dump_json({name: value for name, value in known if value is not None})


def dump_cdr(cdr: Cdr) -> str:
    """The record column: every field of the CDR, by its name."""
    return dump_json(cdr)


def load_cdr(values: dict[str, Any]) -> Cdr:
    leg_b = values["leg_b"]
    known = {name: values[name] for name in _CDR_FIELDS if name in values}
    return Cdr(**{**known, "leg_b": LegB(**leg_b) if leg_b is not None else None})


_TASK_FIELDS: Final = tuple(f.name for f in fields(Task))
_CDR_FIELDS: Final = tuple(f.name for f in fields(Cdr))
