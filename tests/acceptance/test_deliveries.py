"""Callbacks as their receiver sees them, and dead letters as an operator does, beside a running
`dialer run`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from ami.simulator import Simulator, SimulatorConfig
from dialer.sinks import CallbackSink
from tests.lab.product import RunningDialer
from tests.patience import PATIENCE

CALL = "asterisk_server_code,Channel,Application,Data\npbx1,PJSIP/{}@carrier,Wait,3\n"


class KeepingSink(CallbackSink):
    """Keeps every request as it came: headers and bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[dict[str, str], bytes]] = []

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.came.append((dict(request.headers), await request.read()))
        return await super()._take(request)


@dataclass
class Desk:
    dialer: RunningDialer
    sink: KeepingSink
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, command: str) -> str:
        return await self.dialer.command(*command.split())

    async def call(self, key: str, number: str) -> None:
        path = self.dialer.folder / f"{number}.csv"
        path.write_text(CALL.format(number))
        base = self.dialer.url.removesuffix("/calling/api")
        await self.dialer.command("load", str(path), "--url", base, "--api-key", key)

    async def until_told(self, count: int) -> None:
        """Wait for `count` callbacks that were taken."""
        async with asyncio.timeout(PATIENCE):
            while len(self.sink.bodies) < count:
                self.told.clear()
                await self.told.wait()

    async def dead(self, count: int) -> list[dict[str, object]]:
        """Wait until there are so many dead letters."""
        async with asyncio.timeout(PATIENCE):
            while True:
                lines = (await self.do("deliveries list --format json")).splitlines()
                if len(lines) >= count:
                    return [json.loads(line) for line in lines]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        simulator = Simulator(SimulatorConfig(scale=0.05))
        await simulator.start()
        stack.push_async_callback(simulator.stop)
        sink = await stack.enter_async_context(KeepingSink())
        dialer = await stack.enter_async_context(RunningDialer(tmp_path))
        desk = Desk(dialer, sink)
        sink.watch(desk.told.set)
        await desk.do(
            f"servers add pbx1 --host 127.0.0.1 --port {simulator.port} --username dialer "
            "--secret-env DIALER_LAB_SECRET --max-channels 20"
        )
        yield desk


async def add_client(desk: Desk) -> str:
    out = await desk.do(
        f"clients add acme --accountcode acme --channels 5 --callback {desk.sink.origin}/hook"
    )
    found = re.search(r"dk_\S+", out)
    assert found is not None, out
    return found[0]


async def secret_of(desk: Desk, options: str = "") -> str:
    found = re.search(r"whsec_\S+", await desk.do(f"clients signing-secret acme {options}"))
    assert found is not None
    return found[0]


async def test_a_receiver_verifies_callbacks_through_a_rotation(desk: Desk) -> None:
    key = await add_client(desk)
    first = await secret_of(desk)
    await desk.call(key, "100008")
    await desk.until_told(1)
    headers, body = desk.sink.came[-1]
    told = Webhook(first).verify(body, headers)
    assert headers["webhook-id"] == headers["Idempotency-Key"] == told["cdr_id"]
    second = await secret_of(desk, "--rotate --grace 1")
    third = await secret_of(desk, "--rotate --grace 1")
    assert await secret_of(desk) == third
    await desk.call(key, "200008")
    await desk.until_told(2)
    headers, body = desk.sink.came[-1]
    for live in (third, second):
        Webhook(live).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(first).verify(body, headers)


async def test_a_receiver_that_is_gone_and_comes_back_gets_all(desk: Desk) -> None:
    desk.sink.script = lambda body: web.Response(status=410)
    key = await add_client(desk)
    await desk.call(key, "100008")
    ((only),) = await desk.dead(1)
    assert (only["status"], only["client"], only["tries"]) == (410, "acme", 1)
    await desk.call(key, "200008")
    letters = await desk.dead(2)
    assert (letters[0]["status"], letters[0]["tries"]) == (None, 0)
    assert len(desk.sink.came) == 1  # it was left alone
    shown = await desk.do(f"deliveries show {only['id']}")
    assert "100008" in shown
    assert "2 dead" in await desk.do("status")
    desk.sink.script = None
    assert "2 deliveries are sent again" in await desk.do("deliveries retry --client acme")
    await desk.until_told(2)
    first, *again = (headers["webhook-id"] for headers, _ in desk.sink.came)
    assert first in again
    assert await desk.do("deliveries list --format json") == ""
    assert "delivery.retry" in await desk.do("audit --format json")
