"""Faults: at which call and which event each is due, and what it does."""

import asyncio
import time
from collections.abc import Callable

import pytest

from ami.simulator import SimulatorConfig
from ami.simulator.faults import (
    Disorder,
    Ending,
    Fault,
    Flood,
    Interruption,
    Loss,
    Mishaps,
    Slowness,
    When,
)
from tests.patience import PATIENCE
from tests.unit.ami.simulator.wiretap import connect, logged_in


class Server:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.ended: list[tuple[Ending, float]] = []
        self.changed = asyncio.Event()

    def spread(self, name: str, data: bytes) -> None:
        self.heard.append((name, data))
        self.changed.set()

    def drop_links(self) -> None:
        raise AssertionError("an interruption does that")

    def now(self) -> float:
        return 1000.0

    async def interrupt(self, what: Ending, down: float) -> None:
        self.ended.append((what, down))
        self.changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not met():
                self.changed.clear()
                await self.changed.wait()


def configure(*faults: Fault) -> SimulatorConfig:
    return SimulatorConfig(scale=0.01, call_ids=False, login_delay=0.0, faults=faults)


def test_when() -> None:
    assert [n for n in range(1, 10) if When(at_call=3).is_due(n)] == [3]
    assert [n for n in range(1, 10) if When(every_calls=4).is_due(n)] == [4, 8]
    assert not any(When(at_second=3).is_due(n) for n in range(1, 10))


def test_without_faults_nothing_stands_between() -> None:
    server = Server()
    assert Mishaps((), 0, server).hear == server.spread


def test_every_third_hangup_is_lost() -> None:
    server = Server()
    mishaps = Mishaps([Loss("Hangup", 3)], 0, server)
    for number in range(6):
        mishaps.hear("Hangup", b"%d" % number)
        mishaps.hear("Newstate", b"s")
    assert [data for name, data in server.heard if name == "Hangup"] == [b"0", b"1", b"3", b"4"]
    assert len(server.heard) == 10
    assert mishaps.lost == 2


async def test_events_are_reordered_and_none_is_lost() -> None:
    server = Server()
    mishaps = Mishaps([Disorder(0.5, 0.002)], 1, server)
    sent = [("Newstate", b"%d" % number) for number in range(50)]
    for name, data in sent:
        mishaps.hear(name, data)
    await server.until(lambda: len(server.heard) == len(sent))
    assert server.heard != sent
    assert sorted(server.heard) == sorted(sent)


async def test_interruptions_by_calls_and_by_time() -> None:
    server = Server()
    faults = [
        Interruption(Ending.CUT, When(at_call=2), 0.5),
        Interruption(Ending.RESTART, When(at_second=0.0)),
    ]
    mishaps = Mishaps(faults, 0, server)
    mishaps.start()
    mishaps.start()
    await server.until(lambda: bool(server.ended))
    mishaps.call_began()
    mishaps.call_began()
    mishaps.call_began()
    await server.until(lambda: len(server.ended) == 2)
    assert server.ended == [(Ending.RESTART, 0.0), (Ending.CUT, 0.5)]


async def test_a_flood_is_of_calls_of_others() -> None:
    server = Server()
    mishaps = Mishaps([Flood(When(every_calls=1), 900)], 0, server)
    mishaps.call_began()
    await server.until(lambda: len(server.heard) >= 900)
    assert len(server.heard) == 900
    assert [name for name, _ in server.heard[:3]] == ["Newchannel", "Newstate", "Hangup"]
    assert server.heard[0][1].count(b"1000.9000001") == 2


async def test_slowness_passes() -> None:
    server = Server()
    mishaps = Mishaps([Slowness(When(at_call=1), 1.5, 1000.0)], 0, server)
    mishaps.call_began()
    async with asyncio.timeout(PATIENCE):
        while not mishaps.answer_delay:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
    assert mishaps.answer_delay == 1.5
    mishaps.stop()
    assert mishaps.answer_delay == 0.0


async def test_a_cut_link_leaves_the_calls() -> None:
    config = configure(Interruption(Ending.CUT, When(at_call=1)))
    async with logged_in(config) as (simulator, tap):
        tap.originate("held-0001", "PJSIP/5507@carrier")
        await tap.ended()
        assert simulator.counters.live_calls == 1
        again = await connect(simulator)
        await again.login()
        await again.event("Hangup", "held-0001")
        await again.close()


@pytest.mark.parametrize("what", [Ending.RESTART, Ending.SHUTDOWN])
async def test_an_end_of_everything_ends_the_calls(what: Ending) -> None:
    config = configure(Interruption(what, When(at_call=1)))
    async with logged_in(config) as (simulator, tap):
        tap.originate("gone-0001", "PJSIP/5507@carrier")
        await tap.ended()
        assert simulator.counters.live_calls == simulator.counters.live_channels == 0
        told = any(message.name == "Shutdown" for message in tap.messages)
        assert told == (what is Ending.SHUTDOWN)
        async with asyncio.timeout(PATIENCE):
            while not simulator.listening:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0)
        again = await connect(simulator)
        await again.login()
        await again.close()


async def test_slow_answers_come_in_their_order() -> None:
    config = configure(Slowness(When(at_second=0.0), 0.05, 1000.0))
    async with logged_in(config) as (_, tap):
        async with asyncio.timeout(PATIENCE):
            while True:  # until the first slow one
                begun = time.monotonic()
                await tap.ask("Ping")
                if time.monotonic() - begun >= 0.05:
                    break
        tap.send("Ping", ActionID="one")
        tap.send("NoSuchAction", ActionID="two")
        await tap.first(lambda m: m.action_id == "two")
        assert [m.action_id for m in tap.messages[-2:]] == ["one", "two"]
