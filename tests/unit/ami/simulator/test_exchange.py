"""The exchange: capacity, ids, the carrier's log."""

from ami.simulator import SimulatorConfig
from ami.simulator.channels import Channel
from ami.simulator.exchange import Exchange
from ami.simulator.requests import Target
from tests.unit.ami.simulator.wiretap import logged_in


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def exchange(config: SimulatorConfig | None = None) -> tuple[Exchange, list[bytes]]:
    heard: list[bytes] = []
    return Exchange(config or SimulatorConfig(), lambda _, data: heard.append(data)), heard


def test_names_and_ids_count_up() -> None:
    pbx, _ = exchange(SimulatorConfig(clock=Clock()))
    first = pbx.new_channel(Target("PJSIP", "1", "carrier"), "")
    second = pbx.new_channel(Target("PJSIP", "1", "dead"), first.uniqueid, "given")
    assert (first.name, first.uniqueid) == ("PJSIP/carrier-00000000", "1000000.1")
    assert first.linkedid == first.uniqueid
    assert (second.name, second.uniqueid, second.linkedid) == (
        "PJSIP/dead-00000001",
        "given",
        "1000000.1",
    )


def test_a_channel_hangs_up_once() -> None:
    pbx, heard = exchange()
    channel = pbx.new_channel(Target("PJSIP", "1", "carrier"), "")
    pbx.hang(channel, 17, 486)
    pbx.hang(channel, 16)
    told, hangup = heard
    assert b"Cause-txt: User busy\r\nTechCause: 486\r\n" in hangup
    assert told.endswith(f"CallId: {channel.sip_call_id}\r\n\r\n".encode())


def test_a_channel_that_is_not_pjsips_tells_no_call_id() -> None:
    pbx, heard = exchange()
    pbx.hang(pbx.new_channel(Target("SIP", "1", "carrier"), ""), 16)
    assert len(heard) == 1


async def test_the_call_id_is_the_one_that_the_carrier_saw() -> None:
    async with logged_in(SimulatorConfig(scale=0.01)) as (simulator, tap):
        tap.originate("call-1", "PJSIP/9001@carrier")
        told = await tap.event("UserEvent", "call-1")
        (call,) = simulator.calls
        assert told.get("CallId") == call.sip_call_id != ""
        assert (told.get("Context"), told.get("UserEvent")) == ("dialer-call-id", "DialerCallId")
        hangup = await tap.event("Hangup", "call-1")
        assert hangup.get("Context") == "nothing-comes-in"


def test_hangup_of_a_channel_that_is_not_there() -> None:
    pbx, heard = exchange()
    assert not pbx.hang_up("nobody", None)
    pbx.channels.add(Channel("PJSIP/x", "stray", "stray", 1.0))
    assert pbx.hang_up("stray", None)
    assert heard == []


def test_bridges_and_chances_repeat_with_the_seed() -> None:
    one, other = exchange()[0], exchange()[0]
    assert [one.new_bridge(), one.chance(0.5)] == [other.new_bridge(), other.chance(0.5)]


async def test_the_carriers_log_tells_what_it_did() -> None:
    async with logged_in() as (simulator, tap):
        for number in ("9001", "9008"):
            tap.originate(f"call-{number}", f"PJSIP/{number}@carrier")
        tap.originate("call-dial", "PJSIP/9007@any", Application="Dial", Data="PJSIP/9002@any,1")
        for number in ("9001", "9008", "dial"):
            await tap.event("Hangup", f"call-{number}")
        log = {(line.channel_id, line.number): line.did for line in simulator.calls}
        assert log == {
            ("call-9001", "9001"): "busy",
            ("call-9008", "9008"): "answer",
            ("call-dial", "9007"): "answer",
            ("call-dial", "9002"): "ring",
        }
        for line in simulator.calls:
            assert line.ended_at is not None
            assert line.arrived_at <= (line.answered_at or line.arrived_at) <= line.ended_at


async def test_the_log_is_bounded() -> None:
    async with logged_in(SimulatorConfig(scale=0.01, log_size=2)) as (simulator, tap):
        for number in range(4):
            tap.originate(f"call-{number}", "PJSIP/9001@carrier")
        await tap.until(lambda: sum(m.name == "Hangup" for m in tap.messages) == 4)
        assert [line.channel_id for line in simulator.calls] == ["call-2", "call-3"]


async def test_calls_above_the_carriers_capacity_meet_congestion() -> None:
    async with logged_in(SimulatorConfig(scale=0.01, max_calls=2)) as (simulator, tap):
        for number in range(3):
            tap.originate(f"call-{number}", "PJSIP/9007@carrier")
        hangup = await tap.event("Hangup", "call-2")
        assert (hangup.get("Cause"), hangup.get("TechCause")) == ("34", "503")
        assert simulator.counters.most_calls == 3


async def test_calls_above_the_carriers_rate_meet_congestion() -> None:
    clock = Clock()
    async with logged_in(SimulatorConfig(scale=0.01, max_cps=2, clock=clock)) as (_, tap):
        for number in range(3):
            tap.originate(f"call-{number}", "PJSIP/9008@carrier")
        assert (await tap.event("Hangup", "call-2")).get("Cause") == "34"
        clock.now += 1.0
        tap.originate("call-3", "PJSIP/9008@carrier")
        assert (await tap.event("Hangup", "call-3")).get("Cause") == "16"
        assert (await tap.event("Hangup", "call-0")).get("Cause") == "16"
