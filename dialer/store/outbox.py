"""The outbox: deliveries are stored with what they tell of, and leave by their outcomes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import CTE, Connection, Select, func, select, update

from dialer.states import DeliveryState
from dialer.store import tables as t
from dialer.store.bulk import Row, driver_cursor, insert_rows, run_with_rows
from dialer.store.contract import Delivery, DeliveryOutcome, NewDelivery, NumberedDelivery
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor, both, relation, relation_of
from dialer.store.reading import read_all
from dialer.store.row_locks import hold_rows
from dialer.store.rows import (
    DELIVERY_COLUMNS,
    dump_json,
    dump_task,
    read_delivery,
    to_micros,
    to_micros_or_none,
)

_COLUMNS: Final = relation_of(
    t.deliveries,
    ("kind", "client_id", "endpoint", "url", "method", "event_id", "body", "due_at", "created_at"),
)
OUTCOME: Final = relation(
    id="bigint",
    leaves="text",
    state="text",
    tries="integer",
    status="integer",
    error="text",
    due_at="bigint",
    ended_at="bigint",
    endpoint="text",
    task="json",
    at="bigint",
)
_OPEN: Final = both("""
SELECT @list(@row(id, kind, state)) FROM deliveries
WHERE ended_at IS NULL AND id IN @numbers(?)
""")
RECORD: Final = both("""
UPDATE deliveries SET state = r.state, tries = deliveries.tries + r.tries, status = r.status,
  error = r.error, due_at = coalesce(r.due_at, deliveries.due_at), ended_at = r.ended_at,
  endpoint = coalesce(r.endpoint, deliveries.endpoint), task = coalesce(r.task, deliveries.task),
  updated_at = r.at
