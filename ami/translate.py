"""AMI messages → domain events. The only reader of AMI header names of events.

Odd input never raises: a message without the header that says whom it is about is None, a value
that cannot be understood is None or a visible OTHER, and the raw word stands beside it. Header
names are AMI's of Asterisk 20–23 (main/manager_channels.c, main/manager_bridges.c); the older
`Dial` event with SubEvent, and `UniqueID` for `Uniqueid`, are understood too.
"""

import math
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


class Headers(Protocol):
    """An AMI message: its event name, and its headers by case-insensitive name."""

    @property
    def name(self) -> str: ...

    def get(self, header: str, default: str = "", /) -> str: ...


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


def translate(message: Headers, received_at: float) -> Event | None:
    """The event that `message` reports, or None where it is none that is wanted or says too
    little. `received_at`: epoch seconds, used where the message carries no `Timestamp`."""
    reader = _READERS.get(message.name)
    if reader is None:
        return None
    stamp = message.get("Timestamp")
    return reader(message, _number(stamp, received_at) if stamp else received_at)


def live_channels(messages: Iterable[Headers]) -> tuple[LiveChannel, ...]:
    """The channels of a CoreShowChannels answer; messages of other names are passed over."""
    return tuple(
        LiveChannel(
            uniqueid=uniqueid,
            linkedid=_text(message, "Linkedid"),
            channel=message.get("Channel"),
            up=message.get("ChannelState") == "6" or message.get("ChannelStateDesc") == "Up",
            duration=_duration(message.get("Duration")),
            ringing=message.get("ChannelState") == "5",
        )
        for message in messages
        if message.name == "CoreShowChannel"
        and (uniqueid := _text(message, "Uniqueid")) is not None
    )


def _text(message: Headers, header: str) -> str | None:
    value = message.get(header)
    return None if len(value) <= _LONGEST_NOTHING and value.lower() in _NOTHING else value


def _number(value: str, default: float) -> float:
    try:
        number = float(value)
    except ValueError:
        return default
    return number if math.isfinite(number) and number > 0 else default


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


def _state(message: Headers) -> tuple[ChannelState, str]:
    raw = message.get("ChannelState")
    return _STATES.get(raw, ChannelState.OTHER), message.get("ChannelStateDesc") or raw


def _read_newchannel(message: Headers, at: float) -> Event | None:
    uniqueid = _text(message, "Uniqueid")
    if uniqueid is None:
        return None
    state, raw = _state(message)
    linkedid = _text(message, "Linkedid")
    return ChannelCreated(at, uniqueid, linkedid, message.get("Channel"), state, raw)


def _read_newstate(message: Headers, at: float) -> Event | None:
    uniqueid = _text(message, "Uniqueid")
    if uniqueid is None:
        return None
    state, raw = _state(message)
    linkedid = _text(message, "Linkedid")
    return ChannelStateChanged(at, uniqueid, linkedid, message.get("Channel"), state, raw)


def _read_dial_begin(message: Headers, at: float) -> Event | None:
    dest = _text(message, "DestUniqueid")
    if dest is None:
        return None
    return DialBegun(
        at,
        _text(message, "Uniqueid"),
        _text(message, "Linkedid"),
        dest,
        _text(message, "DestLinkedid"),
        message.get("DestChannel") or message.get("Destination"),
    )


def _read_dial_state(message: Headers, at: float) -> Event | None:
    dest = _text(message, "DestUniqueid")
    if dest is None:
        return None
    raw = message.get("DialStatus")
    return DialProgressed(
        at,
        _text(message, "Uniqueid"),
        _text(message, "Linkedid"),
        dest,
        _text(message, "DestLinkedid"),
        message.get("DestChannel"),
        _PROGRESS.get(raw.upper(), DialProgress.OTHER),
        raw,
    )


