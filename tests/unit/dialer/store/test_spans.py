"""Which runs of CDRs a question is about."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.histories import App, CdrQuery, Direction, HourWindow
from dialer.store.spans import (
    Block,
    Span,
    cut_spans,
    even_spans,
    is_by_id,
    simplify,
    skip_to,
    slices,
)

ALL = CdrQuery(1)
SECOND = 1_000_000
BLOCKS = [
    Block(1, 10, 5, 0 * SECOND, 10 * SECOND),
    Block(11, 20, 6, 8 * SECOND, 20 * SECOND),
    Block(22, 30, 2, 21 * SECOND, 30 * SECOND),
]


def test_without_filters_nothing_is_counted() -> None:
    spans = cut_spans(BLOCKS, ALL)
    assert spans == [Span(1, 10, 5, True), Span(11, 20, 6, True), Span(22, 30, 2, False)]
    assert cut_spans([], ALL) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 20.0, [(1, 5), (11, None)]),
        (None, 20.000001, [(1, 5), (11, 6)]),
        (8.0, None, [(1, None), (11, 6), (22, 2)]),
        (10.0, None, [(1, None), (11, None), (22, 2)]),
        (10.5, None, [(11, None), (22, 2)]),
        (None, 8.0, [(1, None)]),
        (30.0, 40.0, [(22, None)]),
        (31.0, None, []),
        (20.1, 20.9, []),
    ],
)
def test_a_period_counts_only_at_its_ends(
    start: float | None, end: float | None, expected: list[tuple[int, int | None]]
) -> None:
    spans = cut_spans(BLOCKS, replace(ALL, started_from=start, started_until=end))
    assert [(span.first, span.wanted) for span in spans] == expected


def test_any_other_filter_is_counted() -> None:
    for query in (replace(ALL, duration=0), replace(ALL, recorded=False), replace(ALL, final=True)):
        assert [span.wanted for span in cut_spans(BLOCKS, query)] == [None] * 3


def test_a_first_id_within_a_block_cuts_it() -> None:
    assert cut_spans(BLOCKS, replace(ALL, from_id=11))[0] == Span(11, 20, 6, True)
    assert cut_spans(BLOCKS, replace(ALL, from_id=12))[0] == Span(12, 20, None, False)
    assert cut_spans(BLOCKS, replace(ALL, from_id=31)) == []
    spans = cut_spans(BLOCKS, ALL)
    assert skip_to(spans, 1) == spans
    assert skip_to(spans, 11) == spans[1:]
    assert skip_to(spans, 20) == [Span(20, 20, None, False), spans[2]]
    assert skip_to(spans, 21) == spans[2:]
    assert skip_to(spans, 31) == []


def test_even_spans_leave_nothing_out() -> None:
    assert even_spans(3, 7, 2) == [
        Span(3, 4, None, True),
        Span(5, 6, None, True),
        Span(7, 7, None, False),
    ]
    assert even_spans(3, 2, 2) == []
    assert [list(some) for some in slices([1, 2, 3], 2)] == [[1, 2], [3]]


def test_what_says_nothing_is_left_out() -> None:
    empty: frozenset[str] = frozenset()
    assert simplify(replace(ALL, apps=frozenset(App))) == ALL
    assert simplify(replace(ALL, directions=frozenset(Direction))) == ALL
    assert simplify(replace(ALL, hours=HourWindow(60, 60))) == ALL
    assert simplify(replace(ALL, directions=frozenset({Direction.INBOUND}))) is None
    assert simplify(replace(ALL, dispositions=empty)) is None
    assert simplify(replace(ALL, projects=empty)) is None
    assert simplify(replace(ALL, apps=frozenset())) is None
    some = replace(ALL, apps=frozenset({App.DIAL}), hours=HourWindow(60, 0))
    assert simplify(some) == some


@pytest.mark.parametrize(
    "impossible",
    [
        {"from_id": 2**63}, {"id": 10**30}, {"duration": -(2**63)}, {"queue_id": 2**63},
        {"project_number": 2**63}, {"number": "\ud800"}, {"number_part": "a\udfff"},
        {"projects": frozenset({"one", "\udc00"})},
    ],
)  # fmt: skip
def test_what_no_database_holds_is_found_nowhere(impossible: dict[str, Any]) -> None:
    assert simplify(replace(ALL, **impossible)) is None


def test_the_largest_are_asked_for() -> None:
    large = replace(ALL, from_id=2**63 - 1, number="\U0010ffff\ue000")
    assert simplify(large) == large


def test_ids_name_few() -> None:
    assert not is_by_id(replace(ALL, from_id=5, duration=3))
    assert is_by_id(replace(ALL, uniqueid="x"))
