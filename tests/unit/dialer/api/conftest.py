"""The API over a real store: a superuser, two clients, two servers, a clock that stands still."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from dialer.api.app import ApiDeps, create_api
from dialer.delivery.timestamps import format_seconds
from dialer.ids import Ids
from dialer.keys import make_key
from dialer.settings import Settings
from dialer.store import open_store
from dialer.store.contract import EndedItem, NewDelivery, Store
from tests.unit.dialer.builders import make_client, make_server

BASE = "/calling/api"
BOOTSTRAP = "bootstrap-superuser-key"
NOW = 1704103200.0  # 2024-01-01T10:00:00Z
ITEM: dict[str, Any] = {
    "asterisk_server_code": "server1",
    "action": {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1"},
}


@dataclass
class StandingClock:
    """`step`: how far the monotonic clock goes with each of its `looks`."""

    at: float = NOW
    step: float = 0.0
    looks: int = 0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        self.looks += 1
        return self.at + self.looks * self.step


@dataclass
class Woken:
    """Signals that only write down what was told."""

    told: list[tuple[str, int | None]] = field(default_factory=list)

    def items_added(self, queue_id: int) -> None:
        self.told.append(("items_added", queue_id))

    def queue_changed(self, queue_id: int) -> None:
        self.told.append(("queue_changed", queue_id))

    def clients_changed(self) -> None:
        self.told.append(("clients_changed", None))

    def subscribe(self, listener: object) -> Any:
        raise AssertionError("the API only sends")


@dataclass
class Closing:
    """Makes a closing callback of every ended item, and keeps which."""

    ended: list[EndedItem] = field(default_factory=list)

    def __call__(self, item: EndedItem) -> tuple[NewDelivery, ...]:
        self.ended.append(item)
        return (
            NewDelivery(
                kind="callback",
                client_id=item.candidate.client_id,
                endpoint="https://client.com",
                url="https://client.com/callback",
                method="POST",
                event_id=f"item-{item.candidate.id}",
                body=format_seconds(NOW),
                due_at=NOW,
            ),
        )


@dataclass
class Api:
    """A client of the API under test."""

    http: httpx.AsyncClient
    app: FastAPI
    store: Store
    clock: StandingClock
    signals: Woken
    closing: Closing
    ready: dict[str, bool]
    keys: dict[str, str]

    async def send(
        self, method: str, path: str, key: str | None = "alpha", **request: Any
    ) -> httpx.Response:
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        return await self.http.request(method, path, headers=headers, **request)

    async def get(self, path: str, key: str | None = "alpha", **request: Any) -> httpx.Response:
        return await self.send("GET", BASE + path, key, **request)

    async def post(self, path: str, key: str | None = "alpha", **request: Any) -> httpx.Response:
        return await self.send("POST", BASE + path, key, **request)

    async def put(self, path: str, key: str | None = "alpha", **request: Any) -> httpx.Response:
        return await self.send("PUT", BASE + path, key, **request)

    async def load(self, batch_id: int = 1, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Store a batch of alpha's; its answer's data."""
        body = {"batch_id": batch_id, "data": [ITEM] * count, **fields}
        answer = await self.post("/queues/insertdataincallqueue/", json=body)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database with servers and clients, to be copied, and the clients' keys by accountcode."""
    path = tmp_path_factory.mktemp("api") / "settled.db"
    return path, asyncio.run(_settle(open_store(f"sqlite+aiosqlite:///{path}")))


async def _settle(store: Store) -> dict[str, str]:
    await store.open()
    keys = {"root": BOOTSTRAP}
    for code in ("server1", "server2"):
        await store.add_server(make_server(0, code=code), NOW)
    for name, fields in (
        ("alpha", {"endpoint": "trunk"}),
        ("beta", {}),
        ("chief", {"is_superuser": True}),
    ):
        keys[name], stored = make_key(await store.installation_secret())
        client = make_client(0, accountcode=name, username=name, **fields)
        await store.add_client(client, stored, NOW)
    await store.close()
    return keys


@pytest.fixture
async def store(settled: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[Store]:
    path = tmp_path / "dialer.db"
    shutil.copy(settled[0], path)
    store = open_store(f"sqlite+aiosqlite:///{path}")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def api(store: Store, settled: tuple[Path, dict[str, str]]) -> AsyncIterator[Api]:
    clock, signals, closing = StandingClock(), Woken(), Closing()
    ready = {"store": True, "worker": True}
    settings = Settings(
        _env_file=None,
        superuser_api_key=SecretStr(BOOTSTRAP),
        signing_key=SecretStr("k" * 32),
        max_body_bytes=10**6,
    )
    app = create_api(
        ApiDeps(
            store=store,
            settings=settings,
            clock=clock,
            ids=Ids(os.urandom),
            signals=signals,
            close_item=closing,
            readiness=lambda: ready,
        )
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Api(http, app, store, clock, signals, closing, ready, dict(settled[1]))
