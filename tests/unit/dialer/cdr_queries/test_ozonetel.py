"""Arguments of reports: any body is a question or one of the messages."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.cdr_queries.ozonetel import FIELDS, AskedReport, BadArgument, read_report
from dialer.dialects.ozonetel import Report, number_call
from dialer.histories import App, CdrQuery

UTC = ZoneInfo("UTC")
NOW = 1704103200.0  # 2024-01-01T10:00:00Z
MIDNIGHT = 1704067200.0
TODAY: dict[str, Any] = {
    "fromDate": "2024-01-01 00:00:00",
    "toDate": "2024-01-01 23:59:59",
    "userName": "alpha",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def read(report: Report = Report.DETAILS, **body: Any) -> AskedReport:
    return read_report(report, TODAY | body, {}, 7, zone=UTC, now=NOW, campaigns={"spring"})


def test_a_day() -> None:
    day = CdrQuery(7, started_from=MIDNIGHT, started_until=MIDNIGHT + 86_400)
    assert read() == AskedReport(day)
    assert read(Report.PAGINATED) == AskedReport(day, 0, 100)
    later = read_report(
        Report.PAGINATED, TODAY, {"pageNo": "3", "pageSize": "50"}, 7, zone=UTC, now=NOW
    )
    assert later == AskedReport(day, 100, 50)


def test_filters() -> None:
    query = read(
        campaignName="spring", callType="Manual", status="Answered", ucid=number_call(9)
    ).query
    assert query is not None
    assert query.projects == frozenset({"spring"})
    assert query.apps == frozenset({App.DIAL})
    assert query.dispositions == frozenset({"answered"})
    assert query.id == 9
    inbound = read(callType="InBound").query
    assert inbound is not None
    assert inbound.apps == frozenset()


@pytest.mark.parametrize("ucid", [0, 1, 10**16, number_call(9) + 1, str(2**62 + 1)])
def test_a_ucid_of_no_call(ucid: object) -> None:
    assert read(Report.UCID, ucid=ucid).query is None


@settings(max_examples=100)
@given(
    st.sampled_from(list(Report)),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), st.text(max_size=5), max_size=2),
)
def test_any_body_is_a_question_or_a_message(
    report: Report, body: dict[str, Any], params: dict[str, str]
) -> None:
    told = ""
    try:
        asked = read_report(report, TODAY | body, params, 7, zone=UTC, now=NOW)
    except BadArgument as wrong:
        told = str(wrong)
    else:
        assert asked.query is None or asked.query.client_id == 7
        assert (asked.limit > 0) is (report is Report.PAGINATED)
    assert told.startswith(("Missing ", "Invalid ", "fromDate ", "toDate ")) or not told
