"""The whole product in this process, on a simulated Asterisk, with both sinks."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.app import Product
from dialer.settings import load_settings
from dialer.sinks import CallbackSink, SgapiSink
from dialer.store.contract import Server
from tests.patience import PATIENCE

SUPERUSER = "superuser-of-a-test"
SECRET_ENV = "PLANT_SECRET"


@dataclass(slots=True)
class Plant:
    """Start it as an async context manager. `scale` shortens what the simulated far end does;
    `asterisk` is another simulated one than that of the number table."""

    folder: Path
    scale: float = 0.05
    asterisk: Simulator | None = None
    server: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    simulator: Simulator = field(init=False)
    product: Product = field(init=False)
    callbacks: CallbackSink = field(default_factory=CallbackSink)
    sgapi: SgapiSink = field(default_factory=SgapiSink)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setenv(SECRET_ENV, "dialer-lab")
        self._stack.callback(monkeypatch.undo)
        self.simulator = self.asterisk or Simulator(SimulatorConfig(scale=self.scale))
        await self.simulator.start()
        self._stack.push_async_callback(self.simulator.stop)
        for sink in (self.callbacks, self.sgapi):
            await self._stack.enter_async_context(sink)
            sink.watch(self._changed.set)
        await self.start_product()
        await self.add_server("pbx1", self.simulator.port)
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        await self.product.stop(0.0)
        await self._stack.aclose()

    async def start_product(self) -> None:
        """Start the product (again) over the same database."""
        values: dict[str, Any] = {
            "database_url": f"sqlite+aiosqlite:///{self.folder}/dialer.db",
            "http_port": 0,
            "superuser_api_key": SUPERUSER,
            "callback_allow_private": True,
            "sgapi_url": self.sgapi.origin,
            **self.settings,
        }
        self.product = Product(load_settings(env_file=None, **values))
        await self.product.start()

    async def add_server(self, code: str, port: int) -> None:
        server = Server(0, code, "127.0.0.1", port, "dialer", secret_env=SECRET_ENV, **self.server)
        await self.product.store.add_server(server, time.time())
        self.product.signals.clients_changed()

    def http(self, key: str = SUPERUSER) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.product.http_port}/calling/api",
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE,
        )

    async def add_client(self, accountcode: str = "acme", **fields: Any) -> str:
        """A client with 10 channels, no limit on calls a second and a callback; its key."""
        cps = fields.pop("max_cps", None)
        body = {
            "name": accountcode,
            "accountcode": accountcode,
            "username": accountcode,
            "allocated_channels": 10,
            "callbackurl": f"{self.callbacks.origin}/{accountcode}",
        }
        async with self.http() as http:
            answer = await http.post("/clients/", json=body | fields)
        assert answer.status_code == 200, answer.text
        await self.product.store.change_client(accountcode, {"max_cps": cps}, time.time())
        self.product.signals.clients_changed()
        key: str = answer.json()["api_key"]
        return key

    async def post(self, key: str, numbers: list[str], **batch: Any) -> int:
        """Load one batch of calls to `numbers`; the queue's id. `item` and `action` go into every
        item."""
        item, action = batch.pop("item", {}), batch.pop("action", {})
        data = [
            {
                "asterisk_server_code": "pbx1",
                "call_timeout": 3,
                "action": {
                    "Action": "Originate",
                    "Channel": f"PJSIP/{number}@carrier",
                    "Application": "Wait",
                    "Data": "3",
                    **action,
                },
                **item,
            }
            for number in numbers
        ]
        async with self.http(key) as http:
            answer = await http.post(
                "/queues/insertdataincallqueue/", json={"batch_id": 1, "data": data} | batch
            )
        assert answer.status_code == 200, answer.text
        queue_id: int = answer.json()["data"]["queue_id"]
        return queue_id

    async def queue(self, key: str, queue_id: int) -> dict[str, Any]:
        async with self.http(key) as http:
            rows = (await http.get("/queues/getmasterqueues/?page_size=100")).json()["results"]
        row: dict[str, Any] = next(row for row in rows if row["id"] == queue_id)
        return row

    async def change(self, key: str, queue_id: int, **fields: Any) -> None:
        async with self.http(key) as http:
            answer = await http.put(f"/queues/updatequeuemaster/{queue_id}", json=fields)
        assert answer.status_code == 200, answer.text

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until `met()`, asked after every delivery."""
        async with asyncio.timeout(PATIENCE):
            while not met():
                self._changed.clear()
                await self._changed.wait()

    async def until_dialed(self, count: int) -> None:
        """Wait until the simulator took `count` originates."""
        async with asyncio.timeout(PATIENCE):
            while self.simulator.counters.originates < count:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0)

    def finals(self) -> list[dict[str, Any]]:
        """Callbacks that told the end of an item."""
        ended = [body for body in self.callbacks.bodies.values() if body["final"]]
        return ended + list(self.callbacks.closings.values())
