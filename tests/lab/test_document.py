"""The API document's curl commands, as written but for base URL and key, on the real Asterisk.

Each is a shell command given to the system's own curl.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dialer.sinks import CallbackSink
from tests.lab.product import SUPERUSER, RunningDialer
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab

TEST_CONNECTION = """curl -X GET "https://your-domain.com/calling/api/queues/getmasterqueues/" \\
  -H "Authorization: Bearer your_api_key"
"""
FIRST_CALL = """curl -X POST "https://your-domain.com/calling/api/queues/insertdataincallqueue/" \\
  -H "Authorization: Bearer your_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
    "batch_id": 12345,
    "data": [{
      "asterisk_server_code": "server1",
      "action": {
        "Action": "Originate",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30"
      }
    }]
  }'
"""
CREATE_CLIENT = """curl -X POST "https://your-domain.com/calling/api/clients/" \\
  -H "Authorization: Bearer your_superuser_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "Client Company",
    "accountcode": "client_xyz",
    "username": "client_user",
    "allocated_channels": 10,
    "is_active": true
  }'
"""
INSERT_QUEUE_DATA = """curl -X POST \\
  "https://your-domain.com/calling/api/queues/insertdataincallqueue/" \\
  -H "Authorization: Bearer your_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
    "batch_id": 1001,
    "data": [{
      "asterisk_server_code": "server1",
      "action": {
        "Action": "Originate",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30"
      },
      "create_recording": true,
      "project": "campaign_2024"
    }]
  }'
"""
QUICK_CALL = """curl -X POST "https://your-domain.com/calling/api/queues/insertquickcall/" \\
  -H "Authorization: Bearer your_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "number2": "0987654321",
    "customer_name": "Test Customer",
    "action": {
      "Application": "Dial",
      "Data": "PJSIP/0987654321@endpoint2,30"
    }
  }'
"""


@dataclass
class Reader:
    """Somebody who follows the document: runs its commands against a `dialer run`."""

    dialer: RunningDialer
    sink: CallbackSink
    key: str = ""

    async def run(self, command: str) -> dict[str, Any]:
        """The answer to a command of the document."""
        real = (
            command.replace("https://your-domain.com/calling/api", self.dialer.url)
            .replace("your_superuser_api_key", SUPERUSER)
            .replace("your_api_key", self.key)
            .replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
        )
        process = await asyncio.create_subprocess_shell(
            real, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"{out.decode()} {err.decode()}"
        answer: dict[str, Any] = json.loads(out)
        return answer

    async def first_cdr(self) -> dict[str, Any]:
        told = asyncio.Event()
        self.sink.watch(told.set)
        async with asyncio.timeout(30):
            while not self.sink.bodies:
                await told.wait()
        return next(iter(self.sink.bodies.values()))


@pytest.fixture
async def reader(lab: Lab, tmp_path: Path) -> AsyncIterator[Reader]:
    """A fresh client each time: the document uses its batch ids again."""
    assert shutil.which("curl"), "the document's examples are curl commands"
    pbx = lab.pbx1
    async with CallbackSink() as sink, RunningDialer(tmp_path) as dialer:
        await dialer.command(
            *("servers", "add", "server1", "--host", pbx.host, "--port", str(pbx.port)),
            *("--username", pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
        )
        reader = Reader(dialer, sink)
        made = await reader.run(CREATE_CLIENT)
        assert (made["accountcode"], made["status"], made["is_active"]) == (
            "client_xyz",
            "active",
            True,
        )
        reader.key = made["api_key"]
        await dialer.command("clients", "set", "client_xyz", "--callback", sink.origin)
        yield reader


async def test_the_connection_test(reader: Reader) -> None:
    answer = await reader.run(TEST_CONNECTION)
    assert (answer["status"], answer["results"]) == ("success", [])
    assert answer["pagination"]["total_entries"] == 0


@pytest.mark.parametrize(("command", "batch_id"), [(FIRST_CALL, 12345), (INSERT_QUEUE_DATA, 1001)])
async def test_a_batch_calls_both_numbers(reader: Reader, command: str, batch_id: int) -> None:
    answer = await reader.run(command)
    assert answer["message"] == "Queue data inserted successfully"
    assert (answer["data"]["inserted_count"], answer["data"]["batch_id"]) == (1, batch_id)
    cdr = await reader.first_cdr()
    assert (cdr["phone_number"], cdr["disposition"]) == ("1234567890", "answered")
    assert cdr["custom_data"]["connected"] is True


async def test_a_quick_call_calls_both_numbers(reader: Reader) -> None:
    answer = await reader.run(QUICK_CALL)
    assert answer["message"] == "Quick call inserted successfully"
    cdr = await reader.first_cdr()
    assert (cdr["call_id"], cdr["disposition"]) == (answer["data"]["call_id"], "answered")
    assert cdr["custom_data"]["connected"] is True
