"""AMI messages → domain events. The only reader of AMI header names of events.

Odd input never raises: a message without the header that says whom it is about is None, a value
that cannot be understood is None or a visible OTHER, and the raw word stands beside it. Header
names are AMI's of Asterisk 20–23 (main/manager_channels.c, main/manager_bridges.c); the older
`Dial` event with SubEvent, and `UniqueID` for `Uniqueid`, are understood too.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from ami.events import (
    BridgeEntered,
    CallIdTold,
    ChannelCreated,
    ChannelHungUp,
    ChannelState,
    ChannelStateChanged,
    DialBegun,
    DialEnded,
    DialProgress,
    DialProgressed,
    Event,
    LiveChannel,
    OriginateAnswered,
    RecordingStarted,
    ServerBooted,
    ServerShutdown,
)
from ami.fields import Fields, Headers


class EventMessage(Headers, Protocol):
    """An AMI message: its event name, its bytes, and its headers by case-insensitive name."""

    @property
    def name(self) -> str: ...


# How Asterisk writes "none" (`<null>` until 11.22 and 13.8, `<unknown>` since).
_NOTHING: Final = frozenset({"", "<null>", "<unknown>", "(null)", "<none>", "none"})
_LONGEST_NOTHING: Final = max(map(len, _NOTHING))
_STATES: Final = {"5": ChannelState.RINGING, "6": ChannelState.UP}
_PROGRESS: Final = {
    "RINGING": DialProgress.RINGING,
    "PROGRESS": DialProgress.PROGRESS,
    "PROCEEDING": DialProgress.PROCEEDING,
}


# What the operator's dialplan names the events by which it tells of a recording and of a Call-ID.
RECORDING_EVENT: Final = "DialerRecording"
CALL_ID_EVENT: Final = "DialerCallId"
_OUR_EVENTS: Final = "UserEvent: Dialer"

# Epoch seconds of the year 10,000: a Timestamp above is damaged.
_NEVER: Final = 253_402_300_800.0


def translate(message: EventMessage, received_at: float) -> Event | None:
    """The event that `message` reports, or None where it is none that is wanted or says too
    little. `received_at`: epoch seconds, used where the message carries no `Timestamp`."""
    reader = _READERS.get(message.name)
    if reader is None:
        return None
    fields, make = reader
    stamp, *values = fields.read(message)
    return make(_number(stamp, received_at), *values)


def live_channels(messages: Iterable[EventMessage]) -> tuple[LiveChannel, ...]:
    """The channels of a CoreShowChannels answer; messages of other names are passed over."""
    return tuple(
        LiveChannel(
            uniqueid=uniqueid,
            linkedid=_given(message.get("Linkedid")),
            channel=message.get("Channel"),
            up=message.get("ChannelState") == "6" or message.get("ChannelStateDesc") == "Up",
            duration=_duration(message.get("Duration")),
            ringing=message.get("ChannelState") == "5",
        )
        for message in messages
        if message.name == "CoreShowChannel"
        and (uniqueid := _given(message.get("Uniqueid"))) is not None
    )


def _given(value: str) -> str | None:
    return None if len(value) <= _LONGEST_NOTHING and value.lower() in _NOTHING else value


def _number(value: str, default: float) -> float:
    try:
        number = float(value) if value else default
    except ValueError:
        return default
    return number if 0 < number < _NEVER else default


def _whole(value: str) -> int | None:
    """A short run of ASCII digits as an int, else None (a cause, a reason, a SIP code)."""
    value = value.strip()
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else None


def _duration(value: str) -> float | None:
    """CoreShowChannel's `HH:MM:SS` (hours may pass 99), or plain seconds."""
    parts = value.split(":")
    if len(parts) not in (1, 3):
        return None
    seconds = 0
    for part in parts:
        whole = _whole(part)
        if whole is None:
            return None
        seconds = seconds * 60 + whole
    return float(seconds)


def _sip_code(value: str) -> int | None:
    """TechCause as a SIP status code; a technology's other words (`SIP 486 Busy Here`) count by
    the first number in the range of SIP's codes."""
    for word in value.split():
        code = _whole(word)
        if code is not None and 100 <= code < 700:
            return code
    return None


# What makes an event of the values of a message's headers: in the order of `_READERS`.


def _make_created(
    at: float, channel: str, state: str, state_desc: str, uniqueid: str, linkedid: str
) -> Event | None:
    own = _given(uniqueid)
    if own is None:
        return None
    known = _STATES.get(state, ChannelState.OTHER)
    return ChannelCreated(at, own, _given(linkedid), channel, known, state_desc or state)


def _make_state_changed(
    at: float, channel: str, state: str, state_desc: str, uniqueid: str, linkedid: str
) -> Event | None:
    own = _given(uniqueid)
    if own is None:
        return None
    known = _STATES.get(state, ChannelState.OTHER)
    return ChannelStateChanged(at, own, _given(linkedid), channel, known, state_desc or state)


def _make_dial_begun(
    at: float,
    uniqueid: str,
    linkedid: str,
    dest_channel: str,
    dest_uniqueid: str,
    dest_linkedid: str,
    destination: str,
) -> Event | None:
    dest = _given(dest_uniqueid)
    if dest is None:
        return None
    channel = dest_channel or destination
    return DialBegun(at, _given(uniqueid), _given(linkedid), dest, _given(dest_linkedid), channel)


