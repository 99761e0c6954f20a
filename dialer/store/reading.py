"""Reads: queries as values, and the ways to run one.

Times that a query takes are microseconds, as they are stored.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final

from pydantic_core import from_json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from dialer.states import AttemptState, ItemStatus, QueueStatus
from dialer.store import tables as t
from dialer.store.bulk import driver_cursor
from dialer.store.contract import Totals
from dialer.store.dialect import (
    POSTGRES,
    POSTGRES_DIALECT,
    SQLITE_DIALECT,
    is_sqlite,
    json_list,
    largest,
)
from dialer.store.rows import (
    CANDIDATE_COLUMNS,
    ITEM_COLUMNS,
    OPEN_ATTEMPT_COLUMNS,
    QUEUE_COLUMNS,
    Raw,
    as_json,
    to_micros,
    word,
)

_i, _q, _a = t.items.c, t.queues.c, t.attempts.c
_is_open = _q.status != word(QueueStatus.COMPLETED)
_waits = _i.status == word(ItemStatus.PENDING)

MOST_RECENT: Final = 20_000  # starts of ten seconds at 2,000 a second

NEAR: Final = 10_000  # rows that an unfiltered page may skip and still be a short read

# By what a list may be filtered, besides its owner.
QUEUE_FILTERS: Final = frozenset({"id", "name", "status", "kind", "retry", "paused", "closed"})
ITEM_FILTERS: Final = frozenset(
    {"id", "batch_id", "status", "call_id", "number", "disposition", "server_id", "connected"}
)
LARGEST_ID: Final = 2**63 - 1
# Attempts a minute that `activity` can tell; more would be counted as this many.
_MOST_A_MINUTE: Final = 240_000


def read_all(connection: Connection, query: Select[Any]) -> list[Raw]:
    if connection.dialect.name == POSTGRES:
        return list(connection.execute(query))
    return list(from_json(connection.scalars(as_json(query)).one()))


async def fetch_all(connection: AsyncConnection, query: Select[Any]) -> list[Raw]:
    if connection.dialect.name == POSTGRES:
        return list(await connection.execute(query))
    return list(from_json((await connection.scalars(as_json(query))).one()))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query in one tongue. `marks`: what each mark in `text` stands for, an argument or one of
    the `constants`."""

    text: str
    marks: tuple[str, ...]
    arguments: tuple[str, ...]
    constants: dict[str, object]

    def bind(self, values: Sequence[object]) -> list[object]:
        """What stands at each mark."""
        known = self.constants | dict(zip(self.arguments, values, strict=True))
        return [known[name] for name in self.marks]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query compiled once, for reads that come often: building and compiling one takes ten times
    the CPU of answering it."""

    sqlite: Compiled
    postgres: Compiled


def prepare(make: Callable[..., Select[Any]]) -> Prepared:
    """The query that `make` makes, whose arguments are all values of the query."""
    arguments = tuple(signature(make).parameters)
    query = make(*map(bindparam, arguments))
    return Prepared(
        _compile(as_json(query), SQLITE_DIALECT, arguments),
        _compile(query, POSTGRES_DIALECT, arguments),
    )


def _compile(query: Select[Any], dialect: Dialect, arguments: tuple[str, ...]) -> Compiled:
    compiled = query.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    constants = {n: value for n, value in compiled.params.items() if n not in arguments}
    marks = tuple(compiled.positiontup or ())
    return Compiled(str(compiled), marks, arguments, constants)


def read_prepared(connection: Connection, query: Prepared, *values: object) -> list[Raw]:
    cursor = driver_cursor(connection)
    if is_sqlite(cursor):
        bound = query.sqlite.bind(values)
        return list(from_json(cursor.execute(query.sqlite.text, bound).fetchone()[0]))
    return cursor.execute(query.postgres.text, query.postgres.bind(values)).fetchall()


async def fetch_prepared(
    connection: AsyncConnection, query: Prepared, values: Sequence[object]
) -> list[Raw]:
    """In one step of the reader's thread, where SQLAlchemy's way takes four."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name == POSTGRES:
        return list(await driver.fetch(query.postgres.text, *query.postgres.bind(values)))
    ((text,),) = await driver.execute_fetchall(query.sqlite.text, query.sqlite.bind(values))
    return list(from_json(text))


def waiting(queue_id: int, server_id: int, after_id: int, limit: int) -> Select[Any]:
    """Without those that are being ended: what came in behind them need not wait for that."""
    return (
        select(*CANDIDATE_COLUMNS)
        .where(
            _i.queue_id == queue_id,
            _i.server_id == server_id,
            _waits,
            _i.due_at.is_(None),
            _i.id > largest(after_id, _ended_upto(queue_id)),
        )
        .order_by(_i.id)
        .limit(limit)
    )


