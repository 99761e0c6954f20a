"""AMI messages → domain events. The only reader of AMI header names of events.

Odd input never raises: a message without the header that says whom it is about is None, a value
that cannot be understood is None or a visible OTHER, and the raw word stands beside it. Header
names are AMI's of Asterisk 20–23 (main/manager_channels.c, main/manager_bridges.c); the older
`Dial` event with SubEvent, and `UniqueID` for `Uniqueid`, are understood too.
"""

from collections.abc import Callable, Iterable
from itertools import product
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


_Values = tuple[str, ...]
_Maker = Callable[[float, _Values], Event | None]

# How Asterisk writes "none" (`<null>` until 11.22 and 13.8, `<unknown>` since).
_NOTHING: Final = ("", "<null>", "<unknown>", "(null)", "<none>", "none")
# In any case of their letters, for one look; the hash of an id that is looked for is kept in it,
# and it will be looked for again.
_SPELLINGS: Final[dict[str, str | None]] = {
    "".join(spelling): None
    for word in _NOTHING
    for spelling in product(*({char, char.upper()} for char in word))
}
_given = _SPELLINGS.get  # given(value, value): the value, or None where it says that there is none
_STATES: Final = {"5": ChannelState.RINGING, "6": ChannelState.UP}
_OTHER_STATE: Final = ChannelState.OTHER
_OTHER_PROGRESS: Final = DialProgress.OTHER
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
    values = fields.read(message)
    return make(_number(values[0], received_at), values)


def live_channels(messages: Iterable[EventMessage]) -> tuple[LiveChannel, ...]:
    """The channels of a CoreShowChannels answer; messages of other names are passed over."""
    return tuple(
        LiveChannel(
            uniqueid=uniqueid,
            linkedid=_ask(message, "Linkedid"),
            channel=message.get("Channel"),
            up=message.get("ChannelState") == "6" or message.get("ChannelStateDesc") == "Up",
            duration=_duration(message.get("Duration")),
            ringing=message.get("ChannelState") == "5",
        )
        for message in messages
        if message.name == "CoreShowChannel" and (uniqueid := _ask(message, "Uniqueid")) is not None
    )


def _ask(message: EventMessage, header: str) -> str | None:
    value = message.get(header)
    return _given(value, value)


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


# What makes an event of the time and the values of a message's headers: those of `_READERS` in
# their order, after the Timestamp that the time was made of.


def _make_created(at: float, values: _Values) -> Event | None:
    _, channel, state, state_desc, uniqueid, linkedid = values
    own = _given(uniqueid, uniqueid)
    if own is None:
        return None
    known = _STATES.get(state, _OTHER_STATE)
    return ChannelCreated(at, own, _given(linkedid, linkedid), channel, known, state_desc or state)


def _make_state_changed(at: float, values: _Values) -> Event | None:
    _, channel, state, state_desc, uniqueid, linkedid = values
    own = _given(uniqueid, uniqueid)
    if own is None:
        return None
    known = _STATES.get(state, _OTHER_STATE)
    return ChannelStateChanged(
        at, own, _given(linkedid, linkedid), channel, known, state_desc or state
    )


def _make_dial_begun(at: float, values: _Values) -> Event | None:
    _, uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid, destination = values
    dest = _given(dest_uniqueid, dest_uniqueid)
    if dest is None:
        return None
    channel = dest_channel or destination
    return DialBegun(
        at,
        _given(uniqueid, uniqueid),
        _given(linkedid, linkedid),
        dest,
        _given(dest_linkedid, dest_linkedid),
        channel,
    )


def _make_dial_progressed(at: float, values: _Values) -> Event | None:
    _, uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid, status = values
    dest = _given(dest_uniqueid, dest_uniqueid)
    if dest is None:
        return None
    return DialProgressed(
        at,
        _given(uniqueid, uniqueid),
        _given(linkedid, linkedid),
        dest,
        _given(dest_linkedid, dest_linkedid),
        dest_channel,
        _PROGRESS.get(status.upper(), _OTHER_PROGRESS),
        status,
    )


def _make_dial_ended(at: float, values: _Values) -> Event | None:
    _, uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid, status = values
    own, dest = _given(uniqueid, uniqueid), _given(dest_uniqueid, dest_uniqueid)
    if own is None and dest is None:
        return None
    dest_linked = _given(dest_linkedid, dest_linkedid)
    return DialEnded(
        at, own, _given(linkedid, linkedid), dest, dest_linked, dest_channel, status.upper()
    )


def _make_dial(at: float, values: _Values) -> Event | None:
    """`Dial` of Asterisk 1.8 and 11, with SubEvent Begin or End."""
    *dialed, sub_event, status, destination = values
    kind = sub_event.lower()
    if kind == "begin":
        return _make_dial_begun(at, (*dialed, destination))
    return _make_dial_ended(at, (*dialed, status)) if kind == "end" else None


def _make_bridge_entered(at: float, values: _Values) -> Event | None:
    _, bridge_uniqueid, channel, uniqueid, linkedid = values
    own, bridge_id = _given(uniqueid, uniqueid), _given(bridge_uniqueid, bridge_uniqueid)
    if own is None or bridge_id is None:
        return None
    return BridgeEntered(at, own, _given(linkedid, linkedid), channel, bridge_id)


def _make_user_event(at: float, values: _Values) -> Event | None:
    _, kind, channel, uniqueid, linkedid, file, call_id = values
    own = _given(uniqueid, uniqueid)
    if own is None:
        return None
    if kind == RECORDING_EVENT and file:
        return RecordingStarted(at, own, _given(linkedid, linkedid), channel, file)
    if kind == CALL_ID_EVENT and call_id:
        return CallIdTold(at, own, _given(linkedid, linkedid), channel, call_id)
    return None


def _make_hung_up(at: float, values: _Values) -> Event | None:
    _, channel, uniqueid, linkedid, cause, cause_txt, tech_cause = values
    own = _given(uniqueid, uniqueid)
    if own is None:
        return None
    sip_code = _sip_code(tech_cause) if tech_cause else None
    linked = _given(linkedid, linkedid)
    return ChannelHungUp(at, own, linked, channel, _whole(cause), cause_txt or None, sip_code)


def _make_answered(at: float, values: _Values) -> Event | None:
    _, action_id, response, channel, reason, uniqueid = values
    success = response.lower() == "success"
    named, own = action_id or None, _given(uniqueid, uniqueid)
    return OriginateAnswered(at, named, own, success, response, _whole(reason), channel)


def _make_shutdown(at: float, values: _Values) -> Event | None:
    _, shutdown, restart = values
    again = {"true": True, "false": False}.get(restart.lower())
    return ServerShutdown(at, shutdown.lower() == "cleanly", again)


def _make_booted(at: float, values: _Values) -> Event | None:
    _, uptime = values
    seconds = _whole(uptime)
    return ServerBooted(at, None if seconds is None else float(seconds))


_CHANNEL: Final = ("Channel", "ChannelState", "ChannelStateDesc", "Uniqueid", "Linkedid")
_DIALED: Final = ("Uniqueid", "Linkedid", "DestChannel", "DestUniqueid", "DestLinkedid")


def _reader(make: _Maker, *headers: str) -> tuple[Fields, _Maker]:
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
