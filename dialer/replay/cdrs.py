"""The CDR of a traced call: production's, without what no AMI stream holds."""

from dataclasses import fields, replace
from typing import Any, Final

from ami import LegB
from dialer.cdr import AttemptFacts, Cdr, build_cdr
from dialer.replay.follower import TracedCall
from dialer.replay.origin import Origin

# The fields of a Cdr that come from the stream, in the order in which they are shown. The others
# are the dialer's own (whose call it was, which attempt, what happens next) or its configuration's.
STREAM_FIELDS: Final = (
    "channel_id",
    "disposition",
    "number",
    "caller_id",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "end_estimated",
    "duration",
    "billsec",
    "ring_seconds",
    "connected",
    "cause",
    "cause_text",
    "sip_code",
    "reason",
    "dial_status",
    "leg_b",
    "error_message",
    "application",
    "data",
    "sip_call_id",
    "recording_path",
)
_LEG_FIELDS: Final = tuple(field.name for field in fields(LegB))
_MOMENTS: Final = tuple(name for name in STREAM_FIELDS if name.endswith("_at"))
_LEG_MOMENTS: Final = tuple(name for name in _LEG_FIELDS if name.endswith("_at"))
_SPANS: Final = ("duration", "billsec", "ring_seconds")
_NOBODY: Final = Origin(None, None, "", None, None, None, None)


def write_cdr(call: TracedCall) -> dict[str, Any]:
    """The CDR of a call that the trace holds whole: `STREAM_FIELDS`, times in epoch seconds, null
    where the trace has no clock, and no number where nothing says what was dialed. ValueError for
    one that it holds in part."""
    if call.report is None:
        raise ValueError(f"{call.channel_id}: {call.missing}")
    origin, report = call.origin or _NOBODY, call.report
    if not call.originated:
        report = replace(report, detail=None)  # nobody owed it an OriginateResponse
    cdr = build_cdr(report, _facts_of(origin), final=True, next_attempt_at=None)
    shown = _show(cdr, call.timed)
    if cdr.leg_b is not None and origin.application is None:  # it dialed, whatever did
        shown["connected"] = report.connected_b
    shown["number"] = cdr.number or None
    return shown


def compare_fields(cdr: Cdr) -> dict[str, Any]:
    """The same fields of a CDR that production wrote."""
    return _show(cdr, True)


def _facts_of(origin: Origin) -> AttemptFacts:
    return AttemptFacts(
        cdr_id="",
        call_id="",
        client_id=0,
        accountcode=origin.accountcode or "",
        queue_id=0,
        item_id=0,
        batch_id=None,
        server_code="",
        attempt=1,
        number=origin.number,
        caller_id=origin.caller_id,
        application=origin.application,
        data=origin.data,
        payload={},
    )


def _show(cdr: Cdr, timed: bool) -> dict[str, Any]:
    shown = {name: getattr(cdr, name) for name in STREAM_FIELDS}
    _tidy_times(shown, _MOMENTS, timed)
    if cdr.leg_b is not None:
        leg_b = shown["leg_b"] = {name: getattr(cdr.leg_b, name) for name in _LEG_FIELDS}
        _tidy_times(leg_b, _LEG_MOMENTS, timed)
    if not timed:
        shown.update(dict.fromkeys(_SPANS))
    return shown


def _tidy_times(shown: dict[str, Any], moments: tuple[str, ...], timed: bool) -> None:
    """To the microsecond, as the store keeps them; null without a clock."""
    for name in moments:
        if shown[name] is not None:
            shown[name] = round(shown[name], 6) if timed else None
