"""`/v2/cdr` in default mapping: the table's 22 keys in its order, then `customer_id`
(docs/cdr-mapping.md). Texts that there are not are ''."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from dialer.cdr import Cdr
from dialer.dialects import v2_flex
from dialer.dialects.told import format_moment, tell
from dialer.dialects.view import Source, View
from dialer.dialects.words import freeze, invert
from dialer.histories import App, name_app

WORDS: Final[Mapping[str, str]] = freeze(
    {name: word.upper().replace("-", "_") for name, word in v2_flex.WORDS.items()}
)

DISPOSITIONS_OF: Final = invert(WORDS)

DIRECTIONS: Final[Mapping[str, int]] = MappingProxyType({"inbound": 1, "local": 2, "outbound": 3})

CAUSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "UNSPECIFIED",
        1: "UNALLOCATED_NUMBER",
        2: "NO_ROUTE_TRANSIT_NET",
        3: "NO_ROUTE_DESTINATION",
        6: "CHANNEL_UNACCEPTABLE",
        7: "CALL_AWARDED_DELIVERED",
        16: "NORMAL_CLEARING",
        17: "USER_BUSY",
        18: "NO_USER_RESPONSE",
        19: "NO_ANSWER",
        20: "SUBSCRIBER_ABSENT",
        21: "CALL_REJECTED",
        22: "NUMBER_CHANGED",
        23: "REDIRECTION_TO_NEW_DESTINATION",
        25: "EXCHANGE_ROUTING_ERROR",
        27: "DESTINATION_OUT_OF_ORDER",
        28: "INVALID_NUMBER_FORMAT",
        29: "FACILITY_REJECTED",
        30: "RESPONSE_TO_STATUS_ENQUIRY",
        31: "NORMAL_UNSPECIFIED",
        34: "NORMAL_CIRCUIT_CONGESTION",
        38: "NETWORK_OUT_OF_ORDER",
        41: "NORMAL_TEMPORARY_FAILURE",
        42: "SWITCH_CONGESTION",
        43: "ACCESS_INFO_DISCARDED",
        44: "REQUESTED_CHAN_UNAVAIL",
        45: "PRE_EMPTED",
        50: "FACILITY_NOT_SUBSCRIBED",
        52: "OUTGOING_CALL_BARRED",
        54: "INCOMING_CALL_BARRED",
        57: "BEARERCAPABILITY_NOTAUTH",
        58: "BEARERCAPABILITY_NOTAVAIL",
        63: "SERVICE_UNAVAILABLE",
        65: "BEARERCAPABILITY_NOTIMPL",
        66: "CHAN_NOT_IMPLEMENTED",
        69: "FACILITY_NOT_IMPLEMENTED",
        79: "SERVICE_NOT_IMPLEMENTED",
        81: "INVALID_CALL_REFERENCE",
        88: "INCOMPATIBLE_DESTINATION",
        95: "INVALID_MSG_UNSPECIFIED",
        96: "MANDATORY_IE_MISSING",
        97: "MESSAGE_TYPE_NONEXIST",
        98: "WRONG_MESSAGE",
        99: "IE_NONEXIST",
        100: "INVALID_IE_CONTENTS",
        101: "WRONG_CALL_STATE",
        102: "RECOVERY_ON_TIMER_EXPIRE",
        103: "MANDATORY_IE_LENGTH_ERROR",
        111: "PROTOCOL_ERROR",
        127: "INTERWORKING",
    }
)
"""Q.850 causes by the names that FreeSWITCH gave them, which are those of the document's samples
(its switch_types.h)."""


def write_default(source: Source, view: View) -> dict[str, Any]:
    """One record of the list, and the whole answer for one call."""
    told = tell(source)
    app = name_app(view.quick, source.application)
    return {
        "id": source.cdr_id if isinstance(source, Cdr) else "",
        "sip_call_id": told.sip_call_id,
        "cause": name_cause(source),
        "duration": told.duration,
        "direction": DIRECTIONS[v2_flex.DIRECTION],
        "recording_url": told.recording_url,
        "extension": told.extension,
        "from_number": told.caller.number,
        "to_number": source.number,
        "receive_dest": told.queue,
        "time_started": format_moment(told.started, view.zone),
        "time_ringing": format_moment(told.ringing, view.zone),
        "time_answered": format_moment(told.answered, view.zone),
        "time_ended": format_moment(told.ended, view.zone),
        "status": WORDS[source.disposition],
        "app": app.value,
        "press_key": "{}" if app is App.AUTOCALL else "",
        "lead_id": told.contact,
        "username": "",
        "firstname": "",
        "middlename": "",
        "lastname": "",
        "customer_id": told.contact,
    }


def name_cause(source: Source) -> str:
    """The hangup cause by name; '' where no channel was made. Cause 0, which says nothing, is
    normal clearing after an answer, and our own hangup before one."""
    cause = source.cause if isinstance(source, Cdr) else None
    if cause is None:
        return ""
    if cause == 0 and source.disposition == "answered":
        return CAUSES[16]
    if cause == 0 and source.disposition == "cancel":
        return "ORIGINATOR_CANCEL"
    return CAUSES.get(cause, f"CAUSE_{cause}")