def _make_dial_progressed(
    at: float,
    uniqueid: str,
    linkedid: str,
    dest_channel: str,
    dest_uniqueid: str,
    dest_linkedid: str,
    status: str,
) -> Event | None:
    dest = _given(dest_uniqueid)
    if dest is None:
        return None
    return DialProgressed(
        at,
        _given(uniqueid),
        _given(linkedid),
        dest,
        _given(dest_linkedid),
        dest_channel,
        _PROGRESS.get(status.upper(), DialProgress.OTHER),
        status,
    )


def _make_dial_ended(
    at: float,
    uniqueid: str,
    linkedid: str,
    dest_channel: str,
    dest_uniqueid: str,
    dest_linkedid: str,
    status: str,
) -> Event | None:
    own, dest = _given(uniqueid), _given(dest_uniqueid)
    if own is None and dest is None:
        return None
    dest_linked = _given(dest_linkedid)
    return DialEnded(at, own, _given(linkedid), dest, dest_linked, dest_channel, status.upper())


def _make_dial(
    at: float,
    uniqueid: str,
    linkedid: str,
    dest_channel: str,
    dest_uniqueid: str,
    dest_linkedid: str,
    sub_event: str,
    status: str,
    destination: str,
) -> Event | None:
    """`Dial` of Asterisk 1.8 and 11, with SubEvent Begin or End."""
    dialed = uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid
    kind = sub_event.lower()
    if kind == "begin":
        return _make_dial_begun(at, *dialed, destination)
    return _make_dial_ended(at, *dialed, status) if kind == "end" else None


def _make_bridge_entered(
    at: float, bridge_uniqueid: str, channel: str, uniqueid: str, linkedid: str
) -> Event | None:
    own, bridge_id = _given(uniqueid), _given(bridge_uniqueid)
    if own is None or bridge_id is None:
        return None
    return BridgeEntered(at, own, _given(linkedid), channel, bridge_id)


def _make_user_event(
    at: float,
    kind: str,
    channel: str,
    uniqueid: str,
    linkedid: str,
    file: str,
    call_id: str,
) -> Event | None:
    own = _given(uniqueid)
    if own is None:
        return None
    if kind == RECORDING_EVENT and file:
        return RecordingStarted(at, own, _given(linkedid), channel, file)
    if kind == CALL_ID_EVENT and call_id:
        return CallIdTold(at, own, _given(linkedid), channel, call_id)
    return None


def _make_hung_up(
    at: float,
    channel: str,
    uniqueid: str,
    linkedid: str,
    cause: str,
    cause_txt: str,
    tech_cause: str,
) -> Event | None:
    own = _given(uniqueid)
    if own is None:
        return None
    sip_code = _sip_code(tech_cause) if tech_cause else None
    linked = _given(linkedid)
    return ChannelHungUp(at, own, linked, channel, _whole(cause), cause_txt or None, sip_code)


def _make_answered(
    at: float, action_id: str, response: str, channel: str, reason: str, uniqueid: str
) -> Event | None:
    success = response.lower() == "success"
    named, own = action_id or None, _given(uniqueid)
    return OriginateAnswered(at, named, own, success, response, _whole(reason), channel)


def _make_shutdown(at: float, shutdown: str, restart: str) -> Event | None:
    again = {"true": True, "false": False}.get(restart.lower())
    return ServerShutdown(at, shutdown.lower() == "cleanly", again)


def _make_booted(at: float, uptime: str) -> Event | None:
    seconds = _whole(uptime)
    return ServerBooted(at, None if seconds is None else float(seconds))


_CHANNEL: Final = ("Channel", "ChannelState", "ChannelStateDesc", "Uniqueid", "Linkedid")
_DIALED: Final = ("Uniqueid", "Linkedid", "DestChannel", "DestUniqueid", "DestLinkedid")


def _reader(
    make: Callable[..., Event | None], *headers: str
) -> tuple[Fields, Callable[..., Event | None]]:
    """What is read of an event, and what makes one of the time and these values."""
    return Fields("Timestamp", *headers), make


_READERS: Final = {
    "Newchannel": _reader(_make_created, *_CHANNEL),
    "Newstate": _reader(_make_state_changed, *_CHANNEL),
    "DialBegin": _reader(_make_dial_begun, *_DIALED, "Destination"),
    "DialState": _reader(_make_dial_progressed, *_DIALED, "DialStatus"),
    "DialEnd": _reader(_make_dial_ended, *_DIALED, "DialStatus"),
    "Dial": _reader(_make_dial, *_DIALED, "SubEvent", "DialStatus", "Destination"),
    "BridgeEnter": _reader(
        _make_bridge_entered, "BridgeUniqueid", "Channel", "Uniqueid", "Linkedid"
    ),
    "UserEvent": _reader(
        _make_user_event, "UserEvent", "Channel", "Uniqueid", "Linkedid", "File", "CallId"
    ),
    "Hangup": _reader(
        _make_hung_up, "Channel", "Uniqueid", "Linkedid", "Cause", "Cause-txt", "TechCause"
    ),
    "OriginateResponse": _reader(
        _make_answered, "ActionID", "Response", "Channel", "Reason", "Uniqueid"
    ),
    "Shutdown": _reader(_make_shutdown, "Shutdown", "Restart"),
    "FullyBooted": _reader(_make_booted, "Uptime"),
}

# The events that `translate` reads, as a parser is told of them (`Decoder`): by their names, which
# a server's event filter must let through; of UserEvents ours alone, for a dialplan may send many.
WANTED: Final[frozenset[str]] = frozenset(
    _OUR_EVENTS if name == "UserEvent" else name for name in _READERS
)
