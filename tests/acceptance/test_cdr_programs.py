"""Programs written for other CDR APIs read a campaign of ours, also while it runs."""

import asyncio
import json
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.acceptance.cdr_reading import Readers, choose_noon, follow, run_program
from tests.acceptance.plant import Plant
from tests.required import skip_unless_required

CALLS = 130
TOKEN = """curl -X POST http://HOST:8080/ca_apis/caToken/generateToken \\
  -H 'apiKey: KEY' -d '{"userName": "client_user"}'"""
REPORT = """curl -X GET http://HOST:8080/ca_reports/fetchCDRDetails \\
  -H 'Authorization: Bearer TOKEN' \\
  -d '{"fromDate": "DAY 00:00:00", "toDate": "DAY 23:59:59", "userName": "client_user"}'"""
LIST = "curl -L -X GET 'http://{{API_HOST}}/v2/cdr?' -H 'Authorization: Bearer {{TOKEN}}'"
ONE = (
    "curl -L -X GET 'http://{{API_HOST}}/v2/cdr/01b7d166-b564-42ec-80a1-4ad343225934'"
    " -H 'Authorization: Bearer {{TOKEN}}'"
)


def origin_of(plant: Plant) -> str:
    return f"http://127.0.0.1:{plant.product.http_port}"


async def test_every_call_once_in_each_api_while_calls_are_added(tmp_path: Path) -> None:
    async with Plant(tmp_path, settings={"reports_per_minute": 0}) as plant:
        key, zone = await plant.add_client("acme"), choose_noon()
        await plant.product.store.change_client("acme", {"timezone": zone}, time.time())
        readers = Readers(origin_of(plant), key, "acme", zone)
        changed = asyncio.Event()
        plant.callbacks.watch(changed.set)
        numbers = [f"98{n:04d}{n % 5:02d}" for n in range(CALLS)]
        await plant.post(key, numbers)
        readings = await follow(readers, lambda: len(plant.callbacks.bodies) >= CALLS, changed)
        told = plant.callbacks.bodies.values()
        readings.check({body["cdr_id"] for body in told}, numbers)
        busy = await readers.search("form", call_status="BUSY", telephone_like="98")
        assert [row["destination"] for row in busy] == [
            row["destination"] for row in readings.found[-1] if row["call_status"] == "BUSY"
        ]
        assert busy


async def test_the_documents_commands_as_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        skip_unless_required("needs curl: apt-get install curl")
    async with Plant(tmp_path) as plant:
        key = await plant.add_client("acme")
        await plant.post(key, ["980000", "980001"])
        await plant.until(lambda: len(plant.callbacks.bodies) == 2)
        known = next(iter(plant.callbacks.bodies.values()))["cdr_id"]

        async def run(command: str) -> dict[str, object]:
            host = f"127.0.0.1:{plant.product.http_port}"
            command = command.replace("{{API_HOST}}", host).replace("{{TOKEN}}", key)
            answer: dict[str, object] = json.loads(await run_program("sh", "-c", command))
            return answer

        listed = await run(LIST)
        assert list(listed) == ["data", "limit", "offset", "total", "scroll_id"]
        assert (listed["limit"], listed["total"]) == (10, 2)
        one = await run(ONE.replace("01b7d166-b564-42ec-80a1-4ad343225934", known))
        assert one["id"] == known
        assert (await run(ONE))["message"] == "CDR not found"


async def test_a_report_by_curl(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        skip_unless_required("needs curl: apt-get install curl")
    async with Plant(tmp_path) as plant:
        zone = choose_noon()
        key = await plant.add_client("acme", username="client_user")
        await plant.product.store.change_client("acme", {"timezone": zone}, time.time())
        await plant.post(key, ["980000"])
        await plant.until(lambda: len(plant.callbacks.bodies) == 1)
        values = {"http://HOST:8080": origin_of(plant), "KEY": key}

        async def run(command: str) -> dict[str, Any]:
            for name, value in values.items():
                command = command.replace(name, value)
            answer: dict[str, Any] = json.loads(await run_program("sh", "-c", command))
            return answer

        values["TOKEN"] = (await run(TOKEN))["token"]
        values["DAY"] = str(datetime.now(ZoneInfo(zone)).date())
        report = await run(REPORT)
        assert [row["DialedNumber"] for row in report["details"]] == ["980000"]
