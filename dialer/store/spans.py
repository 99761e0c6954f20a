"""Which runs of CDRs a question is about, and what need not be counted there. Pure.

A history is a list of blocks (`dialer.store.cdr_rows`); a question keeps of them what it may be
about, as spans of ids. Moments are microseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Final, NamedTuple, TypeVar

from dialer.histories import App, CdrQuery, Direction
from dialer.store.rows import to_micros_or_none

T = TypeVar("T")

BY_ID: Final = ("id", "cdr_id", "call_id", "uniqueid", "sip_call_id")
"""What names a few CDRs, that are found by an index of its own."""

LARGEST: Final = 2**63 - 1
"""A number that a database holds."""

_BY_BLOCK: Final = frozenset({"client_id", "started_from", "started_until", "from_id"})
"""What a block's bounds may answer."""


class Block(NamedTuple):
    """A run of a client's CDRs; `earliest` and `latest` of their calls' starts."""

    first: int
    last: int
    size: int
    earliest: int
    latest: int


class Span(NamedTuple):
    """CDRs from one id to another. `wanted`: how many of them are; None: to be counted.
    `stays`: nothing is added to it any more, and it is a whole block."""

    first: int
    last: int
    wanted: int | None
    stays: bool


def simplify(query: CdrQuery) -> CdrQuery | None:
    """The same question without what says nothing; None where nothing can meet it, as what no
    database can hold: texts that are no Unicode or hold a NUL, numbers of more than 63 bits."""
    if not all(_can_be(getattr(query, f.name)) for f in fields(query)):
        return None
    if query.directions is not None:
        if Direction.OUTBOUND not in query.directions:
            return None
        query = replace(query, directions=None)
    if query.apps is not None and query.apps >= frozenset(App):
        query = replace(query, apps=None)
    if any(chosen == frozenset() for chosen in (query.dispositions, query.apps, query.projects)):
        return None
    if query.hours is not None and query.hours.start == query.hours.end:
        query = replace(query, hours=None)
    return query


def _can_be(value: object) -> bool:
    if isinstance(value, frozenset):
        return all(map(_can_be, value))
    if isinstance(value, str):
        return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return not isinstance(value, int) or abs(value) <= LARGEST


def is_by_id(query: CdrQuery) -> bool:
    return any(getattr(query, name) is not None for name in BY_ID)


def cut_spans(blocks: Sequence[Block], query: CdrQuery) -> list[Span]:
    """The spans that the question is about, of a client's blocks in their order."""
    start, end = to_micros_or_none(query.started_from), to_micros_or_none(query.started_until)
    counts = all(getattr(query, f.name) is None for f in fields(query) if f.name not in _BY_BLOCK)
    lowest, newest = query.from_id or 0, blocks[-1] if blocks else None
    spans = []
    for block in blocks:
        before = start is not None and block.latest < start
        if before or (end is not None and block.earliest >= end) or block.last < lowest:
            continue
        within = (start is None or block.earliest >= start) and (end is None or block.latest < end)
        if block.first < lowest:
            spans.append(Span(lowest, block.last, None, False))
            continue
        size = block.size if counts and within else None
        spans.append(Span(block.first, block.last, size, block is not newest))
    return spans


def skip_to(spans: Sequence[Span], first: int) -> list[Span]:
    """What is left of the spans from this id on."""
    return [
        span if span.first >= first else Span(first, span.last, None, False)
        for span in spans
        if span.last >= first
    ]


def even_spans(first: int, last: int, length: int) -> list[Span]:
    """Spans of so many ids each, where there are no blocks to go by."""
    starts = range(first, last + 1, length)
    ends = (start + length - 1 for start in starts)
    return [Span(a, min(b, last), None, b < last) for a, b in zip(starts, ends, strict=True)]


def slices(items: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), length):
        yield items[start : start + length]
