"""Raw AMI messages → domain events, with every oddity that was seen on a wire."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from ami.translate import WANTED, live_channels, translate
from ami.wire import Kind, Message, parse_message

RECEIVED = 5_000.0


def message(text: str) -> Message:
    """A message from its headers, written `Name: value` and separated by ` | `."""
    parsed = parse_message("\r\n".join(text.split(" | ")).encode())
    assert parsed is not None
    return parsed


def read(text: str) -> Event | None:
    return translate(message(text), RECEIVED)


CHANNEL = "Channel: PJSIP/c-1 | Uniqueid: u1 | Linkedid: l1"
DEST = "DestChannel: PJSIP/c-2 | DestUniqueid: u2 | DestLinkedid: l1"


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (
            f"Event: Newchannel | {CHANNEL} | ChannelState: 0 | ChannelStateDesc: Down",
            ChannelCreated(RECEIVED, "u1", "l1", "PJSIP/c-1", ChannelState.OTHER, "Down"),
        ),
        (
            f"Event: Newstate | {CHANNEL} | ChannelState: 5 | ChannelStateDesc: Ringing",
            ChannelStateChanged(RECEIVED, "u1", "l1", "PJSIP/c-1", ChannelState.RINGING, "Ringing"),
        ),
        (
            f"Event: Newstate | {CHANNEL} | ChannelState: 4 | ChannelStateDesc: Ring",
            ChannelStateChanged(RECEIVED, "u1", "l1", "PJSIP/c-1", ChannelState.OTHER, "Ring"),
        ),
        (
            f"Event: Newstate | Timestamp: 1795219500.323200 | {CHANNEL} | ChannelState: 6",
            ChannelStateChanged(1795219500.3232, "u1", "l1", "PJSIP/c-1", ChannelState.UP, "6"),
        ),
        (
            f"Event: DialBegin | {DEST}",
            DialBegun(RECEIVED, None, None, "u2", "l1", "PJSIP/c-2"),
        ),
        (
            f"Event: DialBegin | {CHANNEL} | {DEST}",
            DialBegun(RECEIVED, "u1", "l1", "u2", "l1", "PJSIP/c-2"),
        ),
        (
            f"Event: DialState | {DEST} | DialStatus: PROGRESS",
            DialProgressed(
                RECEIVED, None, None, "u2", "l1", "PJSIP/c-2", DialProgress.PROGRESS, "PROGRESS"
            ),
        ),
        (
            f"Event: DialState | {DEST} | DialStatus: HUMMING",
            DialProgressed(
                RECEIVED, None, None, "u2", "l1", "PJSIP/c-2", DialProgress.OTHER, "HUMMING"
            ),
        ),
        (
            f"Event: DialEnd | {CHANNEL} | {DEST} | DialStatus: busy",
            DialEnded(RECEIVED, "u1", "l1", "u2", "l1", "PJSIP/c-2", "BUSY"),
        ),
        (
            f"Event: BridgeEnter | BridgeUniqueid: b1 | {CHANNEL}",
            BridgeEntered(RECEIVED, "u1", "l1", "PJSIP/c-1", "b1"),
        ),
        (
            f"Event: Hangup | {CHANNEL} | Cause: 17 | Cause-txt: User busy | TechCause: 486",
            ChannelHungUp(RECEIVED, "u1", "l1", "PJSIP/c-1", 17, "User busy", 486),
        ),
        (
            f"Event: UserEvent | {CHANNEL} | UserEvent: DialerRecording | File: /var/r/a b.wav",
            RecordingStarted(RECEIVED, "u1", "l1", "PJSIP/c-1", "/var/r/a b.wav"),
        ),
        (
            f"Event: UserEvent | {CHANNEL} | UserEvent: DialerCallId | CallId: 1-2@host",
            CallIdTold(RECEIVED, "u1", "l1", "PJSIP/c-1", "1-2@host"),
        ),
        (
            "Event: OriginateResponse | ActionID: a1 | Response: Success | Channel: PJSIP/c-1"
            " | Reason: 4 | Uniqueid: u1",
            OriginateAnswered(RECEIVED, "a1", "u1", True, "Success", 4, "PJSIP/c-1"),
        ),
        (
            "Event: Shutdown | Shutdown: Cleanly | Restart: True",
            ServerShutdown(RECEIVED, True, True),
        ),
        (
            "Event: Shutdown | Shutdown: Uncleanly",
            ServerShutdown(RECEIVED, False, None),
        ),
        ("Event: FullyBooted | Uptime: 17 | Status: Fully Booted", ServerBooted(RECEIVED, 17.0)),
        ("Event: FullyBooted | Status: Fully Booted", ServerBooted(RECEIVED, None)),
    ],
)  # fmt: skip
def test_event(text: str, event: Event) -> None:
    assert read(text) == event


@pytest.mark.parametrize("uniqueid", ["", "<null>", "<unknown>", "<Unknown>"])
def test_a_uniqueid_that_is_none(uniqueid: str) -> None:
    assert read(f"Event: Newchannel | Channel: X | Uniqueid: {uniqueid}") is None
    response = read(f"Event: OriginateResponse | Response: Failure | Uniqueid: {uniqueid}")
    assert response == OriginateAnswered(RECEIVED, None, None, False, "Failure", None, "")


@pytest.mark.parametrize(
    "text",
    [
        "Event: Newchannel", "Event: Newstate", "Event: DialBegin", "Event: DialState",
        "Event: DialEnd", "Event: BridgeEnter | Uniqueid: u1", "Event: BridgeEnter",
        "Event: Hangup", f"Event: UserEvent | {CHANNEL} | UserEvent: Other | File: /var/r/a.wav",
        f"Event: UserEvent | {CHANNEL} | UserEvent: DialerRecording | File: ",
        "Event: UserEvent | UserEvent: DialerRecording | File: /var/r/a.wav",
        f"Event: UserEvent | {CHANNEL} | UserEvent: DialerCallId | CallId: ",
        "Event: UserEvent | UserEvent: DialerCallId | CallId: 1-2@host",
        "Event: Dial | SubEvent: Begin", "Event: Dial | SubEvent: Middle | DestUniqueID: u2",
        "Event: VarSet | Uniqueid: u1", "Response: Success",
    ],
)  # fmt: skip
def test_what_says_too_little_is_no_event(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("raw", "cause"),
    [("17", 17), (" 17 ", 17), ("0", 0), ("", None), ("busy", None), ("-1", None), ("1e3", None),
     ("²", None), ("٣", None), ("9" * 5000, None)],
)  # fmt: skip
def test_garbage_causes(raw: str, cause: int | None) -> None:
    event = read(f"Event: Hangup | {CHANNEL} | Cause: {raw}")
    assert isinstance(event, ChannelHungUp)
    assert event.cause == cause


@pytest.mark.parametrize(
    ("raw", "code"),
    [("486", 486), ("SIP 486 Busy Here", 486), ("16", None), ("", None), ("Q850 17", None),
     ("9999", None)],
)  # fmt: skip
def test_tech_causes(raw: str, code: int | None) -> None:
    event = read(f"Event: Hangup | {CHANNEL} | TechCause: {raw}")
    assert isinstance(event, ChannelHungUp)
    assert event.sip_code == code


@pytest.mark.parametrize("stamp", ["", "yesterday", "nan", "inf", "-5", "1e999", "1e300", "0"])
def test_a_garbage_timestamp_is_the_receive_time(stamp: str) -> None:
    event = read(f"Event: Hangup | Timestamp: {stamp} | {CHANNEL}")
    assert event is not None
    assert event.at == RECEIVED


def test_old_dial_events() -> None:
    begun = read(
        "Event: Dial | SubEvent: Begin | Channel: SIP/1 | Destination: SIP/2 | UniqueID: u1"
        " | DestUniqueID: u2"
    )
    assert begun == DialBegun(RECEIVED, "u1", None, "u2", None, "SIP/2")
    ended = read("Event: Dial | SubEvent: End | Channel: SIP/1 | UniqueID: u1 | DialStatus: BUSY")
    assert ended == DialEnded(RECEIVED, "u1", None, None, None, "", "BUSY")


def test_live_channels() -> None:
    base = "Event: CoreShowChannel | ActionID: a"
    channels = live_channels(
        [
            message(f"{base} | {CHANNEL} | ChannelState: 6 | Duration: 01:02:03"),
            message(f"{base} | Channel: X | Uniqueid: u2 | ChannelStateDesc: Up | Duration: 45"),
            message(f"{base} | Channel: Y | Uniqueid: u3 | ChannelState: 5 | Duration: soon:1:2"),
            message(f"{base} | Channel: Z | Uniqueid: <null>"),
            message("Event: CoreShowChannelsComplete | Uniqueid: u4"),
        ]
    )
    assert channels == (
        LiveChannel("u1", "l1", "PJSIP/c-1", True, 3723.0),
        LiveChannel("u2", None, "X", True, 45.0),
        LiveChannel("u3", None, "Y", False, None, ringing=True),
    )


def test_odd_durations() -> None:
    (channel,) = live_channels([message("Event: CoreShowChannel | Uniqueid: u | Duration: 1:2")])
    assert channel.duration is None


HEADERS = [
    "Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid", "Channel", "ChannelState", "Cause",
    "TechCause", "Timestamp", "DialStatus", "SubEvent", "Reason", "Response", "Duration", "Restart",
    "BridgeUniqueid", "Uptime", "UserEvent", "File",
]  # fmt: skip
LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


def odd(name: str, headers: dict[str, str]) -> Message:
    """A message with any headers at all."""
    lines = (f"{header}: {value}\r\n" for header, value in headers.items())
    return Message(Kind.EVENT, name, f"Event: {name}\r\n{''.join(lines)}".encode().strip())


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*sorted(WANTED), "UserEvent", "CoreShowChannel", "Else"]),
    st.dictionaries(
        st.sampled_from(HEADERS),
        st.one_of(LINE, st.sampled_from(["<null>", "9" * 400, "DialerRecording"])),
    ),
)
def test_odd_input_never_raises(name: str, headers: dict[str, Any]) -> None:
    """Any headers give an event with a finite positive time, or None."""
    event = translate(odd(name, headers), RECEIVED)
    assert event is None or 0 < event.at < float("inf")
    assert len(live_channels([odd(name, headers)])) <= 1
