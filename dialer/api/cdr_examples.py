"""Requests and answers of the APIs that give CDRs in another API's shape, as the OpenAPI
description shows them. Records are written by the dialects themselves."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.cdr import Cdr
from dialer.dialects import View
from dialer.dialects.ozonetel import Report, write_report_row
from dialer.dialects.pbx import write_pbx
from dialer.dialects.v2_default import write_default

SAMPLE: Final = Cdr(
    cdr_id="018cc4f5-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    call_id="call-uuid-1234",
    channel_id="018cc4f5-1a2b-7c3d-8e4f-5a6b7c8d9e10",
    client_id=123,
    accountcode="client_xyz",
    queue_id=123,
    item_id=4711,
    batch_id=12345,
    server_code="server1",
    attempt=1,
    final=True,
    next_attempt_at=None,
    number="1234567890",
    caller_id="Your Company <1001>",
    disposition="answered",
    started_at=1704103200.0,
    ringing_at=1704103202.0,
    answered_at=1704103208.0,
    ended_at=1704103211.0,
    end_estimated=False,
    duration=11,
    billsec=3,
    ring_seconds=6,
    connected=True,
    cause=16,
    cause_text="Normal Clearing",
    sip_code=None,
    reason=4,
    dial_status="ANSWER",
    leg_b=None,
    error_message=None,
    application="Wait",
    data="3",
    project="campaign_2024",
    contact_number="1234567890",
    sip_call_id="112233aabbccddee",
)
_VIEW: Final = View(zone=ZoneInfo("UTC"), row_id=1, quick=False)

_GIVEN: Final = "dt_AAAAAGWSpbA4aWRlYTEyM2EwNzI0ZjQ4YTZkMjU1NWEwYjA4ZTk3OTYyZGI2YzM4"
KEY_HOLDER: Final[dict[str, Any]] = {
    "api_key": "abc123def456ghi789jkl012mno345pqr678stu901vwx234yz"
}
TOKEN: Final[dict[str, Any]] = {"token": _GIVEN, "token_type": "Bearer", "expires_in": 3600}
RECORD: Final = write_default(SAMPLE, _VIEW)
SCROLL_ID: Final = "eyJhIjoxLCJuIjoxLCJxIjp7fX0"
CDRS: Final[dict[str, Any]] = {
    "data": [RECORD],
    "limit": 10,
    "offset": 0,
    "total": 1,
    "scroll_id": SCROLL_ID,
}

REPORT_HOLDER: Final[dict[str, Any]] = {"userName": "client_user"}
REPORT_TOKEN: Final[dict[str, Any]] = {"token": _GIVEN}
REPORT: Final[dict[str, Any]] = {
    "fromDate": "2024-01-01 00:00:00",
    "toDate": "2024-01-01 23:59:59",
    "userName": "client_user",
}
UCID_REPORT: Final = REPORT | {"ucid": 10000000000000016}
FILTERED_REPORT: Final = REPORT | {
    "campaignName": "campaign_2024",
    "callType": "Progressive",
    "status": "NotAnswered",
}


def show_report(report: Report) -> dict[str, Any]:
    """A report of one call."""
    details = [write_report_row(SAMPLE, _VIEW, report)]
    shown: dict[str, Any] = {"details": details, "status": "success", "message": "success"}
    return shown | ({"totalCount": 1} if report is Report.PAGINATED else {})


SEARCH: Final[dict[str, Any]] = {
    "page": 1,
    "filters": {"date_between": ["2024-01-01 00:00:00", "2024-01-15 23:59:59"]},
    "api_hash": "ff9a6b157cb1f79db73e7507635f878a",
}
FLAT_SEARCH: Final[dict[str, Any]] = {
    "page": 1,
    "filters[date_between][0]": "2024-01-01 00:00:00",
    "filters[date_between][1]": "2024-01-15 23:59:59",
    "api_hash": "ff9a6b157cb1f79db73e7507635f878a",
}
FOUND: Final[dict[str, Any]] = {
    "has_error": False,
    "messages": [],
    "pagination": {"row_count": 1, "page_size": 100, "current_page": 1, "max_page": 1},
    "results": [write_pbx(SAMPLE, _VIEW)],
}