def _ended_upto(queue_id: int) -> ScalarSelect[int]:
    """Up to which id everything of a queue that waits is being ended."""
    upto = case((_q.ending == "pending", func.coalesce(_q.ending_upto, LARGEST_ID)), else_=0)
    return select(upto).where(_q.id == queue_id).scalar_subquery()


def due_retries(queue_id: int, server_id: int, now: int, limit: int) -> Select[Any]:
    """None while they are being ended or their waits reckoned anew: nothing is before NULL. As in
    `waiting`, what came in behind a flush does not wait for that."""
    is_held = func.coalesce(_q.ending == "retries", False) | _q.moved_upto.is_not(None)
    until = (
        select(case((~is_held, type_coerce(now, BigInteger))))
        .where(_q.id == queue_id)
        .scalar_subquery()
    )
    return (
        select(*CANDIDATE_COLUMNS)
        .where(
            _i.queue_id == queue_id,
            _i.server_id == server_id,
            _waits,
            _i.due_at.is_not(None),
            _i.due_at <= until,
            # No bound of a search: by the index of retries, not through all later items.
            _i.id + 0 > _ended_upto(queue_id),
        )
        .order_by(_i.due_at, _i.id)
        .limit(limit)
    )


def next_retry_at(queue_id: int, server_id: int, after: int) -> Select[Any]:
    return select(func.min(_i.due_at)).where(
        _i.queue_id == queue_id,
        _i.server_id == server_id,
        _waits,
        _i.due_at.is_not(None),
        _i.due_at > after,
    )


def next_deadline() -> Select[Any]:
    """The earliest deadline of what waits, and whether a queue has a mark of work to be done."""
    earliest = select(func.min(_i.deadline)).where(_waits, _i.deadline.is_not(None))
    ending, moving = (
        select(func.count()).where(mark.is_not(None)).select_from(t.queues).scalar_subquery()
        for mark in (_q.ending, _q.moved_upto)
    )
    return select(earliest.scalar_subquery(), ending + moving)


def open_attempts(server_ids: Collection[int] | None = None) -> Select[Any]:
    return (
        select(*OPEN_ATTEMPT_COLUMNS)
        .join_from(t.attempts, t.items, _a.item_id == _i.id)
        .where(_a.state == word(AttemptState.OPEN), *_on(_a.server_id, server_ids))
        .order_by(_a.item_id)  # as the index of open ones has them
    )


def _on(column: ColumnElement[int], ids: Collection[int] | None) -> list[ColumnElement[bool]]:
    return [] if ids is None else [column.in_(sorted(ids))]


def open_channel_ids() -> Select[Any]:
    return select(_a.channel_id).where(_a.state == word(AttemptState.OPEN))


def open_tokens() -> Select[Any]:
    """Under which tokens attempts are open: (server_id, fence)."""
    return select(_a.server_id, _a.fence).where(_a.state == word(AttemptState.OPEN)).distinct()


def open_under() -> Select[Any]:
    """Open attempts with the tokens that they were reserved with, and when they were answered, as
    far as that was noted (`dialer.store.answers`). On PostgreSQL alone."""
    answered_at = literal_column("attempts.answered_at", BigInteger)
    return select(_a.channel_id, _a.server_id, _a.fence, answered_at).where(
        _a.state == word(AttemptState.OPEN)
    )


def recent_starts(since: float, server_ids: Collection[int] | None = None) -> Select[Any]:
    """Found by id, not by time: the newest are the last, and there is no index for their times."""
    newest = (
        select(_a.server_id, _a.client_id, _a.opened_at)
        .order_by(_a.id.desc())
        .limit(MOST_RECENT)
        .subquery()
        .c
    )
    return select(newest.server_id, newest.client_id, newest.opened_at).where(
        newest.opened_at >= to_micros(since), *_on(newest.server_id, server_ids)
    )


def open_queues() -> Select[Any]:
    return select(*QUEUE_COLUMNS).where(_is_open).order_by(_q.id)


def open_lanes() -> Select[Any]:
    lanes = t.queue_servers.c
    return (
        select(lanes.queue_id, lanes.server_id)
        .join_from(t.queues, t.queue_servers, lanes.queue_id == _q.id)
        .where(_is_open)
        .order_by(lanes.queue_id, lanes.server_id)
    )


def lanes_of(queue_id: int) -> Select[Any]:
    lanes = t.queue_servers.c
    return select(lanes.server_id).where(lanes.queue_id == queue_id).order_by(lanes.server_id)


def queue_by_id(queue_id: int) -> Select[Any]:
    return select(*QUEUE_COLUMNS).where(_q.id == queue_id)


