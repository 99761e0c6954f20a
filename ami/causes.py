"""Hangup cause, SIP code, OriginateResponse reason and dial status → disposition.

Facts measured on Asterisk 22.10 with PJSIP: `OriginateResponse`'s Reason is 4 when answered, 3
when our Timeout ran out and 0 for every refusal of the far end; the truth is in Hangup's Cause
and TechCause. A hangup cause of 0 or 16 means "cleared normally, or by us" and explains nothing.
SIP → Q.850 is res/res_pjsip.c's `hangup_sip2cause`; texts are main/channel.c's `causes[]`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Disposition(StrEnum):
    """What became of a call; decided by all that was seen, never by one event."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    NOT_AVAILABLE = "not-available"
    INVALID = "invalid"
    CONGESTION = "congestion"
    CANCEL = "cancel"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen of a call. `rang`: the called phone signalled ringing or progress.
    `cancelled`: we asked Asterisk to hang it up. `certain` is False when events may have been
    missed, so that what was not seen proves nothing. `dial_status` is the originate's own."""

    answered: bool = False
    cancelled: bool = False
    rang: bool = False
    channel_seen: bool = True
    certain: bool = True
    reason: int | None = None
    cause: int | None = None
    sip_code: int | None = None
    dial_status: str | None = None


REASON_TIMEOUT: Final = 3  # main/pbx.c pbx_dial_reason(): our Timeout ran out
REASON_ANSWERED: Final = 4
_REASONS: Final = {5: Disposition.BUSY, 8: Disposition.CONGESTION}  # Local channels only
_DIAL_STATUSES: Final = {"BUSY": Disposition.BUSY, "CONGESTION": Disposition.CONGESTION}

_SIP_CODES: Final = {
    486: Disposition.BUSY,  # Busy Here
    600: Disposition.BUSY,  # Busy Everywhere
    603: Disposition.BUSY,  # Decline: a person pressed the red button
}
_CAUSES: Final = {
    1: Disposition.INVALID,
    17: Disposition.BUSY,
    18: Disposition.NOT_AVAILABLE,
    20: Disposition.NOT_AVAILABLE,
    22: Disposition.INVALID,
    28: Disposition.INVALID,
    34: Disposition.CONGESTION,
    42: Disposition.CONGESTION,
}
_CAUSE_NO_ANSWER: Final = 19
_CAUSE_REJECTED: Final = 21
SIP_CANCELLED: Final = 487  # Request Terminated: the answer to our own CANCEL
SIP_TEMPORARILY_UNAVAILABLE: Final = 480  # also what Asterisk makes up for its own timeout

# Causes that say no more than that the channel is gone: unknown, normal clearing, normal
# unspecified. A dialed leg's cause explains more than these on the channel that waited for it.
EMPTY_CAUSES: Final = frozenset({None, 0, 16, 31})

Q850_TEXTS: Final[dict[int, str]] = {
    0: "Unknown",
    1: "Unallocated (unassigned) number",
    2: "No route to specified transmit network",
    3: "No route to destination",
    5: "Misdialed trunk prefix",
    6: "Channel unacceptable",
    7: "Call awarded and being delivered in an established channel",
    8: "Pre-empted",
    14: "Number ported elsewhere",
    16: "Normal Clearing",
    17: "User busy",
    18: "No user responding",
    19: "User alerting, no answer",
    20: "Subscriber absent",
    21: "Call Rejected",
    22: "Number changed",
    23: "Redirected to new destination",
    26: "Answered elsewhere",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    30: "Response to STATus ENQuiry",
    31: "Normal, unspecified",
    34: "Circuit/channel congestion",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    43: "Access information discarded",
    44: "Requested channel not available",
    50: "Facility not subscribed",
    52: "Outgoing call barred",
    54: "Incoming call barred",
    57: "Bearer capability not authorized",
    58: "Bearer capability not available",
    65: "Bearer capability not implemented",
    66: "Channel not implemented",
    69: "Facility not implemented",
    81: "Invalid call reference value",
    88: "Incompatible destination",
    95: "Invalid message unspecified",
    96: "Mandatory information element is missing",
    97: "Message type nonexist.",
    98: "Wrong message",
    99: "Info. element nonexist or not implemented",
    100: "Invalid information element contents",
    101: "Message not compatible with call state",
    102: "Recover on timer expiry",
    103: "Mandatory IE length error",
    111: "Protocol error, unspecified",
    127: "Interworking, unspecified",
}

