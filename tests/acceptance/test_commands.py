"""A day of an operator: the commands beside a running `dialer run`, over a simulated Asterisk."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.sinks import CallbackSink
from tests.held_calls import HELD, answer, hang_up
from tests.lab.product import RunningDialer
from tests.patience import PATIENCE

SECOND = 25
"""Calls of one channel that take as long as what must happen within a second may, on a busy
machine: 1.5 s. A machine that stands still makes no calls, so they are the clock."""

CALLS = [f"1000{HELD}", *(f"1{n:04d}08" for n in range(1, 2 * SECOND))]
"""The first lasts until it is hung up: nothing else is dialed while a command runs."""

QUIET = 1.5
"""Seconds in which many calls would have been made."""


@dataclass
class Desk:
    dialer: RunningDialer
    simulator: Simulator
    sink: CallbackSink
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, command: str) -> str:
        return await self.dialer.command(*command.split())

    async def add_client(self, name: str, channels: int) -> str:
        """The key that `clients add` printed."""
        out = await self.do(
            f"clients add {name} --accountcode {name} --channels {channels} "
            f"--callback {self.sink.origin}"
        )
        found = re.search(r"dk_\S+", out)
        assert found is not None, out
        return found[0]

    async def load(self, key: str, numbers: list[str]) -> str:
        path = self.dialer.folder / f"calls-{len(numbers)}.csv"
        rows = [f"pbx1,PJSIP/{number}@carrier,Wait,3600" for number in numbers]
        head = "asterisk_server_code,Channel,Application,Data"
        path.write_text("\n".join([head, *rows]) + "\n")
        base = self.dialer.url.removesuffix("/calling/api")
        return await self.dialer.command("load", str(path), "--url", base, "--api-key", key)

    async def until_told(self, count: int, patience: float = PATIENCE) -> None:
        """Wait for `count` callbacks."""
        async with asyncio.timeout(patience):
            while len(self.sink.bodies) < count:
                self.told.clear()
                await self.told.wait()

    async def until_called(self) -> None:
        """Wait for the first call."""
        async with asyncio.timeout(PATIENCE):
            while not self.simulator.calls:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0)

    async def stops_within_a_second(self) -> None:
        """The held call ends, and no more are made than a second has room for."""
        assert len(self.simulator.calls) == 1
        hang_up(self.simulator, CALLS[0])
        seen = 0
        while seen < len(self.simulator.calls):
            seen = len(self.simulator.calls)
            with suppress(TimeoutError):
                await self.until_told(len(CALLS), patience=QUIET)
        assert seen <= 1 + SECOND < len(CALLS)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    simulator = Simulator(SimulatorConfig(scale=0.2, far_end=answer))
    await simulator.start()
    async with CallbackSink() as sink, RunningDialer(tmp_path) as dialer:
        desk = Desk(dialer, simulator, sink)
        sink.watch(desk.told.set)
        await desk.do(
            f"servers add pbx1 --host 127.0.0.1 --port {simulator.port} --username dialer "
            "--secret-env DIALER_LAB_SECRET --max-channels 20"
        )
        yield desk
    await simulator.stop()


async def test_from_nothing_to_a_loaded_file_that_was_called(desk: Desk) -> None:
    checked = await desk.do("servers check pbx1")
    assert "originate" in checked
    key = await desk.add_client("acme", 10)
    numbers = [f"1{n:04d}08" for n in range(30)]
    await desk.load(key, numbers)
    await desk.until_told(30)
    assert "0 calls inserted, 30 were there already" in await desk.load(key, numbers)
    assert len(desk.simulator.calls) == 30
    status = await desk.do("status")
    assert "30 processed" in status
    assert "up" in status


@pytest.mark.parametrize("what", ["--client acme", "--server pbx1"])
async def test_a_pause_stops_new_calls_within_a_second_and_a_resume_goes_on(
    desk: Desk, what: str
) -> None:
    key = await desk.add_client("acme", 1)
    await desk.load(key, CALLS)
    await desk.until_called()
    await desk.do(f"pause {what}")
    await desk.stops_within_a_second()
    await desk.do(f"resume {what}")
    await desk.until_told(len(CALLS))
    assert len(desk.simulator.calls) == len(CALLS)


async def test_a_suspended_client_is_held_and_not_lost(desk: Desk) -> None:
    key = await desk.add_client("acme", 1)
    await desk.load(key, CALLS)
    await desk.until_called()
    await desk.do("clients suspend acme")
    await desk.stops_within_a_second()
    async with desk.dialer.http(key) as http:
        assert (await http.get("/queues/getmasterqueues/")).status_code == 403
    await desk.do("clients suspend acme --undo")
    await desk.until_told(len(CALLS))
    assert len(desk.simulator.calls) == len(CALLS)


async def test_an_old_key_is_refused_and_its_calls_go_on_under_the_new_one(desk: Desk) -> None:
    key = await desk.add_client("acme", 1)
    await desk.load(key, [f"1{n:04d}08" for n in range(5)])
    await desk.until_told(1)
    await desk.do("clients rotate-key acme")
    async with desk.dialer.http(key) as http:
        assert (await http.get("/queues/getmasterqueues/")).status_code == 401
    await desk.until_told(5)
    assert desk.simulator.counters.originates == 5
