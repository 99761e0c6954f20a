"""Reading CDRs back: pages, and a stream of all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select

from dialer.dialects.parties import find_extension
from dialer.dialects.pbx import find_uniqueid
from dialer.histories import (
    CdrPage,
    CdrQuery,
    CdrRow,
    Direction,
    HourWindow,
    Project,
    name_app,
    name_source,
)
from dialer.states import QueueKind
from dialer.store import tables as t
from dialer.store.rows import load_cdr, to_micros

Fetch = Callable[[Select[Any]], Awaitable[list[list[Any]]]]

PIECE: Final = 500
"""Rows that are read at once."""

_c, _q = t.cdrs.c, t.queues.c


async def read_page(
    fetch: Fetch, query: CdrQuery, limit: int, after: int | None, offset: int, count: bool
) -> CdrPage:
    """See `Store.cdr_page`."""
    rows: list[CdrRow] = []
    total, more = 0, False
    async for row in _matching(fetch, query, None if count else after):
        total += 1
        if row.id <= (after or 0):
            continue
        if offset:
            offset -= 1
        elif len(rows) < limit:
            rows.append(row)
        else:
            more = True
            if not count:
                break
    cursor = rows[-1].id if more and rows else None
    return CdrPage(tuple(rows), total if count else None, cursor)


async def read_stream(
    fetch: Fetch, query: CdrQuery, after: int | None
) -> AsyncIterator[tuple[CdrRow, ...]]:
    """See `Store.cdr_stream`."""
    async for row in _matching(fetch, query, after):
        yield (row,)


async def read_projects(fetch: Fetch, client_id: int) -> tuple[Project, ...]:
    """See `Store.projects`."""
    names: dict[str, None] = {}
    async for row in _matching(fetch, CdrQuery(client_id), None):
        if row.cdr.project is not None:
            names.setdefault(row.cdr.project)
    return tuple(Project(number, name) for number, name in enumerate(names, 1))


async def _matching(fetch: Fetch, query: CdrQuery, after: int | None) -> AsyncIterator[CdrRow]:
    newest = (await fetch(select(_c.id).order_by(_c.id.desc()).limit(1))) or [[0]]
    last = after or 0
    while found := await fetch(_piece(query, last, newest[0][0])):
        for id_, record, kind, queue_name in found:
            row = CdrRow(id_, load_cdr(record), kind == QueueKind.QUICK, queue_name)
            if _meets(query, row):
                yield row
        last = found[-1][0]


def _piece(query: CdrQuery, after: int, newest: int) -> Select[Any]:
    conditions = [_c.id > after, _c.id <= newest]
    if query.client_id is not None:
        conditions.append(_c.client_id == query.client_id)
    if query.id is not None:
        conditions.append(_c.id == query.id)
    if query.cdr_id is not None:
        conditions.append(_c.cdr_id == query.cdr_id)
    if query.started_from is not None:
        conditions.append(_c.started_at >= to_micros(query.started_from))
    if query.started_until is not None:
        conditions.append(_c.started_at < to_micros(query.started_until))
    return (
        select(_c.id, _c.record, _q.kind, _q.name)
        .join_from(t.cdrs, t.queues, _c.queue_id == _q.id)
        .where(*conditions)
        .order_by(_c.id)
        .limit(PIECE)
    )


def _meets(query: CdrQuery, row: CdrRow) -> bool:
    cdr = row.cdr
    source = name_source(cdr.caller_id) or ""
    return (
        all(wanted in (None, found) for wanted, found in _exactly(query, row))
        and (query.number is None or query.number in (cdr.number, source))
        and _holds(query.number_part, cdr.number, source)
        and _holds(query.source_part, source)
        and _holds(query.destination_part, cdr.number)
        and all(wanted is None or found in wanted for wanted, found in _among(query, row))
        and row.id >= (query.from_id or 0)
        and (query.hours is None or _is_within(query.hours, cdr.started_at))
    )


def _exactly(query: CdrQuery, row: CdrRow) -> tuple[tuple[object, object], ...]:
    cdr = row.cdr
    return (
        (query.duration, cdr.duration),
        (query.extension, find_extension(cdr)),
        (query.queue_id, cdr.queue_id),
        (query.queue_name, row.queue_name),
        (query.server_code, cdr.server_code),
        (query.contact_number, cdr.contact_number),
        (query.recorded, cdr.recording_path is not None),
        (query.final, cdr.final),
        (query.call_id, cdr.call_id),
        (query.uniqueid, find_uniqueid(cdr)),
        (query.sip_call_id, cdr.sip_call_id),
    )


def _among(query: CdrQuery, row: CdrRow) -> tuple[tuple[frozenset[Any] | None, object], ...]:
    return (
        (query.dispositions, row.cdr.disposition),
        (query.apps, name_app(row.quick, row.cdr.application)),
        (query.directions, Direction.OUTBOUND),
        (query.projects, row.cdr.project),
    )


def _holds(part: str | None, *texts: str) -> bool:
    return part is None or any(part in text for text in texts)


def _is_within(window: HourWindow, at: float) -> bool:
    local = datetime.fromtimestamp(at, ZoneInfo(window.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    if window.start < window.end:
        return window.start <= second < window.end
    return second >= window.start or second < window.end
