"""Reading CDRs back: pages of a history of any length, and a stream of all of it.

Nothing is walked that can be reckoned: blocks that a question is about as a whole add their sizes;
in others what meets it is counted, once, for they do not change any more (`cdr_rows`). What is long
is asked in pieces, and among the searches (`searches`), so that nobody waits for all of it.

All queries of a page are about ids up to the newest one at its beginning: what is added meanwhile
changes none of them.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Select, func, select

from dialer.histories import CdrPage, CdrQuery, CdrRow, Project
from dialer.states import QueueKind
from dialer.store import tables as t
from dialer.store.cdr_rows import BLOCK
from dialer.store.dialect import is_among, json_list
from dialer.store.dialect import spans as bounds_of
from dialer.store.history_filters import conditions
from dialer.store.rows import Raw, dump_json, load_cdr, to_micros
from dialer.store.spans import (
    LARGEST,
    Block,
    Span,
    cut_spans,
    even_spans,
    is_by_id,
    simplify,
    skip_to,
    slices,
)

Rows = list[Raw]
Read = Callable[[Select[Any]], Awaitable[Rows]]

PIECE: Final = 500
"""CDRs that are read at once for a stream."""

AT_ONCE: Final = 32
"""Spans that one query goes through: some 30 ms."""

FEW: Final = 8
"""Spans that may be gone through among the short reads."""

MOST_KEPT: Final = 24
"""Questions whose counts are kept: of five million CDRs, 150 KB each."""

_c, _q, _b, _p = t.cdrs.c, t.queues.c, t.cdr_blocks.c, t.projects.c


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the spans that it is about. `counted`: what was found there."""

    query: CdrQuery
    spans: Sequence[Span]
    conditions: Sequence[ColumnElement[bool]]
    counted: dict[Span, int] = field(default_factory=dict)


class Search(Protocol):
    """`Searches.fetch`."""

    async def __call__(self, client_id: int, *queries: Select[Any]) -> list[Rows]: ...


async def _all_settled() -> int:
    return LARGEST


