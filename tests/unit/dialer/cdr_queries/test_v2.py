"""Parameters of `/v2/cdr`: any text is a query or an error that names its parameter."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.cdr_queries.v2 import FILTERS, KEPT, PAGES, read_asked, read_query, unfold, write_scroll
from dialer.dialects import CdrMapping
from dialer.errors import Refused
from dialer.histories import App, CdrQuery, Direction

UTC = ZoneInfo("UTC")
NAMES = sorted({*FILTERS, *PAGES, *KEPT})
VALUES = st.sampled_from(
    ["", " ", "0", "1", "10", "2024-01-01", "2024-01-01 10:00:00", "dial", "INBOUND", "flex", "٣"]
) | st.text(max_size=12)


def test_nothing_asked_for_is_everything() -> None:
    asked = read_asked({})
    assert (asked.limit, asked.offset, asked.scrolling, asked.after) == (10, 0, True, None)
    assert asked.mapping is None
    assert read_query({}, 7, UTC) == CdrQuery(7)


def test_every_filter() -> None:
    given = unfold(
        {
            "start_date": "1970-01-02",
            "end_date": "1970-01-02 00:00:09",
            "duration": "10",
            "extension": " 101 ",
            "phone": "0899",
            "direction": "Outbound",
            "application": "autocall",
            "mapping": "FLEX",
        }
    )
    assert read_query(given, 7, UTC) == CdrQuery(
        7,
        started_from=86_400.0,
        started_until=86_410.0,
        duration=10,
        extension="101",
        number="0899",
        directions=frozenset({Direction.OUTBOUND}),
        apps=frozenset({App.AUTOCALL}),
    )
    assert read_asked(given).mapping is CdrMapping.FLEX


def test_a_scroll_goes_on_where_it_stood_with_the_same_filters() -> None:
    given = {"limit": "3", "phone": "0899", "mapping": "flex", "accountcode": "a"}
    scroll_id = write_scroll(read_asked(given), last_row=77, count=3)
    again = unfold({"scroll_id": scroll_id})
    asked = read_asked(again)
    assert (asked.after, asked.offset, asked.limit, asked.scrolling) == (77, 3, 10, True)
    assert (asked.mapping, again["phone"], again["accountcode"]) == (CdrMapping.FLEX, "0899", "a")
    further = write_scroll(read_asked(again), last_row=80, count=3)
    assert read_asked(unfold({"scroll_id": further})).offset == 6


def test_what_is_named_again_beats_what_a_scroll_carries() -> None:
    scroll_id = write_scroll(read_asked({"phone": "1"}), last_row=1, count=1)
    assert unfold({"scroll_id": scroll_id, "phone": "2"})["phone"] == "2"


@pytest.mark.parametrize("params", [{"page": "2"}, {"offset": "0"}])
def test_pages_do_not_scroll(params: dict[str, str]) -> None:
    assert not read_asked(params).scrolling
    scroll_id = write_scroll(read_asked({}), 1, 1)
    with pytest.raises(Refused):
        read_asked(params | {"scroll_id": scroll_id})


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5))
def test_any_parameters_are_a_query_or_an_error_that_names_one(params: dict[str, str]) -> None:
    told = ""
    try:
        given = unfold(params)
        read_asked(given)
        query = read_query(given, 7, UTC)
    except Refused as refused:
        told = refused.errors[0].field
    else:
        assert query.client_id == 7
    assert told in ("", *params)
