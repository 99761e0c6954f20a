"""API, workers and deliverers as processes of their own, over PostgreSQL and Redis."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.sinks import CallbackSink, SgapiSink
from dialer.store import open_store
from dialer.store.contract import Server
from tests.acceptance.processes import Part, Parts
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer

pytestmark = pytest.mark.realtime

SUPERUSER = "superuser-of-a-test"
SECRET_ENV = "PARTS_SECRET"
CALLS = 40
MISSED = CALLS // 4
"""Calls that may end, on a busy machine, while their server goes from one worker to the next: those
are `unknown`."""


@dataclass
class Cluster:
    """Two simulated Asterisks, both sinks, and a client with a batch for each server."""

    parts: Parts
    asterisks: list[Simulator]
    callbacks: CallbackSink
    sgapi: SgapiSink
    changed: asyncio.Event

    async def register(self, api: Part, max_cps: float | None = None) -> str:
        """Servers as the command line adds them, a client over HTTP; its key."""
        body = {
            "name": "acme",
            "accountcode": "acme",
            "username": "acme",
            "allocated_channels": 20,
            "callbackurl": f"{self.callbacks.origin}/acme",
        }
        answer = await self.post(api, SUPERUSER, "/clients/", body)
        store = open_store(self.parts.settings["DIALER_DATABASE_URL"], self.parts.folder)
        await store.open()
        for code, asterisk in zip(("pbx1", "pbx2"), self.asterisks, strict=True):
            server = Server(0, code, "127.0.0.1", asterisk.port, "dialer", secret_env=SECRET_ENV)
            await store.add_server(server, time.time())
        await store.change_client("acme", {"max_cps": max_cps}, time.time())
        await store.close()
        key: str = answer["api_key"]
        return key

    async def post(self, api: Part, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=PATIENCE) as http:
            answer = await http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def load(self, api: Part, key: str, batch_id: int, ending: str) -> None:
        data = [
            {
                "asterisk_server_code": code,
                "action": {
                    "Action": "Originate",
                    "Channel": f"PJSIP/{batch_id}{number:04}{ending}@carrier",
                    "Application": "Wait",
                    "Data": "30",
                },
            }
            for number in range(CALLS // 2)
            for code in ("pbx1", "pbx2")
        ]
        body = {"batch_id": batch_id, "data": data}
        await self.post(api, key, "/queues/insertdataincallqueue/", body)

    @property
    def originates(self) -> int:
        return sum(asterisk.counters.originates for asterisk in self.asterisks)

    def told(self) -> Counter[str]:
        """How many calls ended how, as the client was told."""
        return Counter(body["disposition"] for body in self.callbacks.bodies.values())

    def most_rings(self) -> int:
        """How often the ChannelId that rang most often did."""
        calls = [call.channel_id for asterisk in self.asterisks for call in asterisk.calls]
        return max(Counter(calls).values())

    async def until_delivered(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.callbacks.bodies) < count or len(self.sgapi.cdrs) < count:
                self.changed.clear()
                await self.changed.wait()

    async def until_dialed(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.originates < count:  # noqa: ASYNC110 (they tell nobody)
                await asyncio.sleep(0)


@pytest.fixture
async def cluster(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        changed = asyncio.Event()
        callbacks, sgapi = CallbackSink(), SgapiSink()
        for sink in (callbacks, sgapi):
            await stack.enter_async_context(sink)
            sink.watch(changed.set)
        asterisks = []
        for _ in range(2):
            asterisk = Simulator(SimulatorConfig(scale=0.1))
            await asterisk.start()
            stack.push_async_callback(asterisk.stop)
            asterisks.append(asterisk)
        settings = {
            "DIALER_DATABASE_URL": postgres.make_database(),
            "DIALER_REDIS_URL": redis.url,
            "DIALER_HTTP_PORT": "0",
            "DIALER_SUPERUSER_API_KEY": SUPERUSER,
            "DIALER_SIGNING_KEY": "of the tests, thirty-two characters long",
            "DIALER_CALLBACK_ALLOW_PRIVATE": "true",
            "DIALER_SGAPI_URL": sgapi.origin,
            "DIALER_HEALTH_PORT": "0",
            SECRET_ENV: "dialer-lab",
        }
        parts = await stack.enter_async_context(Parts(tmp_path, settings))
        yield Cluster(parts, asterisks, callbacks, sgapi, changed)


async def test_two_of_each_do_all_of_it_while_they_come_and_go(cluster: Cluster) -> None:
    start = cluster.parts.start
    api, second_api, worker, deliverer, second_deliverer = await asyncio.gather(
        *map(start, ("api", "api", "worker", "deliver", "deliver"))
    )
    key = await cluster.register(api)
    await cluster.load(api, key, 1, "08")
    await cluster.until_delivered(CALLS)
    second = await start("worker")
    assert "2 workers running" in await cluster.parts.command("status")
    await cluster.load(second_api, key, 2, "07")  # calls of 3 s
    await cluster.until_dialed(CALLS + 10)
    ended = await asyncio.gather(worker.end(), deliverer.end())
    await cluster.until_delivered(2 * CALLS)
    assert set(ended) == {0}
    assert cluster.originates == 2 * CALLS
    told = cluster.told()
    assert told["answered"] + told["unknown"] == 2 * CALLS
    assert told["unknown"] <= MISSED
    assert await second.end(signal.SIGTERM) == 0
    assert [await part.end() for part in (api, second_api, second_deliverer)] == [0, 0, 0]
    for part in cluster.parts.running:
        assert "Traceback" not in part.log.read_text()


async def test_a_worker_that_stood_still_writes_nothing_of_before(cluster: Cluster) -> None:
    api, deliverer, *workers = await asyncio.gather(
        *map(cluster.parts.start, ("api", "deliver", "worker", "worker"))
    )
    key = await cluster.register(api, max_cps=8.0)
    await cluster.load(api, key, 1, "08")
    await cluster.until_dialed(6)
    frozen = workers[0].process
    sessions = [asterisk.counters.sessions for asterisk in cluster.asterisks]
    frozen.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE):
        while sessions == [a.counters.sessions for a in cluster.asterisks]:  # noqa: ASYNC110
            await asyncio.sleep(0)  # its server gets a link of the other's
    frozen.send_signal(signal.SIGCONT)
    await cluster.until_delivered(CALLS)
    # What was on disk when it was stopped and had not left, nobody else can know: it is `unknown`.
    told = cluster.told()
    assert told.keys() <= {"answered", "unknown"}
    assert CALLS - told["unknown"] <= cluster.originates <= CALLS
    assert cluster.most_rings() == 1
    assert await workers[0].end() == 0
    assert "lease" in workers[0].log.read_text()
    assert [await part.end() for part in (workers[1], api, deliverer)] == [0, 0, 0]
