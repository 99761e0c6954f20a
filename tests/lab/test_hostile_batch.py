"""The hostile batch against `dialer run` and the real Asterisk: refused by item and field, not a
byte of it on the wire, no call at the carrier, and no program was run."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dialer.policy import DEFAULT_POLICY
from dialer.sinks import CallbackSink
from dialer.store import open_store
from tests.ami_tap import AmiTap, read_quiet
from tests.hostile_calls import (
    ATTACKS,
    MARKER,
    NUMBER,
    QUICK_ATTACKS,
    TRUNK,
    harmless_item,
)
from tests.lab.carrier_log import read_calls
from tests.lab.product import RunningDialer
from tests.lab.running_lab import Lab, Server
from tests.patience import PATIENCE

pytestmark = pytest.mark.lab

SERVER = "tapped"
HARMLESS = "70010008"


@dataclass
class Target:
    dialer: RunningDialer
    tap: AmiTap
    sink: CallbackSink
    key: str
    pbx: Server
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_told(self) -> dict[str, Any]:
        """The first callback."""
        self.sink.watch(self.changed.set)
        async with asyncio.timeout(PATIENCE):
            while not self.sink.bodies:
                self.changed.clear()
                await self.changed.wait()
        return next(iter(self.sink.bodies.values()))

    async def until_logged_in(self) -> None:
        self.tap.watch(self.changed.set)
        async with asyncio.timeout(PATIENCE):
            while b"Action: CoreStatus" not in self.tap.sent:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def target(lab: Lab, tmp_path: Path) -> AsyncIterator[Target]:
    pbx = lab.pbx1
    async with AmiTap(pbx.port) as tap, CallbackSink() as sink, RunningDialer(tmp_path) as dialer:
        await dialer.command(
            *("servers", "add", SERVER, "--host", pbx.host, "--port", str(tap.port)),
            *("--username", pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
        )
        out = await dialer.command(
            *("clients", "add", "hostile", "--accountcode", "hostile", "--channels", "5"),
            *("--callback", sink.origin),
        )
        key = next(word for word in out.split() if word.startswith("dk_"))
        store = open_store(dialer.environment["DIALER_DATABASE_URL"])
        await store.open()
        policy = replace(DEFAULT_POLICY, endpoints=frozenset({TRUNK}))
        await store.change_client("hostile", {"policy": policy}, time.time())
        await store.close()
        made = Target(dialer, tap, sink, key, pbx)
        await made.until_logged_in()
        yield made


async def test_nothing_of_a_hostile_batch_reaches_asterisk(lab: Lab, target: Target) -> None:
    since = time.time()
    marker = lab.run_folder / "recordings" / Path(MARKER).name
    assert marker.parent.is_dir()
    assert not marker.exists()
    insert = "/queues/insertdataincallqueue/"
    async with target.dialer.http(target.key) as http:
        answer = await http.post(
            insert, json={"batch_id": 1, "data": [attack.item(SERVER) for attack in ATTACKS]}
        )
        assert answer.status_code == 400
        named = [(error["index"], error["field"]) for error in answer.json()["errors"]]
        assert named == [(index, attack.field) for index, attack in enumerate(ATTACKS)]
        for attack in QUICK_ATTACKS:
            answer = await http.post("/queues/insertquickcall/", json=attack.call(SERVER))
            named = [(error["index"], error["field"]) for error in answer.json()["errors"]]
            assert (answer.status_code, named) == (400, [(None, attack.field)]), attack
        quiet = target.tap.sent
        answer = await http.post(
            insert, json={"batch_id": 2, "data": [harmless_item(SERVER, HARMLESS)]}
        )
        assert answer.status_code == 200, answer.text
    told = await target.until_told()
    assert (told["phone_number"], told["disposition"]) == (HARMLESS, "answered")
    secret = target.pbx.secret
    assert "Login" in read_quiet(quiet, target.pbx.username, secret)
    written = target.tap.sent
    before = written.partition(b"Action: Originate\r\n")[0]
    read_quiet(before, target.pbx.username, secret)
    assert written.count(b"Action: Originate\r\n") == 1
    assert f"Channel: PJSIP/{HARMLESS}@{TRUNK}\r\n".encode() in written
    calls = [call.number for call in read_calls(lab.carrier_log, since)]
    assert HARMLESS in calls
    assert [number for number in calls if number.startswith((NUMBER, "666"))] == []
    assert not marker.exists()
