"""Answers to actions; their words are compared with a real Asterisk's in the conformance tests."""

import time

import pytest

from ami.simulator import AmiUser, SimulatorConfig
from tests.unit.ami.simulator.wiretap import logged_in, simulated


async def test_a_regex_hangs_up_nobody() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9002@carrier")
        await tap.event("Newchannel", "call-1")
        response = await tap.ask("Hangup", Channel="/^PJSIP/")
        assert (response.name, response.get("Message")) == ("Error", "No such channel")
        assert simulator.counters.live_calls == 1


@pytest.mark.parametrize(("cause", "told"), [("26", "26"), ("128", "0"), ("x", "0"), ("", "0")])
async def test_hangup_with_a_cause(cause: str, told: str) -> None:
    async with logged_in() as (_, tap):
        tap.originate("call-1", "PJSIP/9002@carrier")
        await tap.event("DialState", "call-1")
        tap.send("Hangup", ActionID="h", Channel="call-1", Cause=cause)
        assert (await tap.event("Hangup", "call-1")).get("Cause") == told


async def test_list_of_channels() -> None:
    async with logged_in() as (_, tap):
        for number in range(3):
            tap.originate(f"call-{number}", "PJSIP/9002@carrier")
        await tap.event("DialState", "call-2")
        tap.send("CoreShowChannels", ActionID="list")
        end = await tap.first(lambda m: m.name == "CoreShowChannelsComplete")
        listed = [m for m in tap.messages if m.name == "CoreShowChannel"]
        assert end.get("ListItems") == "3"
        assert {m.get("Uniqueid") for m in listed} == {"call-0", "call-1", "call-2"}
        assert {m.get("ActionID") for m in [*listed, end]} == {"list"}


async def test_status_tells_the_start() -> None:
    config = SimulatorConfig(clock=lambda: 1_000_000.0)
    async with logged_in(config) as (_, tap):
        status = await tap.ask("CoreStatus")
        started = time.strptime(
            f"{status.get('CoreStartupDate')} {status.get('CoreStartupTime')}", "%Y-%m-%d %H:%M:%S"
        )
        assert time.mktime(started) == 1_000_000.0


async def test_what_the_user_may_not() -> None:
    user = AmiUser("poor", write=frozenset())
    async with simulated(SimulatorConfig(users=(user,))) as (_, tap):
        await tap.login(user)
        for action in ("Originate", "Hangup", "CoreShowChannels", "CoreStatus", "Command"):
            response = await tap.ask(action)
            assert (response.name, response.get("Message")) == ("Error", "Permission denied")
        listed = await tap.ask("ListCommands")
        assert listed.get("Ping")
        assert not listed.get("Originate")


async def test_what_the_simulator_does_not_do_is_said() -> None:
    user = AmiUser("rich", write=frozenset({"system", "originate"}))
    async with simulated(SimulatorConfig(users=(user,))) as (_, tap):
        await tap.login(user)
        assert "simulator" in (await tap.ask("Reload")).get("Message")
        sync = await tap.ask("Originate", Channel="PJSIP/1@any", Application="Wait", Data="1")
        assert "asynchronous" in sync.get("Message")
