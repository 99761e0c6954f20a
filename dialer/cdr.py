"""The Call Detail Record: one for every attempt, made from what the tracker saw."""

from dataclasses import dataclass
from typing import Any

from ami import CallReport, Disposition, LegB
from dialer.recording import choose_format, name_recording, write_url

NO_CAUSE = "Asterisk hung it up without a cause, as it does when it is stopped"
"""Why a call failed, where its hangup does not say it."""


@dataclass(frozen=True, slots=True)
class Cdr:
    """What became of one attempt. Times are float epoch seconds by Asterisk's clock; `duration`,
    `billsec` and `ring_seconds` are whole seconds. `disposition` is a word of docs/dialing.md, and
    beside it stands what it was derived from."""

    cdr_id: str  # UUIDv7; SGAPI's `uuid`
    call_id: str
    channel_id: str  # the wire's; `client_channel_id` is what the client gave, where it gave one
    client_id: int
    accountcode: str
    queue_id: int
    item_id: int
    batch_id: int | None
    server_code: str
    attempt: int
    final: bool
    next_attempt_at: float | None
    number: str  # the number dialed
    caller_id: str | None
    disposition: str
    started_at: float
    ringing_at: float | None
    answered_at: float | None
    ended_at: float
    end_estimated: bool
    duration: int
    billsec: int
    ring_seconds: int
    connected: bool
    cause: int | None
    cause_text: str | None
    sip_code: int | None
    reason: int | None  # OriginateResponse's
    dial_status: str | None  # of the originate itself
    leg_b: LegB | None
    error_message: str | None
    application: str | None = None
    data: str | None = None
    project: str | None = None
    contact_number: str | None = None
    customer_name: str | None = None
    client_channel_id: str | None = None
    recording_url: str | None = None
    recording_path: str | None = None  # absolute, on the server; both null: not recorded
    details: dict[str, Any] | None = None
    channel: str | None = None  # the dial string of the first leg
    sip_call_id: str | None = None  # of leg A's INVITE; null: not PJSIP, or Asterisk did not tell


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """What is known of an attempt beside the call itself: whose it is and which one."""

    cdr_id: str
    call_id: str
    client_id: int
    accountcode: str
    queue_id: int
    item_id: int
    batch_id: int | None
    server_code: str
    attempt: int
    number: str
    caller_id: str | None
    application: str | None
    data: str | None
    payload: dict[str, Any]  # the QueueItem, for what is only passed on
    recordings: str | None = None  # the address of the server's folder of recordings


def build_cdr(
    report: CallReport, facts: AttemptFacts, *, final: bool, next_attempt_at: float | None
) -> Cdr:
    """Make the record of one attempt from what the tracker reported of its call."""
    payload = facts.payload
    action = payload.get("action", {})
    answered = report.answered_at
    # Stamps of two clocks may contradict each other: nothing is before its start.
    seen = [at for at in (report.started_at, report.ringing_at, answered) if at is not None]
    start, end = min(seen), max(report.ended_at, *seen)
    ring_end = answered if answered is not None else end
    return Cdr(
        cdr_id=facts.cdr_id,
        call_id=facts.call_id,
        channel_id=report.channel_id,
        client_id=facts.client_id,
        accountcode=facts.accountcode,
        queue_id=facts.queue_id,
        item_id=facts.item_id,
        batch_id=facts.batch_id,
        server_code=facts.server_code,
        attempt=facts.attempt,
        final=final,
        next_attempt_at=next_attempt_at,
        number=facts.number,
        caller_id=facts.caller_id,
        disposition=report.disposition.value,
        started_at=start,
        ringing_at=report.ringing_at,
        answered_at=answered,
        ended_at=end,
        end_estimated=report.end_estimated,
        duration=_whole(end - start),
        billsec=_whole(end - answered) if answered is not None else 0,
        ring_seconds=_whole(ring_end - report.ringing_at) if report.ringing_at else 0,
        connected=_is_connected(report, facts.application),
        cause=report.cause,
        cause_text=report.cause_text,
        sip_code=report.sip_code,
        reason=report.reason,
        dial_status=report.dial_status,
        leg_b=report.leg_b,
        error_message=_error_message(report),
        application=facts.application,
        data=facts.data,
        project=payload.get("project"),
        contact_number=_text(payload.get("contact_number")),
        customer_name=payload.get("customer_name"),
        channel=action.get("Channel"),
        client_channel_id=action.get("ChannelId"),
        recording_url=_recording_url(report.recording, facts),
        recording_path=report.recording,
        sip_call_id=report.sip_call_id,
    )


def _recording_url(path: str | None, facts: AttemptFacts) -> str | None:
    if path is None:
        return None
    name = name_recording(facts.accountcode, facts.payload.get("recording_path"), facts.cdr_id)
    file = f"{name}.{choose_format(facts.payload)}"
    return write_url(path, file, facts.server_code, facts.recordings)


def _is_connected(report: CallReport, application: str | None) -> bool:
    """Dial: both legs bridged. Any other application: answered (docs/dialing.md)."""
    if (application or "").lower() == "dial":
        return report.connected_b
    return report.disposition is Disposition.ANSWERED


def _error_message(report: CallReport) -> str | None:
    """Why the call was not answered; of an answered one why its end is an estimate."""
    if report.disposition is Disposition.ANSWERED:
        return report.detail if report.end_estimated else None
    if report.detail is None and report.disposition is Disposition.FAILED and report.cause == 0:
        # `core stop now` hangs calls up with cause 0, and tells that it stops a second later
        # (docs/ami-notes.md).
        return NO_CAUSE
    return report.detail or report.cause_text


def _whole(seconds: float) -> int:
    return max(0, int(seconds))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
