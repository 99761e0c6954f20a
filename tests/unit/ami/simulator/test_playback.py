"""Recorded calls played: which course an Originate gets, and whose ids its events carry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ami.simulator import Course, Courses, Simulator, SimulatorConfig, Step
from tests.unit.ami.simulator.wiretap import Tap, connect

NOW = 1_800_000_000.0
HEADERS = (
    ("Event", "Newchannel"),
    ("Privilege", "call,all"),
    ("Timestamp", "1000.5"),
    ("Channel", "PJSIP/carrier-0000abcd"),
    ("ChannelState", "0"),
    ("CallerIDName", "Zoë"),
    ("Uniqueid", "old-1"),
    ("Linkedid", "old-1"),
)


def change(*changes: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    changed = dict(changes)
    kept = tuple((name, changed.pop(name, value)) for name, value in HEADERS)
    return kept + tuple(changed.items())


SECOND = (
    *(("Event", "BridgeEnter"), ("Channel", "PJSIP/carrier-0000abce"), ("Uniqueid", "77.1")),
    *(("Linkedid", "old-1"), ("BridgeUniqueid", "b-1")),
)
RESPONSE = (
    *(("Event", "OriginateResponse"), ("ActionID", "old-action"), ("Response", "Success")),
    *(("Channel", "PJSIP/carrier-0000abcd"), ("Reason", "4"), ("Uniqueid", "old-1")),
)
TALK = Course(
    "old-1",
    "5501",
    (
        Step(0.0, 0.25, HEADERS),
        Step(0.5, 0.75, change(("Event", "Newstate"), ("ChannelState", "6"))),
        Step(0.5, 0.75, SECOND),
        Step(0.5, 0.75, RESPONSE),
        Step(40.0, 40.25, change(("Event", "Hangup"), ("Cause", "16"))),
    ),
)
REFUSED = Course("old-2", "5502", (), "Extension does not exist.")


@asynccontextmanager
async def playing(*courses: Course, speed: float = 1000.0) -> AsyncIterator[tuple[Simulator, Tap]]:
    config = SimulatorConfig(clock=lambda: NOW)
    simulator = Simulator(config, Courses(courses), speed)
    await simulator.start()
    tap = await connect(simulator)
    await tap.login()
    try:
        yield simulator, tap
    finally:
        await tap.close()
        await simulator.stop()


def test_by_number_else_the_next_else_from_the_beginning() -> None:
    first, second, third = (Course(str(n), number, ()) for n, number in enumerate("AAB"))
    courses = Courses([first, second, third])
    taken = [courses.take(number).channel_id for number in ("B", "A", "nobody", "B", "A", "A")]
    assert taken == ["2", "0", "1", "2", "0", "1"]
    assert len(courses) == 3


def test_nothing_to_play() -> None:
    with pytest.raises(ValueError, match="no course"):
        Courses([])


async def test_ids_are_the_live_calls_and_times_are_now() -> None:
    async with playing(TALK) as (simulator, tap):
        tap.originate("new-0001", "PJSIP/5501@carrier")
        hangup = await tap.event("Hangup", "new-0001")
        created = await tap.event("Newchannel", "new-0001")
        answer = await tap.first(lambda m: m.name == "OriginateResponse")
        bridge = await tap.first(lambda m: m.name == "BridgeEnter")
        assert simulator.counters.live_channels == 0
    assert created.get("Linkedid") == "new-0001"
    assert created.get("CallerIDName") == "Zoë"
    assert float(created.get("Timestamp")) == NOW + 0.25
    assert float(hangup.get("Timestamp")) == NOW + 40.25
    assert answer.action_id == "new-0001-action"
    assert answer.all("ActionID") == ("new-0001-action",)
    assert answer.get("Channel") == created.get("Channel") == hangup.get("Channel")
    assert created.get("Channel").startswith("PJSIP/carrier-0000000")
    assert bridge.get("Uniqueid") not in ("77.1", "new-0001")
    assert bridge.get("BridgeUniqueid") not in ("b-1", "")
    assert bridge.get("Linkedid") == "new-0001"


async def test_two_calls_at_once_are_kept_apart() -> None:
    async with playing(TALK) as (_, tap):
        for name in ("one-0001", "two-0001"):
            tap.originate(name, "PJSIP/5501@carrier")
        for name in ("one-0001", "two-0001"):
            await tap.event("Hangup", name)
        bridges = [m for m in tap.messages if m.name == "BridgeEnter"]
    for header in ("Uniqueid", "BridgeUniqueid", "Channel", "Linkedid"):
        assert len({bridge.get(header) for bridge in bridges}) == 2


async def test_a_refusal_is_repeated() -> None:
    async with playing(REFUSED) as (simulator, tap):
        headers = {"Channel": "PJSIP/5502@x", "Application": "Wait", "Async": "true"}
        answer = await tap.ask("Originate", **headers)
        assert (answer.name, answer.get("Message")) == ("Error", "Extension does not exist.")
        answer = await tap.ask("Originate", Channel="5502", Async="true")
        assert answer.get("Message") == "Invalid channel"
        assert simulator.counters.originates == 0


async def test_a_probe_of_a_technology_that_is_none_is_no_call() -> None:
    async with playing(TALK) as (_, tap):
        tap.originate("probe-0001", "DialerProbe/none")
        answer = await tap.first(lambda m: m.name == "OriginateResponse")
        assert (answer.get("Response"), answer.get("Uniqueid")) == ("Failure", "probe-0001")
        assert "Newchannel" not in [m.name for m in tap.messages]


async def test_an_id_in_use_is_refused() -> None:
    async with playing(TALK, speed=1.0) as (simulator, tap):
        tap.originate("same-0001", "PJSIP/5501@carrier")
        await tap.event("Newchannel", "same-0001")
        tap.originate("same-000", "PJSIP/5501@carrier")
        answer = await tap.first(lambda m: m.name == "OriginateResponse")
        assert (answer.get("Response"), answer.get("Reason")) == ("Failure", "0")
        assert simulator.counters.ids_refused == 1


async def test_our_hangup_ends_it_early() -> None:
    async with playing(TALK, speed=1.0) as (simulator, tap):
        tap.originate("ends-0001", "PJSIP/5501@carrier")
        await tap.event("Newchannel", "ends-0001")
        listed = await tap.ask("CoreShowChannels")
        assert listed.name == "Success"
        await tap.event("CoreShowChannel", "ends-0001")
        tap.send("Hangup", ActionID="h", Channel="ends-0001", Cause="16")
        hangup = await tap.event("Hangup", "ends-0001")
        answer = await tap.first(lambda m: m.name == "OriginateResponse")
        assert (hangup.get("Cause"), answer.get("Response")) == ("16", "Failure")
        assert simulator.counters.live_calls == simulator.counters.live_channels == 0


async def test_our_hangup_while_it_rings_ends_the_dial_too() -> None:
    dialed = (("Event", "DialBegin"), ("DestUniqueid", "old-1"), ("DestLinkedid", "old-1"))
    ringing = Course("old-1", "5501", (*TALK.steps[:1], Step(0.0, 0.25, dialed), *TALK.steps[-1:]))
    async with playing(ringing, speed=1.0) as (_, tap):
        tap.originate("ring-0001", "PJSIP/5501@carrier")
        await tap.first(lambda m: m.name == "DialBegin")
        tap.send("Hangup", ActionID="h", Channel="ring-0001")
        await tap.event("Hangup", "ring-0001")
        (end,) = [m for m in tap.messages if m.name == "DialEnd"]
        told = (end.get("DestUniqueid"), end.get("DialStatus"), end.get("Uniqueid"))
        assert told == ("ring-0001", "NOANSWER", "")


async def test_a_shutdown_ends_what_is_played() -> None:
    async with playing(TALK, speed=1.0) as (simulator, tap):
        tap.originate("stop-0001", "PJSIP/5501@carrier")
        await tap.event("Newchannel", "stop-0001")
        await simulator.shutdown()
        await tap.ended()
        assert [m.name for m in tap.messages][-3:] == ["Hangup", "OriginateResponse", "Shutdown"]


async def test_a_channel_whose_hangup_was_not_recorded_is_not_there_for_ever() -> None:
    course = Course("old-1", "5501", TALK.steps[:2])
    async with playing(course) as (simulator, tap):
        tap.originate("lost-0001", "PJSIP/5501@carrier")
        await tap.event("Newstate", "lost-0001")
        assert simulator.counters.live_channels == 0
