"""A question about histories as conditions of SQL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, case, func, literal, or_, select

from dialer.histories import App, CdrQuery, HourWindow
from dialer.states import QueueKind
from dialer.store import tables as t
from dialer.store.dialect import field_of, position
from dialer.store.rows import to_micros, word
from dialer.store.spans import is_by_id

Condition = ColumnElement[bool]

_c, _q, _p, _a = t.cdrs.c, t.queues.c, t.projects.c, t.attempts.c
_o = t.cdrs.alias("others").c  # CDRs inside a condition about CDRs
_shown = func.coalesce(_c.client_channel_id, field_of(_c.record, "channel_id"))
_DAY: Final = 86_400
_SECOND: Final = 1_000_000  # microseconds


def conditions(query: CdrQuery, earliest: int, latest: int) -> list[Condition]:
    """What a CDR must meet. No call of the history began before `earliest` or after `latest`
    (microseconds): `hours` are reckoned for that time."""
    made = [*_of_whom(query), *_equal(query), *_of_numbers(query), *_of_sets(query), *_ids(query)]
    if query.started_from is not None:
        made.append(_c.started_at >= to_micros(query.started_from))
    if query.started_until is not None:
        made.append(_c.started_at < to_micros(query.started_until))
    if query.hours is not None:
        made.append(_is_within(query.hours, earliest, latest))
    return made


def _of_whom(query: CdrQuery) -> Iterator[Condition]:
    if query.client_id is not None:
        # Ids find the few; SQLite must not look for those in all of the client's history.
        column = _c.client_id + 0 if is_by_id(query) else _c.client_id
        yield column == query.client_id
    if query.from_id is not None:
        yield _c.id >= query.from_id


def _equal(query: CdrQuery) -> Iterator[Condition]:
    plain = ("duration", "extension", "queue_id", "server_code", "recorded", "final")
    for name in plain:
        if (value := getattr(query, name)) is not None:
            wide = isinstance(value, int) and not isinstance(value, bool)
            yield _c[name] == (literal(value, BigInteger) if wide else value)
    if query.queue_name is not None:
        yield _c.queue_id.in_(_queues(query, _q.name == query.queue_name))
    if query.contact_number is not None:
        yield field_of(_c.record, "contact_number") == query.contact_number


def _of_numbers(query: CdrQuery) -> Iterator[Condition]:
    if query.number is not None:
        yield or_(_c.number == query.number, _c.source == query.number)
    if query.number_part is not None:
        yield or_(_holds(_c.number, query.number_part), _holds(_c.source, query.number_part))
    if query.source_part is not None:
        yield _holds(_c.source, query.source_part)
    if query.destination_part is not None:
        yield _holds(_c.number, query.destination_part)


def _holds(column: ColumnElement[str], part: str) -> Condition:
    return position(column, part) > 0


def _of_sets(query: CdrQuery) -> Iterator[Condition]:
    if query.dispositions is not None:
        yield _c.disposition.in_(sorted(query.dispositions))
    if query.projects is not None:
        yield _c.project.in_(sorted(query.projects))
    if query.project_number is not None:
        numbered = [_p.number == query.project_number]
        if query.client_id is not None:
            numbered.append(_p.client_id == query.client_id)
        yield _c.project.in_(select(_p.name).where(*numbered))
    if query.apps is not None:
        yield or_(*(_is_for(app, query) for app in sorted(query.apps)))


def _is_for(app: App, query: CdrQuery) -> Condition:
    quick = _c.queue_id.in_(_queues(query, _q.kind == word(QueueKind.QUICK)))
    if app is App.DIAL:
        return quick
    return ~quick & (_c.talked if app is App.AUTODIALER else ~_c.talked)


def _queues(query: CdrQuery, which: Condition) -> Select[Any]:
    own = [] if query.client_id is None else [_q.client_id == query.client_id]
    return select(_q.id).where(which, *own)


def _ids(query: CdrQuery) -> Iterator[Condition]:
    if query.id is not None:
        yield _c.id == query.id
    if query.cdr_id is not None:
        yield _c.cdr_id == query.cdr_id
    if query.call_id is not None:
        yield _c.id.in_(_on_shelves(_o.call_id == query.call_id))
    if query.sip_call_id is not None:
        yield _c.id.in_(_on_shelves(_o.sip_call_id == query.sip_call_id))
    if query.uniqueid is not None:
        # The client's own; Asterisk's, where the client gave none.
        attempts = select(_a.id).where(_a.channel_id == query.uniqueid)
        ours = select(_o.id).where(_o.attempt_id.in_(attempts), _o.client_channel_id.is_(None))
        own = _on_shelves(_o.client_channel_id == query.uniqueid)
        yield or_(_c.id.in_(own), _c.id.in_(ours)) & (_shown == query.uniqueid)


def _every_shelf() -> CTE:
    shelves = select(func.min(_c.shelf).label("shelf")).cte("shelves", recursive=True)
    following = shelves.c.shelf + 1
    last = select(func.max(_c.shelf)).scalar_subquery()
    return shelves.union_all(select(following).where(following <= last))


_SHELVES: Final = _every_shelf()


def _on_shelves(which: Condition) -> Select[Any]:
    """Ids of CDRs by what others chose: looked for on every shelf (dialer.store.cdr_rows)."""
    return select(_o.id).where(_o.shelf.in_(select(_SHELVES.c.shelf)), which)


def _is_within(window: HourWindow, earliest: int, latest: int) -> Condition:
    offset = _offset(window.zone, earliest // _SECOND, latest // _SECOND)
    second = (_c.started_at // _SECOND + offset) % _DAY
    after, before = second >= window.start, second < window.end
    return after & before if window.start < window.end else after | before


def _offset(zone: str, earliest: int, latest: int) -> ColumnElement[int]:
    """Seconds that the clocks of `zone` were ahead of UTC when a call began."""
    changes = list(find_changes(ZoneInfo(zone), earliest, latest))
    ends = [at * _SECOND for at, _ in changes[1:]]
    held = [(_c.started_at < end, ahead) for end, (_, ahead) in zip(ends, changes, strict=False)]
    return case(*held, else_=changes[-1][1]) if held else literal(changes[-1][1])


def find_changes(zone: ZoneInfo, earliest: int, latest: int) -> Iterator[tuple[int, int]]:
    """Each offset from UTC (seconds) with the moment from which it held (epoch seconds), for what
    is between two moments: `earliest` first."""
    known = _ahead(zone, earliest)
    yield earliest, known
    low = earliest
    while low < latest:
        high = min(low + _DAY, latest)
        offset = _ahead(zone, high)
        if offset != known:
            yield _change(zone, low, high, known), offset
            known = offset
        low = high


def _change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The first second after `low` at which `offset` holds no more."""
    while high - low > 1:
        middle = (low + high) // 2
        if _ahead(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _ahead(zone: ZoneInfo, at: int) -> int:
    there = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    return int(there.total_seconds()) if there is not None else 0
