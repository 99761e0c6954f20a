"""The Call Detail Record: one for every attempt, made from what the tracker saw."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LegB:
    """The second leg that `Dial` made, as far as it was seen. Times are Asterisk's."""

    channel: str | None = None
    dial_status: str | None = None  # ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION, CHANUNAVAIL …
    cause: int | None = None
    sip_code: int | None = None
    answered_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Cdr:
    """What became of one attempt. Times are float epoch seconds by Asterisk's clock; `duration`,
    `billsec` and `ring_seconds` are whole seconds. `disposition` is product.md's vocabulary, and
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
    details: dict[str, Any] | None = None
