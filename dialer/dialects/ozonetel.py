"""Ozonetel's reports: the 43 fields of its table in alphabetical order (docs/cdr-mapping.md).

What is not known is '', or null where the document says that the field may be."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.dialects.told import Told, format_moment, format_span, tell
from dialer.dialects.view import Closing, Source, View
from dialer.dialects.words import freeze, invert

WORDS: Final[Mapping[str, str]] = freeze(
    {
        "answered": "Answered",
        "busy": "NotAnswered",
        "no-answer": "NotAnswered",
        "cancel": "NotAnswered",
        "not-available": "NotAnswered",
        "congestion": "NotAnswered",
        "invalid": "NotAnswered",
        "failed": "NotAnswered",
        "unknown": "NotAnswered",
        "expired": "NotAnswered",
        "terminated": "NotAnswered",
    }
)
"""`Status`. `Disposition` and the dial statuses are our own words."""

DISPOSITIONS_OF: Final = invert(WORDS)

MANUAL, PROGRESSIVE, INBOUND = "Manual", "Progressive", "InBound"

QUICK_OF: Final[Mapping[str, bool | None]] = MappingProxyType(
    {MANUAL: True, PROGRESSIVE: False, INBOUND: None}
)
"""`Type`: whether those are quick calls; None: a dialer has none of them."""

_AGENT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ANSWER": "answered",
        "BUSY": "busy",
        "NOANSWER": "no-answer",
        "CANCEL": "cancel",
        "CONGESTION": "congestion",
        "CHANUNAVAIL": "not-available",
    }
)
"""Asterisk's dial status of the second leg in our words."""

_UCID_BASE: Final = 10**16
_UCID_STEP: Final = 16


class Report(StrEnum):
    """The three reports, which name two keys differently."""

    DETAILS = "fetchCDRDetails"
    UCID = "fetchCdrByUCID"
    PAGINATED = "fetchCdrByPagination"


def number_call(row_id: int) -> int:
    """The UCID of a CDR's row: above 2^53, as real ones are, and a multiple of 16, so that up to
    2^57 a reader that keeps numbers as doubles does not lose it."""
    return _UCID_BASE + _UCID_STEP * row_id


def find_row(ucid: int) -> int | None:
    """The row whose UCID this is; None for what is none of ours."""
    row_id, rest = divmod(ucid - _UCID_BASE, _UCID_STEP)
    return row_id if row_id > 0 and not rest else None


def write_ids(row_id: int | None) -> dict[str, Any]:
    """The two keys that tell the row; null where there is none."""
    ucid = None if row_id is None else number_call(row_id)
    return {"CallID": ucid, "UCID": ucid}


def write_report_row(source: Source, view: View, report: Report = Report.DETAILS) -> dict[str, Any]:
    """One of a report's `details`. An item without an attempt has null for its ids."""
    told = tell(source)
    row = _write_calls(source, told, view) | _write_agent(source, told) | _write_rest(told)
    paginated = report is Report.PAGINATED
    row["TransferTo" if paginated else "TransferredTo"] = ""
    row["WrapupEndTime" if paginated else "WrapUpEndTime"] = None
    return dict(sorted(row.items()))


def _write_calls(source: Source, told: Told, view: View) -> dict[str, Any]:
    """The call with the customer."""
    moments = {
        "CallDate": told.started,
        "StartTime": told.started,
        "PickupTime": told.answered,
        "EndTime": told.ended,
    }
    waited = None if told.answered is None else told.answered - (told.started or 0)
    return {
        **{name: _format(name, second, view.zone) for name, second in moments.items()},
        "CallAudio": told.recording_url,
        **write_ids(view.row_id),
        "UUI": source.call_id,
        "CallerID": told.caller.number,
        "DID": told.caller.number,
        "CampaignName": source.project or "",
        "CustomerDialStatus": source.disposition,
        "CustomerRingTime": format_span(told.ring_seconds),
        "DialOutName": source.customer_name or "",
        "DialStatus": source.disposition,
        "DialedNumber": source.number,
        "Disposition": source.disposition,
        "Duration": format_span(told.duration),
        "E164": source.number if _is_e164(source.number) else "",
        "Status": WORDS[source.disposition],
        "TalkTime": format_span(told.billsec),
        "TimeToAnswer": "" if waited is None else format_span(waited),
        "Type": MANUAL if view.quick else PROGRESSIVE,
    }


def _write_agent(source: Source, told: Told) -> dict[str, Any]:
    """The second leg."""
    leg = None if isinstance(source, Closing) else source.leg_b
    status = None if leg is None else leg.dial_status
    return {
        "AgentDialStatus": "" if status is None else _AGENT_WORDS.get(status, "failed"),
        "AgentID": told.extension,
        "AgentName": told.extension,
        "Event": "" if leg is None else "AgentDial",
        "Skill": told.queue,
    }


def _write_rest(told: Told) -> dict[str, Any]:
    """What a dialer has not, or does not know."""
    return {
        "CallerConfAudioFile": "",
        "Comments": "",
        "ConferenceDuration": format_span(0),
        "DynamicDID": "",
        "HandlingTime": None,
        "HangupBy": "",
        "HoldDuration": format_span(0),
        "Location": "",
        "Rating": 0,
        "RatingComments": "",
        "TransferType": "",
        "WrapUpStartTime": None,
        "WrapupDuration": None,
    }


def _format(name: str, second: int | None, zone: ZoneInfo) -> str:
    date, _, time = format_moment(second, zone).partition(" ")
    return date if name == "CallDate" else time


def _is_e164(number: str) -> bool:
    digits = number[1:]
    return number[:1] == "+" and 7 <= len(digits) <= 15 and digits.isascii() and digits.isdigit()