_SIP_TO_CAUSE: Final[dict[int, int]] = {
    302: 23,
    401: 21,
    403: 21,
    404: 1,
    407: 21,
    408: 18,
    409: 41,
    410: 22,
    420: 3,
    480: 19,
    483: 19,
    484: 28,
    485: 1,
    486: 17,
    488: 58,
    500: 38,
    501: 29,
    502: 27,
    503: 34,
    504: 102,
    600: 17,
    603: 21,
    604: 1,
    606: 58,
}


def cause_text(cause: int) -> str:
    """Asterisk's own words for a Q.850 cause; an unlisted number is shown as such."""
    return Q850_TEXTS.get(cause, f"Cause {cause}")


def cause_of_sip(sip_code: int) -> int | None:
    """The Q.850 cause that Asterisk gives to a final SIP response, None below 300."""
    if sip_code < 300:
        return None
    known = _SIP_TO_CAUSE.get(sip_code)
    if known is not None:
        return known
    if 500 <= sip_code < 600:
        return 34
    return 127 if sip_code >= 400 else 16


def decide_disposition(evidence: Evidence) -> Disposition:
    """The disposition that `evidence` proves; what it does not explain is `failed`.

    Answered stands whatever came after. A definite refusal of the far end beats our own hangup,
    which it outran; our hangup beats everything that it may have caused itself.
    """
    if evidence.answered:
        return Disposition.ANSWERED
    if not evidence.certain:
        return Disposition.UNKNOWN
    refusal = _decide_refusal(evidence)
    if refusal is not None:
        return refusal
    if evidence.cancelled and evidence.channel_seen and _may_be_ours(evidence):
        return Disposition.CANCEL
    return _decide_rest(evidence)


def _decide_refusal(evidence: Evidence) -> Disposition | None:
    """What the far end or the network said in so many words."""
    by_sip = _SIP_CODES.get(evidence.sip_code or 0)
    return by_sip or _CAUSES.get(_best_cause(evidence) or 0)


def _may_be_ours(evidence: Evidence) -> bool:
    """Our hangup leaves no answer of the far end behind, but perhaps the 487 to our CANCEL."""
    return evidence.sip_code in (None, SIP_CANCELLED) and evidence.reason != REASON_TIMEOUT


def _decide_rest(evidence: Evidence) -> Disposition:
    cause = _best_cause(evidence)
    if evidence.reason == REASON_TIMEOUT or cause == _CAUSE_NO_ANSWER:
        return Disposition.NO_ANSWER if evidence.rang else Disposition.NOT_AVAILABLE
    if cause == _CAUSE_REJECTED:
        # A bare 21 is a person's refusal; with a code other than 603 it is a policy's (403).
        return Disposition.BUSY if evidence.sip_code is None else Disposition.FAILED
    if cause in EMPTY_CAUSES and evidence.sip_code is None:
        by_status = _DIAL_STATUSES.get(evidence.dial_status or "")
        return _REASONS.get(evidence.reason or 0) or by_status or Disposition.FAILED
    return Disposition.FAILED


def _best_cause(evidence: Evidence) -> int | None:
    """The hangup cause, or where it is empty the one that the SIP code stands for."""
    if evidence.cause in EMPTY_CAUSES and evidence.sip_code is not None:
        return cause_of_sip(evidence.sip_code)
    return evidence.cause