def _read_dial_end(message: Headers, at: float) -> Event | None:
    uniqueid = _text(message, "Uniqueid")
    dest = _text(message, "DestUniqueid")
    if uniqueid is None and dest is None:
        return None
    return DialEnded(
        at,
        uniqueid,
        _text(message, "Linkedid"),
        dest,
        _text(message, "DestLinkedid"),
        message.get("DestChannel"),
        message.get("DialStatus").upper(),
    )


def _read_dial(message: Headers, at: float) -> Event | None:
    """`Dial` of Asterisk 1.8 and 11, with SubEvent Begin or End."""
    sub_event = message.get("SubEvent").lower()
    if sub_event == "begin":
        return _read_dial_begin(message, at)
    return _read_dial_end(message, at) if sub_event == "end" else None


def _read_bridge_enter(message: Headers, at: float) -> Event | None:
    uniqueid = _text(message, "Uniqueid")
    bridge_id = _text(message, "BridgeUniqueid")
    if uniqueid is None or bridge_id is None:
        return None
    linkedid = _text(message, "Linkedid")
    return BridgeEntered(at, uniqueid, linkedid, message.get("Channel"), bridge_id)


def _read_user_event(message: Headers, at: float) -> Event | None:
    kind = message.get("UserEvent")
    uniqueid = _text(message, "Uniqueid")
    if uniqueid is None:
        return None
    linkedid, channel = _text(message, "Linkedid"), message.get("Channel")
    if kind == RECORDING_EVENT and (file := message.get("File")):
        return RecordingStarted(at, uniqueid, linkedid, channel, file)
    if kind == CALL_ID_EVENT and (call_id := message.get("CallId")):
        return CallIdTold(at, uniqueid, linkedid, channel, call_id)
    return None


def _read_hangup(message: Headers, at: float) -> Event | None:
    uniqueid = _text(message, "Uniqueid")
    if uniqueid is None:
        return None
    return ChannelHungUp(
        at,
        uniqueid,
        _text(message, "Linkedid"),
        message.get("Channel"),
        _whole(message.get("Cause")),
        message.get("Cause-txt") or None,
        _sip_code(message.get("TechCause")),
    )


def _sip_code(value: str) -> int | None:
    """TechCause as a SIP status code; a technology's other words (`SIP 486 Busy Here`) count by
    the first number in the range of SIP's codes."""
    for word in value.split():
        code = _whole(word)
        if code is not None and 100 <= code < 700:
            return code
    return None


def _read_originate_response(message: Headers, at: float) -> Event | None:
    raw = message.get("Response")
    return OriginateAnswered(
        at,
        message.get("ActionID") or None,
        _text(message, "Uniqueid"),
        raw.lower() == "success",
        raw,
        _whole(message.get("Reason")),
        message.get("Channel"),
    )


def _read_shutdown(message: Headers, at: float) -> Event | None:
    restart = {"true": True, "false": False}.get(message.get("Restart").lower())
    return ServerShutdown(at, message.get("Shutdown").lower() == "cleanly", restart)


def _read_fully_booted(message: Headers, at: float) -> Event | None:
    uptime = _whole(message.get("Uptime"))
    return ServerBooted(at, None if uptime is None else float(uptime))


_READERS: Final[dict[str, Callable[[Headers, float], Event | None]]] = {
    "Newchannel": _read_newchannel,
    "Newstate": _read_newstate,
    "DialBegin": _read_dial_begin,
    "DialState": _read_dial_state,
    "DialEnd": _read_dial_end,
    "Dial": _read_dial,
    "BridgeEnter": _read_bridge_enter,
    "UserEvent": _read_user_event,
    "Hangup": _read_hangup,
    "OriginateResponse": _read_originate_response,
    "Shutdown": _read_shutdown,
    "FullyBooted": _read_fully_booted,
}

# The events that `translate` reads, as a parser is told of them (`Decoder`): by their names, which
# a server's event filter must let through; of UserEvents ours alone, for a dialplan may send many.
WANTED: Final[frozenset[str]] = frozenset(
    _OUR_EVENTS if name == "UserEvent" else name for name in _READERS
)
