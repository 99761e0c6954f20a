"""What Asterisk reported, as frozen values: the only event vocabulary the rest of the code knows.

Every event has `at`, float epoch seconds by Asterisk's clock (its `Timestamp` header, present with
`timestampevents=yes`), else the time it was received. Where a word of Asterisk's was translated,
the raw word stands beside it. `ami.translate` makes them; nothing else reads AMI header names.
"""

from dataclasses import dataclass
from enum import StrEnum

from ami.frozen import quicken


class ChannelState(StrEnum):
    """The states of a channel that tell something about a call (`ChannelState` 5 and 6)."""

    RINGING = "ringing"
    UP = "up"
    OTHER = "other"


class DialProgress(StrEnum):
    """What a dialed party signalled so far (`DialState`'s DialStatus)."""

    RINGING = "ringing"
    PROGRESS = "progress"  # early media, SIP 183
    PROCEEDING = "proceeding"  # SIP 100: says nothing about the phone
    OTHER = "other"


@quicken
@dataclass(frozen=True, slots=True)
class ChannelCreated:
    """Newchannel. `linkedid` is None where Asterisk is too old to send it."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    state: ChannelState
    raw_state: str


@quicken
@dataclass(frozen=True, slots=True)
class ChannelStateChanged:
    """Newstate."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    state: ChannelState
    raw_state: str


class DialEvent:
    """One that tells of a channel that dials, and of the one that it dials."""

    __slots__ = ()


@quicken
@dataclass(frozen=True, slots=True)
class DialBegun(DialEvent):
    """DialBegin. `uniqueid` is the dialing channel's, None for the originate's own dial."""

    at: float
    uniqueid: str | None
    linkedid: str | None
    dest_uniqueid: str
    dest_linkedid: str | None
    dest_channel: str


@quicken
@dataclass(frozen=True, slots=True)
class DialProgressed(DialEvent):
    """DialState."""

    at: float
    uniqueid: str | None
    linkedid: str | None
    dest_uniqueid: str
    dest_linkedid: str | None
    dest_channel: str
    progress: DialProgress
    raw_status: str


@quicken
@dataclass(frozen=True, slots=True)
class DialEnded(DialEvent):
    """DialEnd. `status` is Asterisk's word: ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION,
    CHANUNAVAIL and whatever a later version adds. `dest_uniqueid` is None for the `Dial` event
    with SubEvent End of old versions, which names the dialing channel only."""

    at: float
    uniqueid: str | None
    linkedid: str | None
    dest_uniqueid: str | None
    dest_linkedid: str | None
    dest_channel: str
    status: str


@quicken
@dataclass(frozen=True, slots=True)
class BridgeEntered:
    """BridgeEnter: two channels that entered the same bridge talk to each other."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    bridge_id: str


@quicken
@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """UserEvent `DialerRecording` of the operator's dialplan (dialer-recording.conf).
    `file`: the absolute path of the audio on the server, as Asterisk names it."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    file: str


@quicken
@dataclass(frozen=True, slots=True)
class CallIdTold:
    """UserEvent `DialerCallId` of the operator's dialplan (dialer-call-id.conf), just before a
    PJSIP channel's Hangup. `call_id`: the Call-ID of its SIP dialog."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    call_id: str


@quicken
@dataclass(frozen=True, slots=True)
class ChannelHungUp:
    """Hangup. `cause` is Q.850's number (0: cleared normally, or by us), None where it is no
    number; `sip_code` is TechCause's, None where there is none (before 20.17, 22.7, 23.1, or
    after a normal clearing)."""

    at: float
    uniqueid: str
    linkedid: str | None
    channel: str
    cause: int | None
    cause_text: str | None
    sip_code: int | None


@quicken
@dataclass(frozen=True, slots=True)
class OriginateAnswered:
    """OriginateResponse. `uniqueid` may be that of *another*, live call when the id was refused:
    only `action_id` tells whose it is. `success` is the Response; anything but Success is a
    failure. `reason`: 4 answered, 3 our timeout, 5 and 8 busy and congestion of Local channels,
    0 everything else."""

    at: float
    action_id: str | None
    uniqueid: str | None
    success: bool
    raw_response: str
    reason: int | None
    channel: str


@quicken
@dataclass(frozen=True, slots=True)
class ServerShutdown:
    """Shutdown. `restart` is None where the event does not say."""

    at: float
    clean: bool
    restart: bool | None


@quicken
@dataclass(frozen=True, slots=True)
class ServerBooted:
    """FullyBooted. `uptime` in seconds, None where the event does not say."""

    at: float
    uptime: float | None


@quicken
@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel of a CoreShowChannels list. `duration` in seconds since its creation."""

    uniqueid: str
    linkedid: str | None
    channel: str
    up: bool
    duration: float | None
    ringing: bool = False


ChannelEvent = (
    ChannelCreated
    | ChannelStateChanged
    | DialBegun
    | DialProgressed
    | DialEnded
    | BridgeEntered
    | RecordingStarted
    | CallIdTold
    | ChannelHungUp
)
Event = ChannelEvent | OriginateAnswered | ServerShutdown | ServerBooted
