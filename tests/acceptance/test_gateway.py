"""The gateway as its document's reader uses it: curl against `dialer run`, an SGAPI behind it that
comes and goes, a second dialer in front of it."""

import asyncio
import json
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from dialer.sinks import SgapiSink
from tests.acceptance.plant import Plant
from tests.lab.product import RunningDialer
from tests.patience import PATIENCE

CREATE: Final = """curl -X PUT "https://api.example.com/cdrtosgapi" \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer YOUR_API_TOKEN" \\
  -d '{
    "uuid": "550e8400-e29b-41d4-a716-446655440000",
    "caller_id": "+15551234567",
    "called_number": "+15559876543",
    "start_time": "2024-01-15T10:30:00Z",
    "end_time": "2024-01-15T10:35:30Z",
    "duration": 330,
    "disposition": "ANSWERED",
    "direction": "inbound",
    "queue_id": "sales_queue_01",
    "agent_id": "agent_1234",
    "recording_url": "https://recordings.example.com/calls/550e8400.mp3",
    "custom_data": {
      "campaign_id": "camp_2024_01",
      "lead_source": "web_form"
    }
  }'
"""
ASK: Final = """curl -X GET \\
  "https://api.example.com/cdrtosgapi/550e8400-e29b-41d4-a716-446655440000" \\
  -H "Authorization: Bearer YOUR_API_TOKEN"
"""
UUID: Final = "550e8400-e29b-41d4-a716-446655440000"
CDR: Final[dict[str, Any]] = json.loads(CREATE.partition("-d '")[2].rpartition("'")[0])
CREATED_KEYS: Final = ["task_id", "uuid", "cdr_id", "state", "created_at", "message"]
TASK_KEYS: Final = [
    *("uuid", "task_id", "cdr_id", "state", "caller_id", "called_number", "disposition"),
    *("duration", "sgapi_status", "sgapi_reference", "created_at", "updated_at", "completed_at"),
]
FAILURE_KEYS: Final = ["error_message", "retry_count"]
SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Reader:
    """Somebody who follows the document."""

    dialer: RunningDialer
    key: str = ""

    async def run(self, command: str) -> dict[str, Any]:
        """The answer to a command of the document; an error's too."""
        real = (
            command.replace("https://api.example.com", self.origin)
            .replace("YOUR_API_TOKEN", self.key)
            .replace("curl ", "curl --silent --show-error ", 1)
        )
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", real, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"{out.decode()} {err.decode()}"
        answer: dict[str, Any] = json.loads(out)
        return answer

    @property
    def origin(self) -> str:
        return self.dialer.url.removesuffix("/calling/api")

    async def add_client(self) -> None:
        out = await self.dialer.command(
            *("clients", "add", "acme", "--accountcode", "acme", "--channels", "1")
        )
        found = re.search(r"dk_\S+", out)
        assert found is not None, out
        self.key = found[0]

    async def put(self, changes: dict[str, Any], path: str = "/cdrtosgapi") -> dict[str, Any]:
        async with self.dialer.http(self.key) as http:
            answer = await http.put(self.origin + path, json=CDR | changes)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def until(
        self, met: Callable[[dict[str, Any]], bool], uuid: str = UUID
    ) -> dict[str, Any]:
        """The task, asked for until it is as wanted."""
        async with asyncio.timeout(PATIENCE), self.dialer.http(self.key) as http:
            while True:
                answer = await http.get(f"{self.origin}/cdrtosgapi/{uuid}")
                data: dict[str, Any] = answer.json()["data"]
                if met(data):
                    return data


UNHURRIED: Final = {"DIALER_GATEWAY_PER_MINUTE": "100000", "DIALER_GATEWAY_PER_SECOND": "10000"}


@pytest.fixture
async def sgapi() -> AsyncIterator[SgapiSink]:
    assert shutil.which("curl"), "the document's examples are curl commands"
    async with SgapiSink(token="t0ken") as sink:
        yield sink


def settings_for(origin: str) -> dict[str, str]:
    return {"DIALER_SGAPI_URL": origin, "DIALER_SGAPI_TOKEN": "t0ken", **UNHURRIED}


async def until_taken(sink: SgapiSink, count: int = 1) -> None:
    taken = asyncio.Event()
    sink.watch(taken.set)
    async with asyncio.timeout(PATIENCE):
        while len(sink.cdrs) < count:
            taken.clear()
            await taken.wait()


async def test_the_documents_commands(tmp_path: Path, sgapi: SgapiSink) -> None:
    async with RunningDialer(tmp_path, settings_for(sgapi.origin)) as dialer:
        reader = Reader(dialer)
        await reader.add_client()
        created = await reader.run(CREATE)
        assert list(created) == ["status", "data"]
        assert list(created["data"]) == CREATED_KEYS
        assert created["status"] == "success"
        assert (created["data"]["state"], created["data"]["uuid"]) == ("pending", UUID)
        assert SECOND.fullmatch(created["data"]["created_at"])
        await until_taken(sgapi)
        assert sgapi.cdrs[UUID] == CDR
        again = await reader.run(CREATE)
        assert again["error"]["code"] == "DUPLICATE_CDR"
        data = await reader.until(lambda data: data["state"] == "completed")
        told = await reader.run(ASK)
        assert (told["status"], told["data"]) == ("success", data)
        assert list(data) == TASK_KEYS
        assert {name: data[name] for name in CDR if name in data} == {
            name: CDR[name] for name in CDR if name in data
        }
        assert (data["sgapi_status"], data["sgapi_reference"]) == ("synced", "sgapi_ref_1")
        assert (data["task_id"], data["cdr_id"]) == (
            created["data"]["task_id"],
            created["data"]["cdr_id"],
        )
        entity = await reader.put({"uuid": UUID[:-1] + "1"}, "/cdrtosgapi/outbound_sales")
        assert list(entity) == ["task_id", "entity", *CREATED_KEYS[1:]]
        await until_taken(sgapi, 2)
        assert list(sgapi.entities.values()) == [None, "outbound_sales"]
    log = (tmp_path / "dialer.log").read_text()
    assert "5551234567" not in log
    assert reader.key not in log