def queue_conditions(
    client_id: int | None, filters: dict[str, Any] | None
) -> list[ColumnElement[bool]]:
    own = [] if client_id is None else [_q.client_id == client_id]
    return own + _equalities(t.queues, QUEUE_FILTERS, filters)


def item_conditions(queue_id: int, filters: dict[str, Any] | None) -> list[ColumnElement[bool]]:
    return [_i.queue_id == queue_id, *_equalities(t.items, ITEM_FILTERS, filters)]


def _equalities(
    table: Table, allowed: frozenset[str], filters: dict[str, Any] | None
) -> list[ColumnElement[bool]]:
    given = filters or {}
    if unknown := set(given) - allowed:
        raise ValueError(f"no filter by {', '.join(sorted(unknown))}")
    if any(isinstance(value, str) and "\0" in value for value in given.values()):
        return [false()]  # not every database could even be asked
    return [table.c[name] == value for name, value in given.items()]


def known_total(queue_id: int, filters: dict[str, Any]) -> Select[Any] | None:
    """The length of a list of items where no row need be counted: without a filter, by status or
    by batch."""
    if not filters:
        return select(_q.total_count).where(_q.id == queue_id)
    if filters.keys() == {"status"}:
        return select(_q[f"{ItemStatus(filters['status'])}_count"]).where(_q.id == queue_id)
    if filters.keys() == {"batch_id"}:
        batches = t.batches.c
        count = func.coalesce(func.sum(batches.inserted_count), 0)
        return select(count).where(
            batches.queue_id == queue_id, batches.batch_id == filters["batch_id"]
        )
    return None


def page_of_queues(conditions: list[ColumnElement[bool]], offset: int, limit: int) -> Select[Any]:
    return select(*QUEUE_COLUMNS).where(*conditions).order_by(_q.id).offset(offset).limit(limit)


def page_of_items(conditions: list[ColumnElement[bool]], offset: int, limit: int) -> Select[Any]:
    """The ids first: the rows that are skipped need not be read."""
    ids = select(_i.id).where(*conditions).order_by(_i.id).offset(offset).limit(limit)
    return select(*ITEM_COLUMNS).where(_i.id.in_(ids)).order_by(_i.id)


def hits(conditions: list[ColumnElement[bool]], offset: int, limit: int) -> Select[Any]:
    """How many items there are, and the ids of a page of them. Materialized: the items are looked
    through once for both."""
    found = select(_i.id).where(*conditions).cte("hits").prefix_with("MATERIALIZED").c.id
    page = select(found).order_by(found).offset(offset).limit(limit).subquery().c.id
    ids = select(json_list(page)).scalar_subquery()
    return select(select(func.count(found)).scalar_subquery(), ids)


def items_by_id(ids: Sequence[int]) -> Select[Any]:
    return select(*ITEM_COLUMNS).where(_i.id.in_(ids)).order_by(_i.id)


def cdrs(client_id: int | None, after_id: int, upto: int, limit: int) -> Select[Any]:
    own = [] if client_id is None else [t.cdrs.c.client_id == client_id]
    return (
        select(t.cdrs.c.id, t.cdrs.c.record)
        .where(*own, t.cdrs.c.id > after_id, t.cdrs.c.id <= upto)
        .order_by(t.cdrs.c.id)
        .limit(limit)
    )


def item_counts() -> Select[Any]:
    return select(
        *(func.coalesce(func.sum(_q[f"{status}_count"]), 0).label(status) for status in ItemStatus)
    )


def live_calls(column: str) -> Select[Any]:
    """Open attempts by "server_id" or "client_id"."""
    return (
        select(_a[column], func.count())
        .where(_a.state == word(AttemptState.OPEN))
        .group_by(_a[column])
    )


def attempts_since(since: float) -> Select[Any]:
    """Ids grow with time, so the newest rows tell: no index is kept for this."""
    newest = select(_a.opened_at).order_by(_a.id.desc()).limit(_MOST_A_MINUTE).subquery()
    return select(func.count()).where(newest.c.opened_at > to_micros(since))


def read_totals(counts: Sequence[int], tallies: Sequence[Sequence[Any]]) -> Totals:
    """Of `item_counts` and the rows (name, value) of `tallies`."""
    named = {name: value for name, value in tallies if value}
    dispositions = {
        name.removeprefix("cdr/"): value for name, value in named.items() if name.startswith("cdr/")
    }
    return Totals(
        dict(zip(ItemStatus, counts, strict=True)),
        dispositions,
        sum(dispositions.values()),
        {name: value for name, value in named.items() if not name.startswith("cdr/")},
    )
