"""Recorded calls through the product on the real Asterisk: what the CDR says of the audio is what
lies in the lab's folder of recordings."""

import asyncio
import time
import wave
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from ami import Address, inspect_server
from dialer.app import Product
from dialer.policy import DEFAULT_POLICY, Policy
from dialer.settings import load_settings
from dialer.sinks import CallbackSink
from dialer.store.contract import Server
from tests.lab.raw_ami import RawAmi
from tests.lab.running_lab import SECRET, Lab
from tests.lab.table_calls import logged_in, unique
from tests.patience import PATIENCE

pytestmark = pytest.mark.lab

ON_THE_SERVER = "/var/lab/recordings"
SUPERUSER = "superuser-of-a-test"
BASE = "https://recordings.example/pbx2"
POLICY = Policy(
    applications=DEFAULT_POLICY.applications | {"LabTell"},
    recording_profiles=frozenset({"bridged", "nobodys"}),
)


@dataclass(slots=True)
class Site:
    """The product in this process, driving pbx2 for one client."""

    product: Product
    sink: CallbackSink
    folder: Path
    account: str
    key: str = ""
    batches: int = 0

    def http(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.product.http_port}/calling/api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def make_client(self) -> None:
        body = {
            "name": self.account,
            "accountcode": self.account,
            "username": self.account,
            "allocated_channels": 5,
            "callbackurl": self.sink.origin,
        }
        async with self.http(SUPERUSER) as http:
            self.key = (await http.post("/clients/", json=body)).json()["api_key"]
        await self.product.store.change_client(self.account, {"policy": POLICY}, time.time())
        self.product.signals.clients_changed()

    async def post(self, channel: str, action: dict[str, Any], **item: Any) -> httpx.Response:
        self.batches += 1
        dial = {"Action": "Originate", "Channel": channel, "Timeout": 5000}
        row = {"asterisk_server_code": "pbx2", "create_recording": True, "action": dial | action}
        async with self.http(self.key) as http:
            return await http.post(
                "/queues/insertdataincallqueue/",
                json={"batch_id": self.batches, "data": [row | item]},
            )

    async def call(self, channel: str, action: dict[str, Any], **item: Any) -> dict[str, Any]:
        """The callback of one recorded call."""
        told = set(self.sink.bodies)
        changed = asyncio.Event()
        self.sink.watch(changed.set)
        answer = await self.post(channel, action, **item)
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(PATIENCE):
            while self.sink.bodies.keys() == told:
                await changed.wait()
                changed.clear()
        (event,) = self.sink.bodies.keys() - told
        body: dict[str, Any] = self.sink.bodies[event]
        return body

    def find(self, body: dict[str, Any], name: str) -> Path:
        """The file of a recording, whose path and address must be those of `name` in the client's
        folder."""
        file = name.replace("CDR", body["cdr_id"])
        path = body["custom_data"]["recording_path"]
        assert path == f"{ON_THE_SERVER}/{self.account}/{file}"
        assert body["recording_url"] == f"{BASE}/{self.account}/{file}"
        return self.folder / self.account / file