FROM {rows} WHERE deliveries.id = r.id AND deliveries.state = r.leaves
""")
_NOTE_GONE: Final = both("""
INSERT INTO gone_callbacks (client_id, url, at)
SELECT client_id, url, CAST(? AS BIGINT) FROM deliveries WHERE id = ? ON CONFLICT DO NOTHING
""")


def finish_delivery(delivery: NewDelivery, cdr_row: int) -> NewDelivery:
    """The delivery as it is stored beside the CDR whose row has the id `cdr_row`."""
    if isinstance(delivery, NumberedDelivery):
        return replace(delivery, body=delivery.finish(cdr_row))
    return delivery


def insert_deliveries(
    cursor: Cursor, new: Sequence[tuple[NewDelivery, float]], deltas: Deltas
) -> list[Delivery]:
    """Store each (delivery, now); as stored, in their order."""
    rows = [
        (
            d.kind, d.client_id, d.endpoint, d.url, d.method, d.event_id, d.body,
            to_micros(d.due_at), to_micros(now),
        )
        for d, now in new
    ]  # fmt: skip
    ids = insert_rows(cursor, "deliveries", _COLUMNS, rows)
    for delivery, _ in new:
        deltas.tally(f"{delivery.kind}/{DeliveryState.PENDING}")
    return [
        Delivery(
            d.kind, d.client_id, d.endpoint, d.url, d.method, d.event_id, d.body, d.due_at,
            id=id_, created_at=now,
        )
        for id_, (d, now) in zip(ids, new, strict=True)
    ]  # fmt: skip


def record_outcomes(
    cursor: Cursor, outcomes: Sequence[DeliveryOutcome], deltas: Deltas
) -> list[bool]:
    """True for each that found its delivery in the state that it leaves."""
    results = [False] * len(outcomes)
    left = list(range(len(outcomes)))
    while left:  # outcomes of one delivery take one round each
        ids = [outcomes[place].id for place in left]
        names = dump_json(ids)
        hold_rows(cursor, "deliveries", ids)
        found = json.loads(_OPEN.ask(cursor, names))
        states = {id_: (kind, state) for id_, kind, state in found}
        rows: dict[int, Row] = {}
        later: list[int] = []
        for place in left:
            outcome = outcomes[place]
            if outcome.id in rows:
                later.append(place)
            elif (known := states.get(outcome.id)) is not None and known[1] == outcome.leaves:
                state = name_state(outcome)
                rows[outcome.id] = _outcome_row(outcome, state)
                results[place] = True
                deltas.tally(f"{known[0]}/{outcome.leaves}", -1)
                deltas.tally(f"{known[0]}/{state}")
                if outcome.gone:
                    _NOTE_GONE.run(cursor, to_micros(outcome.now), outcome.id)
        run_with_rows(cursor, RECORD, OUTCOME, list(rows.values()))
        left = later
    return results


def name_state(outcome: DeliveryOutcome) -> DeliveryState:
    """The state in which an outcome leaves its delivery."""
    if outcome.delivered:
        return DeliveryState.DELIVERED
    if outcome.dead:
        return DeliveryState.DEAD
    return DeliveryState.ACCEPTED if outcome.accepted else DeliveryState.PENDING


def _outcome_row(outcome: DeliveryOutcome, state: DeliveryState) -> Row:
    ended = outcome.delivered or outcome.dead
    return (
        outcome.id,
        outcome.leaves.value,
        state.value,
        outcome.counts,
        outcome.status,
        outcome.error,
        None if ended else to_micros_or_none(outcome.due_at),
        to_micros(outcome.now) if ended else None,
        outcome.endpoint,
        None if outcome.task is None else dump_task(outcome.task),
        to_micros(outcome.now),
    )


_d = t.deliveries.c
_open = _d.ended_at.is_(None)


def due_deliveries(endpoint: str, now: int, after_id: int, limit: int) -> Select[Any]:
    """Those of an endpoint that are due, by id. Times are microseconds."""
    return (
        select(*DELIVERY_COLUMNS)
        .where(_open, _d.endpoint == endpoint, _d.due_at <= now, _d.id > after_id)
        .order_by(_d.id)
        .limit(limit)
    )


def claim_deliveries(
    connection: Connection, endpoint: str, now: float, after_id: int, limit: int, until: float
) -> list[Delivery]:
    """Those that are due, as they were; from now on they are due at `until`."""
    query = due_deliveries(endpoint, to_micros(now), after_id, limit)
    query = query.with_for_update(skip_locked=True)  # where there are several writers
    found = [read_delivery(raw) for raw in read_all(connection, query)]
    taken = _d.id.in_([delivery.id for delivery in found])
    connection.execute(update(t.deliveries).where(taken).values(due_at=to_micros(until)))
    return found


def move_claims(
    connection: Connection, ids: Sequence[int], until: float, due_at: float
) -> frozenset[int]:
    """Due at `due_at`, where they are still claimed until `until`; those that were."""
    hold_rows(driver_cursor(connection), "deliveries", ids)  # as who records outcomes does
    claimed = (_d.due_at == to_micros(until)) & _open
    held = update(t.deliveries).where(_d.id.in_(ids), claimed)
    moved = held.values(due_at=to_micros(due_at)).returning(_d.id)
    return frozenset(raw[0] for raw in connection.execute(moved))


def _endpoints() -> CTE:
    """Endpoints with something open. Steps from one to the next in the index: a scan over the
    million rows of a dead endpoint would be paid at every look."""
    first = select(func.min(_d.endpoint).label("endpoint")).where(_open)
    endpoints = first.cte("endpoints", recursive=True)
    following = select(func.min(_d.endpoint)).where(_open, _d.endpoint > endpoints.c.endpoint)
    step = select(following.scalar_subquery()).where(endpoints.c.endpoint.is_not(None))
    return endpoints.union_all(step)


def due_endpoints(now: int) -> Select[Any]:
    endpoint = _endpoints().c.endpoint
    due = select(_d.id).where(_open, _d.endpoint == endpoint, _d.due_at <= now)
    return select(endpoint).where(endpoint.is_not(None), due.exists())


def next_delivery_at(after: int) -> Select[Any]:
    endpoint = _endpoints().c.endpoint
    later = select(func.min(_d.due_at)).where(_open, _d.endpoint == endpoint, _d.due_at > after)
    return select(func.min(later.scalar_subquery())).select_from(endpoint.table)
