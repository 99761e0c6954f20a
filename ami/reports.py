"""What the call tracker tells: the progress of a call, and the report of its end."""

from dataclasses import dataclass
from enum import StrEnum

from ami.causes import Disposition


class Progress(StrEnum):
    """The stages of a call that are told as they are reached, in this order."""

    STARTED = "started"  # a channel was seen
    RINGING = "ringing"
    ANSWERED = "answered"
    BRIDGED = "bridged"  # both legs talk to each other


@dataclass(frozen=True, slots=True)
class LegB:
    """The second leg that the answered channel dialed, as far as it was seen. Times are
    Asterisk's; `dial_status` is its word: ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION,
    CHANUNAVAIL …"""

    channel: str | None = None
    dial_status: str | None = None
    cause: int | None = None
    sip_code: int | None = None
    answered_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class CallReport:
    """The end of one call. Times are epoch seconds by Asterisk's clock; `end_estimated` when its
    last Hangup was not seen. Beside the disposition stands what it was derived from: for a Local
    channel that was not answered, `cause` and `sip_code` are those of the leg that it dialed.
    `placed`: a channel was made, or may have been. `rang`: ringing or early media was signalled.
    `connected_b`: both legs were bridged. `detail`: a sentence for what the codes do not say.
    `recording`: the absolute path of its audio on the server, None where none was told of.
    `sip_call_id`: of the called channel's own INVITE, None where it is not PJSIP or was not told.
    `unreported`: its OriginateResponse is missing, though no link was lost meanwhile."""

    channel_id: str
    action_id: str
    disposition: Disposition
    connected_b: bool
    started_at: float
    ringing_at: float | None
    answered_at: float | None
    ended_at: float
    end_estimated: bool
    cause: int | None
    cause_text: str | None
    sip_code: int | None
    reason: int | None
    dial_status: str | None
    leg_b: LegB | None
    placed: bool
    rang: bool
    detail: str | None
    recording: str | None = None
    unreported: bool = False
    sip_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """A call reached a stage; each is told at most once, and never after a later one."""

    channel_id: str
    progress: Progress
    at: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over: exactly one for every call that was begun or adopted."""

    report: CallReport


CallEffect = CallProgressed | CallEnded


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has not ended, for whoever decides what became of it. `begun_at` and
    `last_event_at` are monotonic seconds, the latter of the last event, or of the beginning."""

    channel_id: str
    action_id: str
    answered: bool
    cancelling: bool
    response_seen: bool
    channels_seen: int
    channels_live: int
    begun_at: float
    last_event_at: float
