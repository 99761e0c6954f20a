"""Programs written for other CDR APIs read a campaign on the real Asterisk while it runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dialer.sinks import CallbackSink
from tests.acceptance.cdr_reading import Readers, Readings, choose_noon, follow
from tests.lab.campaign import TIMEOUTS, make_numbers
from tests.lab.product import RunningDialer
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab

NAME = "reader"
SETTINGS = {"DIALER_REPORTS_PER_MINUTE": "0"}


async def prepare(dialer: RunningDialer, lab: Lab, callback: str) -> Readers:
    """The server, and a client in whose zone it is noon, with one reader of each kind."""
    zone = choose_noon()
    await dialer.command(
        *("servers", "add", "pbx1", "--host", lab.pbx1.host, "--port", str(lab.pbx1.port)),
        *("--username", lab.pbx1.username, "--secret-env", "DIALER_LAB_SECRET"),
    )
    body = {"name": NAME, "accountcode": NAME, "username": NAME, "allocated_channels": 40}
    async with dialer.http() as http:
        answer = await http.post("/clients/", json=body | {"callbackurl": f"{callback}/{NAME}"})
    assert answer.status_code == 200, answer.text
    await dialer.command("clients", "set", NAME, "--cps", "1000", "--time-zone", zone)
    origin = dialer.url.removesuffix("/calling/api")
    return Readers(origin, answer.json()["api_key"], NAME, zone)


def make_item(number: str) -> dict[str, Any]:
    return {
        "asterisk_server_code": "pbx1",
        "caller_id": "Reader <5551000>",
        "call_timeout": TIMEOUTS.get(int(number[-2:]), 5),
        "project": f"campaign {number[-1]}",
        "action": {
            "Action": "Originate",
            "Channel": f"PJSIP/{number}@carrier",
            "Application": "Wait",
            "Data": "1",
        },
    }


def check_outcomes(readings: Readings, told: dict[str, dict[str, Any]]) -> None:
    """The statuses of the three APIs agree with what the callbacks said."""
    calls = {body["cdr_id"]: body["disposition"] for body in told.values()}
    for record, row, found in zip(
        readings.scrolled, readings.reported[-1], readings.found[-1], strict=True
    ):
        answered = calls[record["id"]] == "answered"
        assert (record["status"] == "ANSWERED") is answered
        assert (row["Status"] == "Answered") is answered
        assert (found["call_status"] == "ANSWERED") is answered
        assert row["Disposition"] == calls[record["id"]]
    assert len(set(calls.values())) >= 6


async def test_every_call_once_in_each_api_while_calls_are_added(lab: Lab, tmp_path: Path) -> None:
    numbers = make_numbers(93, 240, range(12))
    async with CallbackSink() as callbacks, RunningDialer(tmp_path, SETTINGS) as dialer:
        readers = await prepare(dialer, lab, callbacks.origin)
        changed = asyncio.Event()
        callbacks.watch(changed.set)
        items = [make_item(number) for number in numbers]
        async with dialer.http(readers.key) as http:
            answer = await http.post(
                "/queues/insertdataincallqueue/", json={"batch_id": 1, "data": items}
            )
        assert answer.status_code == 200, answer.text
        readings = await follow(readers, lambda: len(callbacks.bodies) >= len(numbers), changed)
        readings.check({body["cdr_id"] for body in callbacks.bodies.values()}, numbers)
        check_outcomes(readings, callbacks.bodies)
        by_project = await readers.search("json", project_id=["campaign 0"], source="5551")
        wanted = sorted(number for number in numbers if number[-1] == "0")
        assert sorted(row["destination"] for row in by_project) == wanted
