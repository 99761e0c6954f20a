"""The API document's commands, as written but for base URL and key, on the real Asterisk.

Each curl command is given to the system's own curl, the Python client to a Python of its own.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dialer.sinks import CallbackSink
from tests.lab.product import SUPERUSER, RunningDialer
from tests.lab.running_lab import Lab
from tests.patience import PATIENCE

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

COMPLETE_BATCH = """curl -X POST \\
  "https://your-domain.com/calling/api/queues/insertdataincallqueue/" \\
  -H "Authorization: Bearer your_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
  "queue_id": null,
  "batch_id": 12345,
  "dids": ["+1234567890", "+0987654321"],
  "data": [
    {
      "asterisk_server_code": "server1",
      "caller_id": "Your Company <1001>",
      "action": {
        "Action": "Originate",
        "ActionID": "call-uuid-1234",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30",
        "Timeout": 30000,
        "CallerID": "Your Company <1001>",
        "Account": "your_account_code",
        "EarlyMedia": true,
        "Async": true
      },
      "retry": 3,
      "create_recording": true,
      "recording_format": "wav",
      "queue_type": "outbound",
      "call_timeout": 30,
      "contact_number": 1234567890,
      "project": "campaign_2024",
      "deadline": "2024-12-31T23:59:59Z"
    }
  ]
}'
"""
COMPLETE_QUICK_CALL = """curl -X POST \\
  "https://your-domain.com/calling/api/queues/insertquickcall/" \\
  -H "Authorization: Bearer your_api_key" \\
  -H "Content-Type: application/json" \\
  -d '{
  "asterisk_server_code": "server1",
  "number1": "1234567890",
  "number2": "0987654321",
  "customer_name": "John Doe",
  "prefix": "1",
  "endpoint": "provider1",
  "action": {
    "Application": "Dial",
    "Data": "PJSIP/0987654321@endpoint2,30",
    "Async": true,
    "ChannelId": "channel-123"
  },
  "create_recording": true,
  "recording_format": "wav",
  "call_timeout": 30,
  "project": "quick_campaign"
}'
"""
PYTHON_CLIENT = """
import requests

class CentralizedCallingClient:
    def __init__(self, api_key: str, base_url: str):
        self.headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json"
        }
        self.base_url = base_url

    def insert_queue_data(self, batch_id: int, calls: list):
        response = requests.post(
            f"{self.base_url}/queues/insertdataincallqueue/",
            headers=self.headers,
            json={"batch_id": batch_id, "data": calls}
        )
        return response.json()

    def make_quick_call(self, server_code: str, number1: str, customer_name: str):
        response = requests.post(
            f"{self.base_url}/queues/insertquickcall/",
            headers=self.headers,
            json={
                "asterisk_server_code": server_code,
                "number1": number1,
                "customer_name": customer_name,
                "action": {"Application": "Dial"}
            }
        )
        return response.json()

# Usage
client = CentralizedCallingClient("your_api_key", "https://your-domain.com/calling/api")
result = client.insert_queue_data(1001, [{
    "asterisk_server_code": "server1",
    "action": {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1"}
}])
"""
SHOW_RESULT = "\nimport json\nprint(json.dumps(result))\n"
USE_QUICK_CALL = """
client = CentralizedCallingClient("your_api_key", "https://your-domain.com/calling/api")
result = client.make_quick_call("server1", "1234567890", "John Doe")
"""


@dataclass
class Reader:
    """Somebody who follows the document: runs its commands against a `dialer run`."""

    dialer: RunningDialer
    sink: CallbackSink
    key: str = ""

    async def run(self, command: str) -> dict[str, Any]:
        """The answer to a command of the document."""
        real = self._fill_in(command).replace(
            "curl ", "curl --silent --show-error --fail-with-body ", 1
        )
        return await self._answer_of("/bin/sh", "-c", real)

    async def run_python(self, program: str) -> dict[str, Any]:
        """The `result` of a program of the document."""
        return await self._answer_of(sys.executable, "-c", self._fill_in(program) + SHOW_RESULT)

    def _fill_in(self, text: str) -> str:
        return (
            text.replace("https://your-domain.com/calling/api", self.dialer.url)
            .replace("your_superuser_api_key", SUPERUSER)
            .replace("your_api_key", self.key)
        )

    async def _answer_of(self, *command: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"{out.decode()} {err.decode()}"
        answer: dict[str, Any] = json.loads(out)
        return answer

    async def first_callback(self) -> dict[str, Any]:
        told = asyncio.Event()
        self.sink.watch(told.set)
        async with asyncio.timeout(PATIENCE):
            while not (self.sink.bodies or self.sink.closings):
                await told.wait()
                told.clear()
        return next(iter([*self.sink.bodies.values(), *self.sink.closings.values()]))


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
    cdr = await reader.first_callback()
    assert (cdr["phone_number"], cdr["disposition"]) == ("1234567890", "answered")
    assert cdr["custom_data"]["connected"] is True


async def test_a_quick_call_calls_both_numbers(reader: Reader) -> None:
    answer = await reader.run(QUICK_CALL)
    assert answer["message"] == "Quick call inserted successfully"
    cdr = await reader.first_callback()
    assert (cdr["call_id"], cdr["disposition"]) == (answer["data"]["call_id"], "answered")
    assert cdr["custom_data"]["connected"] is True


async def test_the_complete_batch_comes_after_its_deadline(reader: Reader) -> None:
    """It is accepted all the same, and its client is told what became of it."""
    answer = await reader.run(COMPLETE_BATCH)
    assert (answer["data"]["inserted_count"], answer["data"]["batch_id"]) == (1, 12345)
    told = await reader.first_callback()
    assert (told["event_type"], told["disposition"]) == ("call_timeout", "expired")
    assert told["call_id"] == "call-uuid-1234"


async def test_the_complete_quick_call_is_recorded(reader: Reader) -> None:
    await reader.run(COMPLETE_QUICK_CALL)
    cdr = await reader.first_callback()
    assert (cdr["phone_number"], cdr["disposition"]) == ("11234567890", "answered")
    assert (cdr["channel_id"], cdr["custom_data"]["project"]) == ("channel-123", "quick_campaign")
    assert cdr["custom_data"]["connected"] is True
    assert cdr["recording_url"].endswith(".wav")


async def test_the_python_client(reader: Reader) -> None:
    answer = await reader.run_python(PYTHON_CLIENT)
    assert answer["message"] == "Queue data inserted successfully"
    cdr = await reader.first_callback()
    assert (cdr["phone_number"], cdr["disposition"]) == ("1234567890", "answered")
    assert cdr["custom_data"]["connected"] is True


async def test_the_python_clients_quick_call(reader: Reader) -> None:
    await reader.dialer.command("clients", "set", "client_xyz", "--endpoint", "endpoint1")
    answer = await reader.run_python(PYTHON_CLIENT.split("# Usage")[0] + USE_QUICK_CALL)
    cdr = await reader.first_callback()
    assert (cdr["call_id"], cdr["disposition"]) == (answer["data"]["call_id"], "answered")
