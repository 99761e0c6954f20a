"""Parameters of the PBX: any are a query or messages."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.cdr_queries.pbx import FILTERS, BadFilters, Reader, read_filters
from dialer.histories import CdrQuery, HourWindow, Project

READER = Reader(7, ZoneInfo("Europe/Bucharest"), (Project(1, "one"), Project(2, "two")))
WORDS = st.sampled_from(
    ["", "1", "0", "24", "24:00", "24:01", "2024-01-01", "OUT", "BUSY", "no", "x" * 300, "٣", "\0"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


def test_there_are_eighteen() -> None:
    assert len(set(FILTERS)) == 18


def test_no_filters() -> None:
    nothing: tuple[Any, ...] = (None, "", [], {}, {"source": None, "hour_between": ["", None]})
    for filters in nothing:
        assert READER.read({"filters": filters}) == (CdrQuery(7), 1)


def test_projects_by_number_and_name() -> None:
    query, page = READER.read({"page": "2", "filters": {"project_id": {"0": "2", "1": "three"}}})
    assert (query.projects, page) == (frozenset({"two", "three"}), 2)


@pytest.mark.parametrize(
    ("hours", "window"),
    [
        (["9", "17"], (9 * 3600, 18 * 3600)),
        (["09:30", "17:15"], (9 * 3600 + 1800, 17 * 3600 + 960)),
        (["22", "05:59:59"], (22 * 3600, 6 * 3600)),
        (["00", "23"], (0, 86_400)),
        (["0", "24:00"], (0, 86_400)),
        ([None, "12:00"], (0, 12 * 3600 + 60)),
        (["12", ""], (12 * 3600, 86_400)),
        ([8, 9], (8 * 3600, 10 * 3600)),
    ],
)
def test_hours_are_whole_as_far_as_they_are_written(
    hours: list[object], window: tuple[int, int]
) -> None:
    query, _ = READER.read({"filters": {"hour_between": hours}})
    assert query.hours == HourWindow(*window, "Europe/Bucharest")


def test_every_wrong_filter_is_told() -> None:
    with pytest.raises(BadFilters) as told:
        READER.read({"filters": {"direction": "UP", "from_id": "x"}})
    assert told.value.messages == (
        "Invalid value of filter: direction",
        "Invalid value of filter: from_id",
    )
    with pytest.raises(BadFilters, match="Invalid filter: nothing"):
        read_filters({"filters": {"nothing": None}})


@settings(max_examples=100)
@given(JSON, JSON, st.dictionaries(st.sampled_from(FILTERS), JSON, max_size=4))
def test_any_parameters_are_a_query_or_messages(
    page: Any, other: Any, filters: dict[str, Any]
) -> None:
    for params in ({"page": page, "filters": filters}, {"filters": other}):
        told: tuple[str, ...] = ()
        try:
            query, number = READER.read(params)
        except BadFilters as wrong:
            told = wrong.messages
        else:
            assert query.client_id == 7
            assert number >= 1
        assert all(message.startswith("Invalid ") for message in told)
