"""The PBX's `/api/cdr`: the 43 keys of the document's example in its order (docs/cdr-mapping.md).

What is not known is null; texts of the call itself are '' where there are none."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from dialer.cdr import Cdr
from dialer.dialects.parties import Party, find_dialed, find_first
from dialer.dialects.told import format_moment, format_span, tell
from dialer.dialects.view import Source, View
from dialer.dialects.words import freeze, invert

WORDS: Final[Mapping[str, str]] = freeze(
    {
        "answered": "ANSWERED",
        "busy": "BUSY",
        "no-answer": "NO ANSWER",
        "cancel": "NO ANSWER",
        "congestion": "CONGESTION",
        "not-available": "FAILED",
        "invalid": "FAILED",
        "failed": "FAILED",
        "unknown": "FAILED",
        "expired": "FAILED",
        "terminated": "FAILED",
    }
)

DISPOSITIONS_OF: Final = invert(WORDS)

DIRECTION: Final = "OUT"
"""Of every call that a dialer makes; the other is IN."""

_CODE: Final = "outbound"


SIP_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        200: "OK",
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        407: "Proxy Authentication Required",
        408: "Request Timeout",
        410: "Gone",
        413: "Request Entity Too Large",
        414: "Request-URI Too Long",
        415: "Unsupported Media Type",
        416: "Unsupported URI Scheme",
        420: "Bad Extension",
        421: "Extension Required",
        423: "Interval Too Brief",
        480: "Temporarily Unavailable",
        481: "Call/Transaction Does Not Exist",
        482: "Loop Detected",
        483: "Too Many Hops",
        484: "Address Incomplete",
        485: "Ambiguous",
        486: "Busy Here",
        487: "Request Terminated",
        488: "Not Acceptable Here",
        491: "Request Pending",
        493: "Undecipherable",
        500: "Server Internal Error",
        501: "Not Implemented",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Server Time-out",
        505: "Version Not Supported",
        513: "Message Too Large",
        600: "Busy Everywhere",
        603: "Decline",
        604: "Does Not Exist Anywhere",
        606: "Not Acceptable",
    }
)
"""RFC 3261, section 21."""


def write_pbx(source: Source, view: View) -> dict[str, Any]:
    """One of the `results`. An item without an attempt has null for `id` and '' for its times."""
    told = tell(source)
    file = source.recording_path if isinstance(source, Cdr) else None
    return {
        **write_ids(view.row_id),
        "uniqueid": find_uniqueid(source),
        "linkedid": find_uniqueid(source),
        "time": format_moment(told.started, view.zone),
        "time_end": format_moment(told.ended, view.zone),
        "caller_id": told.caller.text,
        "source": told.caller.number,
        "destination": source.number,
        "direction": DIRECTION,
        "channel_formatted": _format(find_first(source)),
        "dstchannel_formatted": _format(find_dialed(source)),
        "customer_id": source.contact_number,
        "user_fullname": None,
        "qname": told.queue or None,
        "code": _CODE,
        "call_status": WORDS[source.disposition],
        "call_status_info": describe(source),
        "call_codes": "out answered" if source.disposition == "answered" else "out no answer",
        "accounting_code": source.accountcode,
        "accounting_value": None,
        "comments": None,
        "monitor_files": None if file is None else [file],
        "monitor_urls": None if file is None else [told.recording_url],
        "recording_file": file,
        "recording_url": told.recording_url or None,
        "transfers": None,
        "project": source.project,
        "inbound_route": None,
        "inbound_route_id": None,
        "queue_log": None,
        "ivr_log": None,
        "external_id": source.call_id,
        "external_info": None,
        "agent_details": None,
        "is_recovered": None,
        "transcription_id": None,
        "transcription_text": None,
        "bill_duration": format_span(told.billsec),
        "duration": format_span(told.duration),
        "bill_minutes": -(-told.billsec // 60),
        "ivr_duration": format_span(0),
        "hold_time": format_span(0),
        "ring_time": format_span(told.ring_seconds),
    }


def write_ids(row_id: int | None) -> dict[str, Any]:
    """The key that tells the row; null where there is none."""
    return {"id": None if row_id is None else str(row_id)}


def find_uniqueid(source: Source) -> str | None:
    """The ChannelId that outsiders see: the client's own where it gave one, else Asterisk's
    Uniqueid (docs/dialing.md, "Identity")."""
    if isinstance(source, Cdr):
        return source.client_channel_id or source.channel_id
    return source.channel_id


def describe(source: Source) -> str | None:
    """Dial status, hangup cause and what the far end said, as far as they are known:
    `DS:CONGESTION|HC:34|HI:SIP 503 Service Unavailable`. None where nothing is."""
    if not isinstance(source, Cdr):
        return f"HI:{source.disposition}"
    said = source.cause_text
    if source.sip_code is not None:
        said = f"SIP {source.sip_code} {SIP_REASONS.get(source.sip_code, '')}".rstrip()
    parts = (("DS", source.dial_status), ("HC", source.cause), ("HI", said or source.error_message))
    return "|".join(f"{name}:{value}" for name, value in parts if value is not None) or None


def _format(party: Party | None) -> str:
    return "" if party is None else f"{party.tech}/{party.endpoint}"
