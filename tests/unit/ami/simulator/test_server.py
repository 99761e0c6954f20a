"""The simulator as a whole, and what a test may do to it."""

import asyncio

import pytest

from ami.simulator import Simulator, SimulatorConfig
from tests.patience import PATIENCE
from tests.unit.ami.simulator.wiretap import FAST, connect, logged_in


async def test_dropped_links_leave_the_calls_alive() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9002@carrier")
        await tap.event("DialState", "call-1")
        simulator.drop_links()
        await tap.ended()
        again = await connect(simulator)
        await again.login()
        await again.ask("Hangup", Channel="call-1")
        assert (await again.event("Hangup", "call-1")).get("Cause") == "0"
        await again.close()


async def test_one_call_can_be_hung_up() -> None:
    async with logged_in() as (simulator, tap):
        for name in ("call-1", "other-1"):
            tap.originate(name, "PJSIP/9002@carrier")
            await tap.event("DialState", name)
        assert simulator.hang_up("call-1")
        assert (await tap.event("Hangup", "call-1")).get("Cause") == "0"
        assert simulator.counters.live_calls == 1
        assert not simulator.hang_up("call-1")


async def test_graceful_shutdown_refuses_every_action() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9008@carrier")
        await tap.event("Newchannel", "call-1")
        simulator.begin_shutdown()
        assert (await tap.ask("Ping")).get("Message") == "Asterisk is shutting down"
        await tap.event("Hangup", "call-1")


async def test_shutdown_ends_calls_and_connections() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("ringing-1", "PJSIP/9002@carrier")
        tap.originate("talking-1", "PJSIP/9007@carrier", Application="Dial", Data="PJSIP/9007@any")
        await tap.event("BridgeEnter", "talking-1")
        await simulator.shutdown(restart=True)
        await tap.ended()
        shutdown = tap.messages[-1]
        assert (shutdown.name, shutdown.get("Restart")) == ("Shutdown", "True")
        hung_up = {m.get("Uniqueid") for m in tap.messages if m.name == "Hangup"}
        assert {"ringing-1", "talking-1"} < hung_up
        failed = next(
            m
            for m in tap.messages
            if m.get("ActionID") == "ringing-1-action" and m.name == "OriginateResponse"
        )
        assert (failed.get("Response"), failed.get("Reason")) == ("Failure", "0")
        with pytest.raises(ConnectionRefusedError):
            await connect(simulator)
        await simulator.restart()
        again = await connect(simulator)
        await again.login()
        await again.close()


async def test_restart_forgets_the_calls_without_a_word() -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9007@carrier", Application="Dial", Data="PJSIP/9002@any")
        await tap.first(lambda m: m.name == "DialState" and m.get("Uniqueid") == "call-1")
        port = simulator.port
        await simulator.restart()
        await tap.ended()
        assert simulator.port == port
        assert not [m for m in tap.messages if m.name == "Hangup"]
        assert simulator.counters.live_channels == simulator.counters.live_calls == 0
        again = await connect(simulator)
        await again.login()
        assert (await again.ask("CoreStatus")).get("CoreCurrentCalls") == "0"
        await again.close()


async def test_counters() -> None:
    async with logged_in() as (simulator, tap):
        for channel_id in ("call-1", "call-1", "CALL"):
            tap.originate(channel_id, "PJSIP/9008@carrier")
        tap.originate("nowhere", "PJSIP/9000@nowhere")
        await tap.event("Hangup", "call-1")
        await tap.event("OriginateResponse", "nowhere")
        counters = simulator.counters
        assert (counters.originates, counters.answered, counters.ids_refused) == (4, 1, 2)
        assert (counters.most_calls, counters.most_channels, counters.live_calls) == (1, 1, 0)
        assert (counters.sessions, counters.events > 8) == (1, True)


async def test_a_thousand_calls_at_once() -> None:
    async with logged_in(SimulatorConfig(scale=0.0)) as (simulator, tap):
        for number in range(1000):
            tap.originate(f"call-{number:04}", f"PJSIP/90{number % 2:02}@carrier")
        await tap.until(lambda: sum(m.name == "OriginateResponse" for m in tap.messages) == 1000)
        await tap.until(lambda: sum(m.name == "Hangup" for m in tap.messages) == 1000)
        assert simulator.counters.answered == 500


async def test_stop_is_quick_and_complete() -> None:
    simulator = Simulator(FAST)
    await simulator.start()
    tap = await connect(simulator)
    await tap.login()
    await asyncio.wait_for(simulator.stop(), PATIENCE)
    assert simulator.counters.sessions == 0
    await tap.close()


async def test_a_slow_reader_does_not_hold_up_a_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami.simulator.server._FAREWELL", 0.01)
    async with logged_in() as (simulator, tap):
        tap.send_raw(b"Action: CoreSettings\r\n\r\n" * 100_000)
        await asyncio.wait_for(simulator.shutdown(), PATIENCE)
        assert simulator.counters.sessions == 0
