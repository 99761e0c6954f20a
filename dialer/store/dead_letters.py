"""Deliveries as operators see them: lists, and sending dead ones again."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from dialer.states import DELIVERY_TRANSITIONS, DeliveryState, check_transition
from dialer.store import tables as t
from dialer.store.audit_rows import note
from dialer.store.bulk import driver_cursor
from dialer.store.contract import DeliveryFilter
from dialer.store.deltas import Deltas
from dialer.store.dialect import both, is_among
from dialer.store.reading import read_all
from dialer.store.row_locks import hold_rows
from dialer.store.rows import DELIVERY_COLUMNS, dump_json, to_micros, word

CHUNK: Final = 1000
"""Dead ones that one transaction sends again."""

_d = t.deliveries.c

_AGAIN: Final = both("""
UPDATE deliveries SET state = 'pending', tries = 0, due_at = ?1, updated_at = ?1, ended_at = NULL,
  task = NULL
WHERE state = 'dead' AND id IN @numbers(?2)
""")
_GONE_NO_MORE: Final = both("""
DELETE FROM gone_callbacks WHERE (client_id, url) IN (
  SELECT client_id, url FROM deliveries WHERE id IN @numbers(?))
""")


def list_deliveries(wanted: DeliveryFilter, limit: int) -> Select[Any]:
    """The latest first: a delivery's columns, its client's accountcode, status, error, end."""
    return (
        select(*DELIVERY_COLUMNS, t.clients.c.accountcode, _d.status, _d.error, _d.ended_at)
        .join_from(t.deliveries, t.clients, _d.client_id == t.clients.c.id)
        .where(*_conditions(wanted))
        .order_by(_d.id.desc())
        .limit(limit)
    )


def find_dead(connection: Connection, wanted: DeliveryFilter, now: float, by: str) -> list[int]:
    """The dead ones that are wanted, by id; noted in the audit log where there are any."""
    check_transition(DELIVERY_TRANSITIONS, DeliveryState.DEAD, DeliveryState.PENDING)
    conditions = _conditions(replace(wanted, state=DeliveryState.DEAD))
    ids = [raw[0] for raw in read_all(connection, select(_d.id).where(*conditions))]
    if ids:
        named = {name: value for name, value in asdict(wanted).items() if value is not None}
        details = {"count": len(ids), **named, "ids": ids[:CHUNK] if wanted.ids else None}
        note(connection, by, "delivery.retry", _name_subject(connection, wanted), details, now)
    return ids


def send_again(connection: Connection, ids: list[int], now: float) -> int:
    """Dead → pending, due at once, as if never tried. How many of `ids` were dead."""
    cursor = driver_cursor(connection)
    names = dump_json(ids)
    hold_rows(cursor, "deliveries", ids)
    dead = is_among(_d.id, names)
    kinds = select(_d.kind, func.count()).where(dead, _is(DeliveryState.DEAD)).group_by(_d.kind)
    deltas = Deltas()
    count = 0
    for kind, found in read_all(connection, kinds):
        deltas.tally(f"{kind}/{DeliveryState.DEAD}", -found)
        deltas.tally(f"{kind}/{DeliveryState.PENDING}", found)
        count += found
    _GONE_NO_MORE.run(cursor, names)
    _AGAIN.run(cursor, to_micros(now), names)
    deltas.apply(cursor)
    return count


def cut_ids(ids: list[int]) -> Iterator[list[int]]:
    """`ids` in pieces of a transaction's size."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _conditions(wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.ids is not None:
        found.append(_d.id.in_(wanted.ids))
    if wanted.state is not None:
        found.append(_is(wanted.state))
    for column, value in (
        (_d.client_id, wanted.client_id),
        (_d.kind, wanted.kind),
        (_d.endpoint, wanted.endpoint),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.since is not None:
        found.append(_d.created_at >= to_micros(wanted.since))
    if wanted.until is not None:
        found.append(_d.created_at < to_micros(wanted.until))
    return found


def _is(state: DeliveryState) -> ColumnElement[bool]:
    return _d.state == word(state)


def _name_subject(connection: Connection, wanted: DeliveryFilter) -> str:
    if wanted.client_id is None:
        return "deliveries"
    found = select(t.clients.c.accountcode).where(t.clients.c.id == wanted.client_id)
    return str(connection.scalar(found))
