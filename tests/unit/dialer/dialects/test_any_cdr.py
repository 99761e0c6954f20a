"""Any CDR at all gives a record of the documented shape."""

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ami import Disposition, LegB
from dialer.cdr import Cdr
from dialer.dialects import Closing, Source, View
from dialer.dialects.ozonetel import Report, write_report_row
from dialer.dialects.pbx import write_pbx
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from dialer.dialects.words import CLOSED
from tests.shapes import SHAPES, find_differences

WRITERS: dict[str, Callable[[Source, View], dict[str, Any]]] = {
    "v2_default": write_default,
    "v2_flex": write_flex,
    "ozonetel_details": lambda cdr, view: write_report_row(cdr, view, Report.DETAILS),
    "ozonetel_ucid": lambda cdr, view: write_report_row(cdr, view, Report.UCID),
    "ozonetel_pagination": lambda cdr, view: write_report_row(cdr, view, Report.PAGINATED),
    "pbx": write_pbx,
}

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
TEXT = ANY_TEXT | st.sampled_from(
    ["", "Dial", "queue", "PJSIP/101@trunk,30", "Local/1@x-1;2", "<", '"A" <1>', "+15550100", "/"]
)
MAYBE = st.none() | TEXT
NUMBER = st.integers(-(2**31), 2**31)
MOMENT = st.floats(0, 4e9)
LEG = st.none() | st.builds(LegB, MAYBE, MAYBE, st.none() | NUMBER, st.none() | NUMBER)
CDR = st.builds(
    Cdr,
    **dict.fromkeys(("cdr_id", "call_id", "channel_id", "accountcode", "server_code"), TEXT),
    **dict.fromkeys(
        ("caller_id", "cause_text", "dial_status", "error_message", "sip_call_id"), MAYBE
    ),
    **dict.fromkeys(("application", "data", "project", "contact_number", "customer_name"), MAYBE),
    **dict.fromkeys(("client_channel_id", "channel", "recording_url", "recording_path"), MAYBE),
    **dict.fromkeys(("client_id", "queue_id", "item_id", "attempt"), NUMBER),
    **dict.fromkeys(("batch_id", "cause", "sip_code", "reason"), st.none() | NUMBER),
    **dict.fromkeys(("duration", "billsec", "ring_seconds"), st.integers(0, 10**6)),
    **dict.fromkeys(("started_at", "ended_at"), MOMENT),
    **dict.fromkeys(("next_attempt_at", "ringing_at", "answered_at"), st.none() | MOMENT),
    **dict.fromkeys(("final", "end_estimated", "connected"), st.booleans()),
    number=TEXT,
    disposition=st.sampled_from([word.value for word in Disposition]),
    leg_b=LEG,
)
CLOSING = st.builds(
    Closing,
    **dict.fromkeys(("call_id", "accountcode", "number"), TEXT),
    **dict.fromkeys(("channel_id", "caller_id", "application", "data", "project"), MAYBE),
    **dict.fromkeys(("contact_number", "customer_name"), MAYBE),
    disposition=st.sampled_from(sorted(CLOSED)),
)
ZONE = st.sampled_from([ZoneInfo(n) for n in ("UTC", "Asia/Tehran", "Australia/Lord_Howe")])
IDS = ("id", "CallID", "UCID", "uniqueid", "linkedid")
MOMENTS = ("time_started", "time_ended", "dialAt", "hangupAt", "StartTime", "CallDate", "time")
VIEW = st.builds(View, zone=ZONE, row_id=st.integers(1, 2**53), quick=st.booleans())


def test_every_shape_has_its_writer() -> None:
    assert sorted(WRITERS) == list(SHAPES)


@given(cdr=CDR, view=VIEW)
@settings(max_examples=60)
def test_a_cdr_is_a_record(cdr: Cdr, view: View) -> None:
    for shape, write in WRITERS.items():
        record = write(cdr, view)
        assert find_differences(record, shape) == []
        assert json.loads(json.dumps(record)) == record


@given(closing=CLOSING, zone=ZONE, quick=st.booleans())
@settings(max_examples=30)
def test_an_item_without_an_attempt_is_a_record_without_ids_and_times(
    closing: Closing, zone: ZoneInfo, quick: bool
) -> None:
    for shape, write in WRITERS.items():
        record = write(closing, View(zone, None, quick))
        wrong = {text.partition(":")[0] for text in find_differences(record, shape)}
        assert wrong <= {name for name in IDS if record.get(name, "") is None}
        assert {record[name] for name in MOMENTS if name in record} == {""}
        assert json.loads(json.dumps(record)) == record
