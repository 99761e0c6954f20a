"""What operators allow a client, on the command line beside a running `dialer run`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.sinks import CallbackSink
from tests.held_calls import HELD, answer, hang_up
from tests.lab.product import RunningDialer
from tests.patience import PATIENCE

SECOND = 15
"""Calls, at ten a second, that take as long as what must happen within a second may, on a busy
machine. A machine that stands still makes no calls, so they are the clock."""

NUMBERS = [f"98000{HELD}", *(f"{first}{n:03d}08" for n in range(1, 31) for first in (98, 99))]
"""The first call lasts until it is hung up: nothing else is dialed while a command runs."""


@dataclass
class Office:
    """One client, "acme", with one channel, and the command line beside it."""

    dialer: RunningDialer
    simulator: Simulator
    sink: CallbackSink
    key: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def allow(self, *changes: str) -> None:
        words = [word for change in changes for word in ("--policy", change)]
        await self.dialer.command("clients", "set", "acme", *words)

    async def post(self, batch_id: int, channels: list[str], **action: Any) -> httpx.Response:
        items = [
            {
                "asterisk_server_code": "pbx1",
                "action": {
                    "Action": "Originate",
                    "Channel": channel,
                    "Application": "Wait",
                    "Data": "3600",
                    **action,
                },
            }
            for channel in channels
        ]
        async with self.dialer.http(self.key) as http:
            return await http.post(
                "/queues/insertdataincallqueue/", json={"batch_id": batch_id, "data": items}
            )

    async def until_told(self, count: int) -> None:
        """Wait for `count` callbacks."""
        async with asyncio.timeout(PATIENCE):
            while len(self.sink.bodies) < count:
                self.told.clear()
                await self.told.wait()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    simulator = Simulator(SimulatorConfig(scale=0.2, far_end=answer))
    await simulator.start()
    async with CallbackSink() as sink, RunningDialer(tmp_path, {"SUDO_USER": "ann"}) as dialer:
        office = Office(dialer, simulator, sink)
        sink.watch(office.told.set)
        server = f"servers add pbx1 --host 127.0.0.1 --port {simulator.port} --username dialer"
        await dialer.command(*server.split(), "--secret-env", "DIALER_LAB_SECRET")
        client = f"clients add acme --accountcode acme --channels 1 --callback {sink.origin}"
        found = re.search(r"dk_\S+", await dialer.command(*client.split()))
        assert found is not None
        office.key = found[0]
        yield office
    await simulator.stop()


async def test_a_narrowed_policy_ends_what_waits_within_a_second(office: Office) -> None:
    loaded = await office.post(1, [f"PJSIP/{number}@carrier" for number in NUMBERS])
    assert loaded.status_code == 200, loaded.text
    async with asyncio.timeout(PATIENCE):
        while not office.simulator.calls:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0)
    await office.allow("prefixes=98")
    hang_up(office.simulator, NUMBERS[0])
    await office.until_told(len(NUMBERS))
    late = list(office.simulator.calls)[1 + SECOND :]
    assert late
    assert {call.number[:2] for call in late} == {"98"}
    refused = [
        body
        for body in office.sink.bodies.values()
        if "rejected by policy" in (body["error_message"] or "")
    ]
    assert refused
    assert {body["disposition"] for body in refused} == {"failed"}
    assert {body["final"] for body in refused} == {True}
    assert len(office.simulator.calls) + len(refused) == len(NUMBERS)


async def test_ingest_follows_the_command_line(office: Office) -> None:
    other = await office.post(1, ["PJSIP/10008@carrier", "PJSIP/10008@other"])
    assert other.status_code == 200, other.text
    await office.allow("endpoints=carrier", "caller_ids=100", "applications-=Queue")
    wrong = await office.post(2, ["PJSIP/10008@carrier", "PJSIP/10008@other"], CallerID="A <200>")
    assert wrong.status_code == 400
    places = [(error["index"], error["field"]) for error in wrong.json()["errors"]]
    assert places == [(0, "action.CallerID"), (1, "action.Channel"), (1, "action.CallerID")]
    await office.allow("endpoints+=other", "caller_ids=*")
    again = await office.post(3, ["PJSIP/10008@carrier", "PJSIP/10008@other"], CallerID="A <200>")
    assert again.status_code == 200, again.text


async def test_operators_see_the_policy_and_who_set_it(office: Office) -> None:
    await office.allow("prefixes=98,+98", "dial_options+=g")
    shown = await office.dialer.command("clients", "policy", "acme")
    assert "+98,98" in shown
    entry = json.loads(
        (await office.dialer.command("audit", "--limit", "1", "--format", "json")).splitlines()[0]
    )
    assert (entry["actor"], entry["action"], entry["subject"]) == (
        "operator ann",
        "client.change",
        "acme",
    )
    assert entry["details"]["policy"][1]["prefixes"] == ["+98", "98"]
