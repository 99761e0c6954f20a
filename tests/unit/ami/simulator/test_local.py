"""Local channels; their events are compared with captures in test_dialogue."""

import pytest

from ami.simulator import SimulatorConfig
from tests.unit.ami.simulator.wiretap import logged_in


async def test_hangup_while_it_rings() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "Local/9002@lab-out/n")
        await tap.event("DialState", "call-1")
        tap.send("Hangup", ActionID="h", Channel="call-1")
        await tap.until(lambda: sum(m.name == "Hangup" for m in tap.messages) == 3)
        hangups = {m.get("Uniqueid"): m for m in tap.messages if m.name == "Hangup"}
        assert hangups["call-1"].get("Cause") == "0"
        assert hangups["call-1;2"].get("Cause") == "0"
        assert simulator.counters.live_channels == 0


async def test_hangup_while_it_talks() -> None:
    async with logged_in() as (_, tap):
        tap.originate("call-1", "Local/9007@lab-out/n")
        await tap.event("OriginateResponse", "call-1")
        tap.send("Hangup", ActionID="h", Channel="Local/9007@lab-out-00000000;1")
        await tap.until(lambda: sum(m.name == "Hangup" for m in tap.messages) == 3)
        causes = {m.get("Uniqueid"): m.get("Cause") for m in tap.messages if m.name == "Hangup"}
        assert causes.pop("call-1") == "0"
        assert set(causes.values()) == {"16"}


async def test_a_context_whose_endpoint_cannot_be_reached() -> None:
    config = SimulatorConfig(local_contexts={"out": "nocontact"}, scale=0.01)
    async with logged_in(config) as (simulator, tap):
        tap.originate("call-1", "Local/9000@out/n")
        hangup = await tap.event("Hangup", "call-1")
        assert hangup.get("Cause") == "3"
        assert simulator.counters.live_channels == 0


@pytest.mark.parametrize("number", ["9001", "9008"])
async def test_without_a_channel_id_both_halves_get_one(number: str) -> None:
    async with logged_in() as (_, tap):
        tap.originate("", f"Local/{number}@lab-out/n")
        first = await tap.first(
            lambda m: m.name == "Newchannel" and m.get("Channel").endswith(";1")
        )
        hangup = await tap.event("Hangup", first.get("Uniqueid"))
        assert hangup.get("Linkedid") == first.get("Uniqueid")
