"""Every captured call, sent again to the simulator, gives the events that Asterisk gave: header
for header, but for times and the numbers that Asterisk counts by."""

import re
from collections import Counter
from pathlib import Path

import pytest

from ami.wire import Decoder, Message
from tests.unit.ami.simulator.wiretap import Tap, logged_in

CAPTURES = Path(__file__).parents[3] / "captures" / "asterisk-22.10.1"
CALLS = [
    "00_answer", "01_busy", "02_ring_timeout", "03_congestion", "04_unallocated", "05_unavailable",
    "06_slow_answer", "08_drop_at_once", "09_ring_then_busy", "10_early_media_busy", "11_reject",
    "answer_then_our_end", "dead_trunk", "dial_leg_a_busy", "dial_leg_a_ends_first",
    "dial_leg_a_ends_while_b_rings", "dial_leg_b_answer", "dial_leg_b_busy",
    "dial_leg_b_no_answer", "dial_leg_b_unallocated", "duplicate_channel_id", "hangup_answered",
    "hangup_ringing", "hangup_ringing_cause_16", "local_answer", "local_busy",
    "local_dial_leg_b_answer", "local_no_such_context", "local_ring_timeout", "local_unallocated",
    "no_contact", "originate_no_channel", "originate_refused_application", "playback",
    "prefix_channel_id", "recorded_bad_name", "recorded_dial_bridged", "recorded_dial_leg_b_busy",
    "recorded_dial_leg_b_no_answer", "recorded_dial_leg_b_no_contact", "recorded_early_media_busy",
    "recorded_far_end_clears", "recorded_local", "recorded_no_context", "recorded_playback",
    "recorded_unknown_application", "recorded_unknown_profile", "recorded_wait",
    "unknown_endpoint", "unknown_technology",
]  # fmt: skip
# What differs by chance in the real one too: whether a dial's event shows the state before or
# after the channel's own event.
_BY_CHANCE = {("DialState", "DestChannelState"), ("DialState", "DestChannelStateDesc")}


def normalize(message: Message) -> tuple[tuple[str, str], ...]:
    """The headers, without times and with one word for every counted number."""
    headers = []
    for name, value in message.headers:
        if name == "Timestamp" or (message.name, name) in _BY_CHANCE:
            continue
        if name == "BridgeUniqueid":
            value = "a bridge"
        value = re.sub(r"-[0-9a-f]{8}(?=;|$)", "-N", value)
        value = re.sub(r"^\d{9,}\.\d+$", "an id", value)
        headers.append((name, value))
    return tuple(headers)


def read_actions(name: str) -> list[bytes]:
    """The actions sent, each timeout of its own shortened."""
    sent = (CAPTURES / f"{name}.sent").read_bytes()
    actions = [block + b"\r\n\r\n" for block in sent.split(b"\r\n\r\n") if block]
    return [re.sub(rb"Timeout: (2|3)000\r", rb"Timeout: 20\r", action) for action in actions]


async def play(tap: Tap, actions: list[bytes], captured: list[Message]) -> list[Message]:
    """Send each action after as many messages as stood before its response in the capture."""
    start = len(tap.messages)
    for action in actions:
        found = re.search(rb"ActionID: (.*)\r", action)
        assert found is not None
        action_id = found[1].decode()
        before = next(
            index for index, message in enumerate(captured)
            if message.get("ActionID") == action_id and message.kind.value == "response"
        )  # fmt: skip
        await tap.until(lambda: len(tap.messages) - start >= before)  # noqa: B023
        tap.send_raw(action)
    await tap.until(lambda: len(tap.messages) - start >= len(captured))
    return tap.messages[start:]


@pytest.mark.parametrize("name", CALLS)
async def test_captured_call(name: str) -> None:
    captured = Decoder().feed((CAPTURES / f"{name}.ami").read_bytes())
    async with logged_in() as (simulator, tap):
        seen = await play(tap, read_actions(name), captured)
        assert Counter(map(normalize, seen)) == Counter(map(normalize, captured))
        assert simulator.counters.live_channels == simulator.counters.live_calls == 0


async def test_both_orders_of_response_and_hangup_occur() -> None:
    async with logged_in() as (_, tap):
        for number in range(60):
            tap.originate(f"call-{number:04}", "PJSIP/9001@carrier")
        await tap.until(lambda: sum(m.name == "Hangup" for m in tap.messages) == 60)
        await tap.until(lambda: sum(m.name == "OriginateResponse" for m in tap.messages) == 60)
    orders: Counter[bool] = Counter()
    for number in range(60):
        names = [m.name for m in tap.messages if m.get("Uniqueid") == f"call-{number:04}"]
        orders[names.index("Hangup") < names.index("OriginateResponse")] += 1
    assert orders[False] > orders[True] > 0


async def test_hangup_of_a_second_leg_ends_the_dial() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9007@carrier", Application="Dial", Data="PJSIP/9002@any")
        begun = await tap.first(lambda m: m.name == "DialBegin" and m.get("Uniqueid") == "call-1")
        tap.send("Hangup", ActionID="h", Channel=begun.get("DestChannel"))
        hangup = await tap.event("Hangup", "call-1")
        assert hangup.get("Cause") == "0"
        assert simulator.counters.live_channels == 0


async def test_hangup_of_a_talking_second_leg() -> None:
    async with logged_in() as (_, tap):
        tap.originate("call-1", "PJSIP/9007@carrier", Application="Dial", Data="PJSIP/9007@any")
        await tap.event("BridgeEnter", "call-1")
        begun = await tap.first(lambda m: m.name == "DialBegin" and m.get("Uniqueid") == "call-1")
        tap.send("Hangup", ActionID="h", Channel=begun.get("DestUniqueid"))
        hangup = await tap.event("Hangup", "call-1")
        assert hangup.get("Cause") == "16"


@pytest.mark.parametrize("application", ["Echo", "MusicOnHold", "ConfBridge", "Queue"])
async def test_applications_that_last_until_the_far_end_clears(application: str) -> None:
    async with logged_in() as (_, tap):
        tap.originate("call-1", "PJSIP/9000@carrier", Application=application, Data="room")
        hangup = await tap.event("Hangup", "call-1")
        assert hangup.get("Cause") == "16"
        entered = any(m.name == "BridgeEnter" for m in tap.messages)
        assert entered is (application in ("ConfBridge", "Queue"))


async def test_the_recording_context_runs_its_application() -> None:
    async with logged_in() as (_, tap):
        tap.originate(
            "call-1", "PJSIP/9007@carrier", Application="", Data="", Context="dialer-recording",
            Exten="s", Priority="1",
            Variable="DIALER_RECORDING=x,DIALER_FORMAT=wav,DIALER_APPLICATION=Dial,"
            "DIALER_DATA=PJSIP/9008@carrier\\,5",
        )  # fmt: skip
        hangup = await tap.event("Hangup", "call-1")
        assert (hangup.get("Context"), hangup.get("Exten")) == ("dialer-application", "Dial")
        response = next(m for m in tap.messages if m.name == "OriginateResponse")
        assert (response.get("Context"), response.get("Exten")) == ("dialer-recording", "s")
        told = await tap.event("UserEvent", "call-1")
        assert (told.get("Privilege"), told.get("File")) == (
            "user,all",
            "/var/lab/recordings/x.wav",
        )
