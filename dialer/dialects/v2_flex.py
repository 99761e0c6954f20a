"""`/v2/cdr` in flex mapping: the keys of the document's sample, in its order (docs/cdr-mapping.md).

Texts that there are not are ''."""

from collections.abc import Mapping
from typing import Any, Final

from dialer.dialects.told import format_moment, tell
from dialer.dialects.view import Closing, Source, View
from dialer.dialects.words import freeze, invert

WORDS: Final[Mapping[str, str]] = freeze(
    {
        "answered": "answered",
        "busy": "busy",
        "no-answer": "no-answered",
        "cancel": "cancel",
        "not-available": "not-available",
        # The number may be right and nobody hears of the call: as out of reach.
        "congestion": "not-available",
        "invalid": "invalid",
        "failed": "invalid",
        "unknown": "invalid",
        # Items that ended without an attempt; the first was never dialed in time, the second
        # was taken back before it was answered.
        "expired": "invalid",
        "terminated": "cancel",
    }
)

DISPOSITIONS_OF: Final = invert(WORDS)

DIRECTION: Final = "outbound"
"""Of every call that a dialer makes; the others are inbound and local."""


def write_flex(source: Source, view: View) -> dict[str, Any]:
    """One record of the list, and the whole answer for one call."""
    told = tell(source)
    return {
        "cdrId": "" if isinstance(source, Closing) else source.cdr_id,
        "sip_call_id": told.sip_call_id,
        "recordFile": told.recording_url,
        "extensionId": told.extension,
        "to": source.number,
        "hangupAt": format_moment(told.ended, view.zone),
        "answeredAt": format_moment(told.answered, view.zone),
        "ringAt": format_moment(told.ringing, view.zone),
        "dialAt": format_moment(told.started, view.zone),
        "status": WORDS[source.disposition],
        "duration": told.duration,
        "direction": DIRECTION,
        "billsec": told.billsec,
        "customerId": told.contact,
    }