class Histories:
    """`read` is for what is short, `search` for what may take long. `newest_settled` tells the id
    up to which no CDR comes any more, whoever's: where several write, one that is seen may have a
    larger id than one that is not there yet. Of one client's none has."""

    def __init__(
        self,
        read: Read,
        search: Search,
        newest_settled: Callable[[], Awaitable[int]] = _all_settled,
    ) -> None:
        self._read, self._search, self._newest_settled = read, search, newest_settled
        self._kept: OrderedDict[CdrQuery, dict[int, int]] = OrderedDict()

    async def page(
        self, wanted: CdrQuery, limit: int, after: int | None, offset: int, count: bool
    ) -> CdrPage:
        """See `Store.cdr_page`."""
        query = simplify(wanted)
        if query is None:
            return CdrPage((), 0 if count else None, None)
        if is_by_id(query):
            return await self._page_of_few(query, limit, after, offset, count)
        question = await self._ask(query)
        total = None
        if count:
            total = sum(await self._count(question, question.spans))
        ids = await self._find(question, skip_to(question.spans, (after or 0) + 1), offset, limit)
        rows = await self._rows(ids[:limit])
        return CdrPage(rows, total, ids[limit - 1] if len(ids) > limit else None)

    async def stream(
        self, wanted: CdrQuery, after: int | None
    ) -> AsyncIterator[tuple[CdrRow, ...]]:
        """See `Store.cdr_stream`."""
        query = simplify(wanted)
        if query is None:
            return
        if is_by_id(query):
            while (page := await self._page_of_few(query, PIECE, after, 0, False)).rows:
                yield page.rows
                after = page.rows[-1].id
            return
        question = await self._ask(query)
        for spans in slices(skip_to(question.spans, (after or 0) + 1), FEW):
            for ids in slices(await self._ids(question, spans, is_long=True), PIECE):
                yield await self._rows(ids)

    async def projects(self, client_id: int) -> tuple[Project, ...]:
        """See `Store.projects`."""
        query = select(_p.number, _p.name).where(_p.client_id == client_id).order_by(_p.number)
        return tuple(Project(number, name) for number, name in await self._read(query))

    async def _page_of_few(
        self, query: CdrQuery, limit: int, after: int | None, offset: int, count: bool
    ) -> CdrPage:
        """Of a question that names a CDR, or a call with its attempts, by an id."""
        question = Question(query, [], conditions(query, *await self._period(query)))
        wanted = select(_c.id).where(*question.conditions)
        later = wanted.where(_c.id > (after or 0)).order_by(_c.id).limit(limit + 1)
        later = later.offset(min(offset, LARGEST))
        counted = select(func.count()).select_from(wanted.subquery())
        if query.id is None and query.cdr_id is None:
            found, ((total,),) = await self._search(query.client_id or 0, later, counted)
        else:
            found, ((total,),) = await self._read(later), await self._read(counted)
        ids = [raw[0] for raw in found]
        rows = await self._rows(ids[:limit])
        cursor = ids[limit - 1] if len(ids) > limit else None
        return CdrPage(rows, total if count else None, cursor)

    async def _ask(self, query: CdrQuery) -> Question:
        if query.client_id is None:
            spans = await self._spans_of_all(query)
        else:
            found = await self._read(_blocks(query).order_by(_b.first_id))
            spans = cut_spans([Block(*raw) for raw in found], query)
        return Question(query, spans, conditions(query, *await self._period(query)))

    async def _spans_of_all(self, query: CdrQuery) -> list[Span]:
        """Of all clients' history, which lies mixed: from the first block that may matter to the
        last one."""
        settled = await self._newest_settled()
        blocks = _blocks(query).subquery().c
        bounds = select(func.min(blocks.first_id), func.max(blocks.last_id))
        ((first, last),) = await self._read(bounds)
        if first is None:
            return []
        return even_spans(max(first, query.from_id or 0), min(last, settled), BLOCK)

    async def _period(self, query: CdrQuery) -> tuple[int, int]:
        """Between what moments all calls began; asked only where hours are."""
        if query.hours is None:
            return 0, 0
        blocks = _blocks(query).subquery().c
        bounds = select(func.min(blocks.earliest), func.max(blocks.latest))
        ((earliest, latest),) = await self._read(bounds)
        return earliest or 0, latest or 0

    async def _count(self, question: Question, spans: Sequence[Span]) -> list[int]:
        """How many CDRs of each span are wanted."""
        key = replace(question.query, from_id=None)
        kept = self._kept.get(key) or {}
        counts = [_known(question, kept, span) for span in spans]
        missing = [place for place, count in enumerate(counts) if count is None]
        for places in slices(missing, AT_ONCE):
            asked = [spans[place] for place in places]
            query = _count_in(asked, question.conditions)
            found = await self._go(question, query, is_long=len(missing) > FEW)
            for place, span, (count,) in zip(places, asked, found, strict=True):
                counts[place] = question.counted[span] = count
                if span.stays:
                    kept[span.first] = count
        if missing:
            self._keep(key, kept)
        return [count or 0 for count in counts]

    def _keep(self, key: CdrQuery, counts: dict[int, int]) -> None:
        self._kept[key] = counts
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def _find(
        self, question: Question, spans: Sequence[Span], offset: int, limit: int
    ) -> list[int]:
        """Ids of the wanted CDRs in these spans, less the first `offset`: `limit` of them and one
        more, where there are as many."""
        picked: list[Span] = []
        left = offset + limit + 1
        for some in slices(spans, AT_ONCE):
            for span, count in zip(some, await self._count(question, some), strict=True):
                if not picked and count <= offset:
                    offset -= count
                    left -= count
                elif count:
                    picked.append(span)
                    left -= count
                if left <= 0:
                    break
            if left <= 0:
                break
        ids: list[int] = []
        for few in slices(picked, AT_ONCE):
            ids += await self._ids(question, few, is_long=len(picked) > FEW)
        return ids[offset : offset + limit + 1]

    async def _ids(self, question: Question, spans: Sequence[Span], is_long: bool) -> list[int]:
        found = await self._go(question, _ids_in(spans, question.conditions), is_long)
        return [id_ for (ids,) in found for id_ in sorted(ids)]

    async def _rows(self, ids: Sequence[int]) -> tuple[CdrRow, ...]:
        if not ids:
            return ()
        found = await self._read(_by_id(ids))
        return tuple(
            CdrRow(id_, load_cdr(record), kind == QueueKind.QUICK, queue_name)
            for id_, record, kind, queue_name in found
        )

    async def _go(self, question: Question, query: Select[Any], is_long: bool) -> Rows:
        if not is_long:
            return await self._read(query)
        return (await self._search(question.query.client_id or 0, query))[0]


def _known(question: Question, kept: dict[int, int], span: Span) -> int | None:
    if span.wanted is not None:
        return span.wanted
    counted = question.counted.get(span)
    return kept.get(span.first) if counted is None and span.stays else counted


def _blocks(query: CdrQuery) -> Select[Any]:
    """The blocks that a question may be about."""
    blocks = select(_b.first_id, _b.last_id, _b.size, _b.earliest, _b.latest)
    if query.client_id is not None:
        blocks = blocks.where(_b.client_id == query.client_id)
    if query.started_from is not None:
        blocks = blocks.where(_b.latest >= to_micros(query.started_from))
    if query.started_until is not None:
        blocks = blocks.where(_b.earliest < to_micros(query.started_until))
    if query.from_id is not None:
        blocks = blocks.where(_b.last_id >= query.from_id)
    return blocks


def _count_in(spans: Sequence[Span], conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return _in_each(spans, func.count(_c.id), conditions)


def _ids_in(spans: Sequence[Span], conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return _in_each(spans, json_list(_c.id), conditions)


def _in_each(
    spans: Sequence[Span], result: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    """One row for each span, in their order. A subquery for each: a join would leave to SQLite
    what it goes through first."""
    bounds = dump_json([(span.first, span.last) for span in spans])
    each = bounds_of(bounds)
    within = select(result).where(_c.id.between(each.c.first, each.c.last), *conditions)
    within = within.correlate(each)
    return select(within.scalar_subquery()).select_from(each).order_by(each.c.key)


def _by_id(ids: Sequence[int]) -> Select[Any]:
    return (
        select(_c.id, _c.record, _q.kind, _q.name)
        .join_from(t.cdrs, t.queues, _c.queue_id == _q.id)
        .where(is_among(_c.id, dump_json(ids)))
        .order_by(_c.id)
    )