@pytest.fixture
async def site(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("LAB_SECRET", SECRET)
    settings: dict[str, Any] = {
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/dialer.db",
        "http_port": 0,
        "superuser_api_key": SUPERUSER,
        "callback_allow_private": True,
    }
    product = Product(load_settings(env_file=None, **settings))
    await product.start()
    try:
        pbx = lab.pbx2
        server = Server(
            0, "pbx2", pbx.host, pbx.port, pbx.username, "LAB_SECRET", recording_url=f"{BASE}/"
        )
        await product.store.add_server(server, time.time())
        async with CallbackSink() as sink:
            made = Site(product, sink, lab.run_folder / "recordings", unique("rec"))
            await made.make_client()
            yield made
    finally:
        await product.stop(0.0)


def measure(path: Path) -> tuple[float, int]:
    """Seconds of audio in a wav, and its loudest sample."""
    with wave.open(str(path)) as audio:
        assert (audio.getnchannels(), audio.getsampwidth(), audio.getframerate()) == (1, 2, 8000)
        samples = array("h", audio.readframes(audio.getnframes()))
    return len(samples) / 8000, max(map(abs, samples), default=0)


async def test_a_call_with_sound(site: Site) -> None:
    """The carrier talks 2 s and is heard."""
    body = await site.call("PJSIP/*9000@carrier", {"Application": "Wait", "Data": "60"})
    assert (body["disposition"], body["custom_data"]["billsec"]) == ("answered", 2)
    seconds, loudest = measure(site.find(body, "CDR.wav"))
    assert seconds == pytest.approx(2.0, abs=0.5)
    assert loudest > 1000


async def test_a_silent_callee_who_is_played_to(site: Site) -> None:
    body = await site.call("PJSIP/9000@carrier", {"Application": "Playback", "Data": "beep&beep"})
    seconds, loudest = measure(site.find(body, "CDR.wav"))
    assert seconds == pytest.approx(0.9, abs=0.4)
    assert loudest > 1000


@pytest.mark.parametrize("number", ["9010", "9001"])
async def test_a_busy_call_has_no_recording(site: Site, number: str) -> None:
    """9010 sends early media first, which is no answer."""
    body = await site.call(f"PJSIP/{number}@carrier", {"Application": "Wait", "Data": "60"})
    assert (body["disposition"], body["recording_url"]) == ("busy", None)
    assert body["custom_data"]["recording_path"] is None
    assert not list(site.folder.rglob(f"*{body['cdr_id']}*"))


async def test_both_legs_are_on_it_from_the_bridge_on(site: Site) -> None:
    """Profile `bridged`: not the 0.2 s that the second leg rings."""
    action = {"Application": "Dial", "Data": "PJSIP/*9000@carrier,20"}
    body = await site.call("PJSIP/*9007@carrier", action, mix_monitor_command="bridged")
    assert body["custom_data"]["connected"] is True
    seconds, loudest = measure(site.find(body, "CDR.wav"))
    assert seconds == pytest.approx(2.0, abs=0.5)
    assert loudest > 1000


async def test_path_and_format(site: Site) -> None:
    """ulaw is a byte a sample, without a header."""
    body = await site.call(
        "PJSIP/*9000@carrier",
        {"Application": "Wait", "Data": "60"},
        recording_path="2026/june/",
        recording_format="ULAW",
    )
    assert site.find(body, "2026/june/CDR.ulaw").stat().st_size == pytest.approx(16000, abs=4000)


async def test_through_a_local_channel(site: Site) -> None:
    policy = Policy(local_contexts=frozenset({"lab-out"}))
    await site.product.store.change_client(site.account, {"policy": policy}, time.time())
    site.product.signals.clients_changed()
    body = await site.call("Local/*9000@lab-out", {"Application": "Wait", "Data": "60"})
    seconds, loudest = measure(site.find(body, "CDR.wav"))
    assert seconds == pytest.approx(2.0, abs=0.5)
    assert loudest > 1000


async def test_a_profile_that_the_dialplan_does_not_know_ends_the_call(site: Site) -> None:
    wait = {"Application": "Wait", "Data": "60"}
    body = await site.call("PJSIP/*9007@carrier", wait, mix_monitor_command="nobodys")
    assert (body["disposition"], body["custom_data"]["cause"]) == ("answered", 38)
    assert (body["recording_url"], body["duration"]) == (None, 0)


DATA = [
    "plain",
    'a,b "c, d"',
    "back\\slash \\, and 'quotes'",
    "(e,f) [g,h] i=1?j:k",
    '"',
    "é ü %41 #",
]


async def test_data_arrives_letter_for_letter(site: Site, lab: Lab) -> None:
    async with logged_in(lab.pbx2) as ami:
        for data in DATA:
            action = {"Application": "LabTell", "Data": data}
            body = await site.call("PJSIP/9000@carrier", action)
            assert await told_data(ami, body["channel_id"]) == data


async def told_data(ami: RawAmi, channel_id: str) -> str:
    told = await ami.first(lambda m: m["UserEvent"] == "LabTold" and m["Uniqueid"] == channel_id)
    return unquote(told["Data"])


@pytest.mark.parametrize(
    "variable", ["DIALER_RECORDING=/etc/x", "_DIALER_FORMAT=sh", "A=1,__DIALER_DATA=x"]
)
async def test_our_variables_are_ours(site: Site, variable: str) -> None:
    answer = await site.post("PJSIP/9000@carrier", {"Variable": variable})
    assert answer.status_code == 400
    assert "action.Variable" in answer.text


async def test_a_clients_variable_does_not_move_the_folder(site: Site) -> None:
    """RECORDINGS and the like are a client's to set, and mean nothing."""
    body = await site.call(
        "PJSIP/9008@carrier",
        {"Application": "Echo", "Variable": "RECORDINGS=/x,FILE_NAME=x,dialer_recording=/y"},
    )
    assert site.find(body, "CDR.wav").exists()


@pytest.mark.parametrize(
    ("context", "found"),
    [("dialer-recording", True), ("dialer-call-id", True), ("no-such", False)],
)
async def test_the_least_privileged_user_can_tell_whether_there_is_a_context(
    lab: Lab, context: str, found: bool
) -> None:
    pbx = lab.pbx1
    address = Address(pbx.host, pbx.port, pbx.username, pbx.secret)
    report = await inspect_server(address, contexts=(context,))
    assert (report.contexts, report.warnings) == ({context: found}, ())
