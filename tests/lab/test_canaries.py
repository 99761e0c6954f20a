"""`dialer run` on the real Asterisk, as loud as an operator can make it, among receivers that give
back what they are sent: neither its log nor what its commands print has a secret or a number."""

import asyncio
import json
import secrets
from pathlib import Path

import httpx
import pytest

from dialer.settings import LogFormat
from tests.canaries import (
    AMI_SECRET,
    FORGED_KEY,
    IDEMPOTENCY_KEY,
    NUMBERS,
    SGAPI_TOKEN,
    SUPERUSER,
    WRONG_SECRET,
    Canaries,
    ParrotAsterisk,
    Parrots,
    dump_all,
    dump_texts,
    make_item,
)
from tests.lab.product import RunningDialer
from tests.lab.running_lab import Lab
from tests.patience import PATIENCE

pytestmark = pytest.mark.lab

INSERT = "/queues/insertdataincallqueue/"
TALKING = f"{NUMBERS['Channel'][:-2]}07"  # for half a minute: live when the dialer is stopped
SAID = (
    "AMI link",
    "our credentials are refused",
    "a delivery is dead",
    "calls left for the next start",
    "taking over calls of an earlier start",
)


def make_dialer(folder: Path, parrots: Parrots, log_format: LogFormat) -> RunningDialer:
    return RunningDialer(
        folder,
        {
            "DIALER_SUPERUSER_API_KEY": SUPERUSER,
            "DIALER_SGAPI_URL": parrots.origin,
            "DIALER_SGAPI_TOKEN": SGAPI_TOKEN,
            "DIALER_LOG_FORMAT": log_format.value,
            "DIALER_DRAIN_TIMEOUT": "0",
            "CANARY_SECRET": AMI_SECRET,
            "CANARY_WRONG": WRONG_SECRET,
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONDEVMODE": "1",
        },
    )


async def add_everything(dialer: RunningDialer, lab: Lab, parrot: int, url: str) -> str:
    """Servers, and a client; its key."""
    pbx = lab.pbx1
    for code, port, secret in (
        ("pbx1", pbx.port, "DIALER_LAB_SECRET"),
        ("wrong", pbx.port, "CANARY_WRONG"),
        ("parrot", parrot, "CANARY_SECRET"),
    ):
        await dialer.command(
            *("servers", "add", code, "--host", pbx.host, "--port", str(port)),
            *("--username", pbx.username, "--secret-env", secret),
        )
    async with dialer.http(SUPERUSER) as http:
        answer = await http.post(
            "/clients/",
            json={
                "name": "canary",
                "accountcode": "canary",
                "username": "canary",
                "allocated_channels": 10,
                "did": NUMBERS["did"],
                "phone_number": NUMBERS["phone_number"],
                "callbackurl": url,
            },
            headers={"Idempotency-Key": IDEMPOTENCY_KEY},
        )
    assert answer.status_code == 200, answer.text
    key: str = answer.json()["api_key"]
    return key


async def misbehave(dialer: RunningDialer, key: str) -> None:
    """What is refused at the door."""
    number = NUMBERS["body"]
    async with dialer.http(key) as http:
        await http.post(INSERT, content=f'{{"data": {number}')
        await http.post(INSERT, json={"batch_id": 3, "data": [make_item("pbx1", Channel=number)]})
        await http.get(f"/queues/{NUMBERS['path']}")
    async with dialer.http(FORGED_KEY) as http:
        await http.get("/queues/getmasterqueues/")
    address = httpx.URL(dialer.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(f"{number} {SUPERUSER}\r\n\r\n".encode())
    await reader.read()
    writer.close()


async def until_recorded(database: Path, table: str, column: str, count: int) -> None:
    """Wait for so many rows of another process's."""
    async with asyncio.timeout(PATIENCE):
        while len(dump_texts(database, table, column)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("log_format", list(LogFormat))
async def test_a_loud_run_says_no_secret_and_no_number(
    lab: Lab, tmp_path: Path, log_format: LogFormat
) -> None:
    database = tmp_path / "dialer.db"
    async with Parrots() as parrots, ParrotAsterisk(welcoming=False) as parrot:
        dialer = make_dialer(tmp_path, parrots, log_format)
        await dialer.start()
        try:
            key = await add_everything(dialer, lab, parrot.port, parrots.url("gone"))
            items = [
                make_item("pbx1"),
                make_item("pbx1", Channel=f"PJSIP/{NUMBERS['refused']}@nowhere", Timeout=5000),
                make_item(
                    "pbx1",
                    Channel=f"PJSIP/{TALKING}@carrier",
                    # The call outlives its test: another's may not have the same id.
                    ChannelId=f"call-{NUMBERS['ChannelId']}-{secrets.token_hex(4)}",
                    Application="Wait",
                    Data="20",
                ),
            ]
            body = {"batch_id": 1, "dids": [NUMBERS["dids"]], "data": items}
            async with dialer.http(key) as http:
                answer = await http.post(INSERT, json=body)
                assert answer.status_code == 200, answer.text
            await misbehave(dialer, key)
            await until_recorded(database, "cdrs", "id", 2)
            await until_recorded(database, "deliveries", "error", 3)
            printed = await dialer.command("status")
            printed += await dialer.command("servers", "list")
            printed += await dialer.command("db", "upgrade")
            async with httpx.AsyncClient(base_url=dialer.url.removesuffix("/calling/api")) as http:
                printed += (await http.get("/healthz")).text + (await http.get("/readyz")).text
        finally:
            await dialer.stop()
        async with dialer:  # takes the live call over, and leaves it again
            pass
    said = (tmp_path / "dialer.log").read_text()
    assert [event for event in SAID if event not in said] == []
    if log_format is LogFormat.JSON:
        assert all(json.loads(line) for line in said.splitlines())
    canaries = Canaries((key,))
    lines = (said + printed).splitlines()
    assert {found: line for line in lines for found in canaries.find(line)} == {}
    assert lab.pbx1.secret not in said + printed
    errors = dump_texts(database, "deliveries", "error")
    assert [error for error in errors for word in canaries.secrets if word in error] == []
    everything = dump_all(database)
    assert [word for word in canaries.stored_nowhere if word in everything] == []
    assert NUMBERS["Channel"] in everything
