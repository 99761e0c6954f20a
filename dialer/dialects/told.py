"""What every dialect tells of a call, worked out once: whole seconds that agree, texts, parties.

Readers of these APIs subtract times: so `ended` is `started` and the duration, `answered` is
`ended` less the billed seconds, as SGAPI is told. Each is within a second of what Asterisk said.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dialer.cdr import Cdr
from dialer.dialects.parties import Caller, Party, find_queue, find_second, read_caller
from dialer.dialects.view import Source


@dataclass(frozen=True, slots=True)
class Told:
    """One record in plain values. Times are whole epoch seconds; durations whole seconds."""

    started: int | None
    ringing: int | None
    answered: int | None
    ended: int | None
    duration: int
    billsec: int
    ring_seconds: int
    sip_call_id: str
    recording_url: str
    caller: Caller
    contact: str  # the contact number as text, '' when there is none
    queue: str  # the Asterisk queue that it was for, else ''
    second: Party | None

    @property
    def extension(self) -> str:
        return self.second.endpoint if self.second is not None else ""


def tell(source: Source) -> Told:
    """The plain values of an attempt, or of an item that ended without one."""
    started = ringing = answered = ended = None
    duration = billsec = ring_seconds = 0
    sip_call_id = recording_url = ""
    if isinstance(source, Cdr):
        duration, billsec, ring_seconds = source.duration, source.billsec, source.ring_seconds
        started = int(source.started_at)
        ended = started + duration
        if source.answered_at is not None:
            answered = max(started, ended - billsec)
        if source.ringing_at is not None:
            ringing = _between(started, int(source.ringing_at), answered or ended)
        sip_call_id = source.sip_call_id or ""
        recording_url = source.recording_url or ""
    return Told(
        started=started,
        ringing=ringing,
        answered=answered,
        ended=ended,
        duration=duration,
        billsec=billsec,
        ring_seconds=ring_seconds,
        sip_call_id=sip_call_id,
        recording_url=recording_url,
        caller=read_caller(source.caller_id),
        contact=source.contact_number or "",
        queue=find_queue(source),
        second=find_second(source),
    )


def format_moment(second: int | None, zone: ZoneInfo) -> str:
    """`2021-02-17 17:30:35` by the clocks of `zone`; '' for a time that there is not."""
    if second is None:
        return ""
    return datetime.fromtimestamp(second, zone).replace(tzinfo=None).isoformat(" ")


def format_span(seconds: int) -> str:
    """A duration as `HH:MM:SS`; hours go on past 99."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}"


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