async def test_what_came_without_an_sgapi_is_sent_when_there_is_one(
    tmp_path: Path, sgapi: SgapiSink
) -> None:
    dialer = RunningDialer(tmp_path)
    async with dialer:
        reader = Reader(dialer)
        await reader.add_client()
        assert (await reader.run(CREATE))["data"]["state"] == "pending"
        told = (await reader.run(ASK))["data"]
        assert (told["state"], told["sgapi_status"]) == ("pending", "pending")
        assert await dialer.stop(signal.SIGKILL) == -signal.SIGKILL  # it is on disk
    later = RunningDialer(tmp_path, settings_for(sgapi.origin))
    async with later:
        await until_taken(sgapi)
        assert sgapi.cdrs == {UUID: CDR}
        reader.dialer = later
        assert (await reader.run(CREATE))["error"]["code"] == "DUPLICATE_CDR"
        await reader.until(lambda data: data["state"] == "completed")
    assert not sgapi.duplicates


async def test_calls_that_ended_without_an_sgapi_are_sent_when_there_is_one(
    tmp_path: Path, sgapi: SgapiSink
) -> None:
    async with Plant(tmp_path, settings={"sgapi_url": None}) as plant:
        key = await plant.add_client()
        await plant.post(key, ["100001", "100002"])
        await plant.until(lambda: len(plant.callbacks.bodies) == 2)
        ended = set(plant.callbacks.bodies)
        await plant.product.stop(0.0)
        plant.settings = {"sgapi_url": sgapi.origin, "sgapi_token": "t0ken"}
        await plant.start_product()
        await until_taken(sgapi, 2)
        assert set(sgapi.cdrs) == ended
    assert not sgapi.duplicates


async def test_an_sgapi_that_is_down_is_not_the_callers_trouble(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with RunningDialer(tmp_path, settings_for(f"http://127.0.0.1:{port}")) as dialer:
        reader = Reader(dialer)
        await reader.add_client()
        assert (await reader.run(CREATE))["status"] == "success"
        told = await reader.until(lambda data: data["state"] != "pending")
        assert list(told) == [*TASK_KEYS[:10], *FAILURE_KEYS, *TASK_KEYS[10:]]
        assert (told["state"], told["sgapi_status"]) == ("retrying", "error")
        assert (told["error_message"], told["retry_count"]) == ("SGAPI could not be reached", 1)
        listed = await dialer.command(
            *("deliveries", "list", "--state", "pending", "--format", "json", "--client", "acme")
        )
        assert (json.loads(listed)["event_id"], json.loads(listed)["kind"]) == (UUID, "sgapi")


async def test_a_cdr_that_sgapi_refuses_is_a_dead_letter(tmp_path: Path) -> None:
    """SGAPI's own words come back to who put the CDR."""
    async with SgapiSink() as sgapi:
        sgapi.tasks = lambda uuid, look: fail(sgapi, uuid)
        async with RunningDialer(tmp_path, settings_for(sgapi.origin)) as dialer:
            reader = Reader(dialer)
            await reader.add_client()
            await reader.put({})
            told = await reader.until(lambda data: data["state"] == "failed")
            assert told["error_message"] == "SGAPI validation failed: invalid queue_id"
            assert (told["retry_count"], told["completed_at"]) == (3, None)
            listed = await dialer.command("deliveries", "list", "--format", "json")
            assert json.loads(listed)["event_id"] == UUID


async def fail(sgapi: SgapiSink, uuid: str) -> web.Response:
    return web.json_response(
        sgapi.describe_task(
            uuid,
            "failed",
            error_message="SGAPI validation failed: invalid queue_id",
            retry_count=3,
        )
    )


async def test_calls_of_another_dialer_come_through_this_one(
    tmp_path: Path, sgapi: SgapiSink
) -> None:
    """One dialer's SGAPI is the other's gateway: what one sends the other takes."""
    folders = [tmp_path / name for name in ("front", "back")]
    for folder in folders:
        folder.mkdir()
    async with RunningDialer(folders[1], settings_for(sgapi.origin)) as back:
        reader = Reader(back)
        await reader.add_client()
        front_settings = {
            "sgapi_url": reader.origin,
            "sgapi_token": reader.key,
            "sgapi_entity": "front",
        }
        async with Plant(folders[0], settings=front_settings) as plant:
            key = await plant.add_client()
            await plant.post(key, ["100001", "100002"], item={"caller_id": "Acme <5550100>"})
            await until_taken(sgapi, 2)
            told = plant.callbacks.bodies
            assert set(told) == set(sgapi.cdrs)
            assert set(sgapi.entities.values()) == {"front"}
            for cdr_id, body in sgapi.cdrs.items():
                data = await reader.until(lambda data: data["state"] == "completed", cdr_id)
                assert data["called_number"] == told[cdr_id]["phone_number"]
                assert data["caller_id"] == "5550100"
                assert body["custom_data"]["disposition"] == told[cdr_id]["disposition"]
                # And the front one tells of its own call.
                async with plant.http(key) as http:
                    url = f"http://127.0.0.1:{plant.product.http_port}/cdrtosgapi/{cdr_id}"
                    own = (await http.get(url)).json()["data"]
                assert (own["uuid"], own["cdr_id"]) == (cdr_id, cdr_id)
                assert own["state"] in ("processing", "completed")
                assert own["disposition"] == body["disposition"]
