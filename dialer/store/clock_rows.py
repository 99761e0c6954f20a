"""What waits for a while, when the wall clock was set: it goes on waiting as long as it had to.

A gap is kept as the moment when it is over. After a step back, rows whose gap began in the future
are those of the clock as it was. After a step forward, those that came due within the step are.
Both conditions are gone from a row that was moved, so all of this may be done again.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, literal, select, update

from dialer.states import ItemStatus
from dialer.store import tables as t
from dialer.store.dialect import clock_now, largest
from dialer.store.rows import to_micros, word
from dialer.store.waits import last_end

# Rows that one transaction looks at.
LOOKED_AT: Final = 700

_i, _d = t.items.c, t.deliveries.c
# Those on their way keep their due times, and wait by them again where an attempt is withdrawn.
_UNENDED: Final = (word(ItemStatus.PENDING), word(ItemStatus.QUEUED))
_waiting_items: Final = _i.status.in_(_UNENDED) & _i.due_at.is_not(None)
_tried: Final = func.coalesce(_d.updated_at, _d.created_at)


def read_clock() -> Select[Any]:
    return select(clock_now())


def pull_in_items(connection: Connection, after: int, now: float) -> int | None:
    """Retries whose gap began after `now`: it begins now. Looks at items behind the id `after`;
    the last one looked at, None: there are no more."""
    last, chosen = _next(connection, t.items, _waiting_items, after)
    moment = to_micros(now)
    found = _find(
        connection, chosen & _waiting_items & (last_end > moment) & (_i.due_at > last_end)
    )
    _move_items(connection, found, moment + _i.due_at - last_end, literal(moment))
    return last


def pull_in_deliveries(connection: Connection, after: int, now: float) -> int | None:
    """As `pull_in_items`: deliveries that were tried, or made, after `now`."""
    open_ones = _d.ended_at.is_(None)
    last, chosen = _next(connection, t.deliveries, open_ones, after)
    moment = to_micros(now)
    gap = largest(_d.due_at - _tried, 0)
    connection.execute(
        update(t.deliveries)
        .where(chosen, open_ones, _tried > moment, _d.due_at > moment)
        .values(
            due_at=moment + gap,
            updated_at=case((_d.updated_at.is_(None), None), else_=moment),
        )
    )
    return last


def put_off_items(connection: Connection, after: int, now: float, step: float) -> int | None:
    """Retries that came due because the clock was set forward by `step`."""
    last, chosen = _next(connection, t.items, _waiting_items, after)
    due = _i.due_at.between(to_micros(now - step) + 1, to_micros(now))
    found = _find(connection, chosen & _waiting_items & due)
    by = to_micros(step)
    _move_items(connection, found, _i.due_at + by, t.attempts.c.ended_at + by)
    return last


def put_off_deliveries(connection: Connection, after: int, now: float, step: float) -> int | None:
    """Deliveries to be tried again that came due because the clock was set forward."""
    open_ones = _d.ended_at.is_(None) & _d.updated_at.is_not(None)
    last, chosen = _next(connection, t.deliveries, open_ones, after)
    due = _d.due_at.between(to_micros(now - step) + 1, to_micros(now))
    connection.execute(
        update(t.deliveries)
        .where(chosen, open_ones, due)
        .values(due_at=_d.due_at + to_micros(step), updated_at=_d.updated_at + to_micros(step))
    )
    return last


def _find(connection: Connection, condition: ColumnElement[bool]) -> dict[int, str]:
    """Ids of items, and the cdr_ids of their last attempts."""
    rows = connection.execute(select(_i.id, _i.last_cdr_id).where(condition))
    return {row.id: row.last_cdr_id for row in rows}


def _move_items(
    connection: Connection,
    found: dict[int, str],
    due_at: ColumnElement[int],
    ended_at: ColumnElement[int],
) -> None:
    """The end of a gap together with its beginning, the end of an attempt: what moved one alone
    would be taken for another step's."""
    if found:
        connection.execute(update(t.items).where(_i.id.in_(found)).values(due_at=due_at))
        ended = t.attempts.c.cdr_id.in_(found.values())
        connection.execute(update(t.attempts).where(ended).values(ended_at=ended_at))


def _next(
    connection: Connection, table: Table, condition: ColumnElement[bool], after: int
) -> tuple[int | None, ColumnElement[bool]]:
    """The last id of the next rows, None where no more are behind them; and which they are."""
    rows = (
        select(table.c.id)
        .where(table.c.id > after, condition)
        .order_by(table.c.id)
        .limit(LOOKED_AT)
        .subquery()
    )
    count, last = connection.execute(select(func.count(rows.c.id), func.max(rows.c.id))).one()
    chosen = table.c.id.between(after + 1, last if last is not None else after)
    return (int(last) if count == LOOKED_AT else None), chosen
