"""Several workers over PostgreSQL and Redis, as fast as they go: each call durable, two deliveries.

    python -m bench.cluster_rate --workers 2 [--servers 2] [--clients 2] [--calls 6000] [--cps 100]

Everything runs on this machine, over its loopback: PostgreSQL (fsync on), Redis, `dialer api`,
workers and deliverers as processes of their own, a simulated Asterisk a server, both sinks. Prints
calls a second from the first Originate to the last delivery and what a call cost everybody:
where all share a few cores, perhaps with other programs, the second is what can be reckoned with.
"""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from bench.sink_process import Sinks, run_sinks
from bench.usage import (
    Use,
    add_waits,
    find_postmaster,
    find_redis,
    read_counters,
    read_cpu,
    read_family_cpu,
    read_redis,
    read_wal,
    sum_cpu,
)
from bench.worker_rate import run_simulator
from dialer.store.contract import Server
from dialer.store.postgres import PostgresStore
from tests.acceptance.processes import Part, Parts
from tests.postgres_server import PostgresServer, run_postgres
from tests.redis_server import RedisServer

KEY: Final = "bench-superuser"
SECRET: Final = "BENCH_SECRET"
BATCH: Final = 1000
LOOK: Final = 0.1
FAR_ENDS: Final = "(simulators, sinks, this program)"
DURABLE: Final = (
    "listen_addresses=", "shared_buffers=256MB", "max_wal_size=4GB", "max_connections=300",
)  # fmt: skip


@dataclass(slots=True)
class Scene:
    """What is measured, and by whom it is asked."""

    options: argparse.Namespace
    postgres: PostgresServer
    redis: RedisServer
    sinks: Sinks
    ports: Sequence[int]
    store: PostgresStore
    connection: "asyncpg.Connection[asyncpg.Record]"
    parts: Parts

    def of(self, role: str) -> list[int]:
        return [part.process.pid for part in self.parts.running if part.role == role]

    async def look(self) -> Use:
        cpu = {role: sum_cpu(self.of(role)) for role in ("worker", "deliver")}
        cpu["postgresql"] = read_family_cpu(find_postmaster(self.postgres))
        cpu["redis"] = read_cpu(find_redis(self.redis))
        far_ends = [child.pid for child in active_children() if child.pid is not None]
        cpu[FAR_ENDS] = sum_cpu(far_ends) + read_cpu(os.getpid())
        return Use(cpu, await read_wal(self.connection), read_redis(self.redis))


async def add_servers(scene: Scene) -> None:
    for number, port in enumerate(scene.ports, 1):
        server = Server(
            0, f"pbx{number}", "127.0.0.1", port, "dialer", secret_env=SECRET,
            max_channels=scene.options.channels, max_cps=scene.options.cps, paused=True,
        )  # fmt: skip
        await scene.store.add_server(server, time.time())


async def load(scene: Scene, url: str) -> None:
    """Every client gets a queue with its share of the calls: for all servers in turn, so that all
    workers share it, or `apart`, for one server."""
    share = scene.options.calls // scene.options.clients
    async with httpx.AsyncClient(base_url=url, timeout=60.0) as http:
        keys = [await add_client(scene, http, f"bench{n}") for n in range(scene.options.clients)]
        for place, key in enumerate(keys):
            await load_queue(scene, http, key, place, share)


async def add_client(scene: Scene, http: httpx.AsyncClient, name: str) -> str:
    channels = scene.options.channels * len(scene.ports)
    body = {
        "name": name,
        "accountcode": name,
        "username": name,
        "allocated_channels": channels,
        "callbackurl": f"{scene.sinks.callback_url}/{name}",
    }
    made = await http.post("/clients/", headers={"Authorization": f"Bearer {KEY}"}, json=body)
    made.raise_for_status()
    await scene.store.change_client(name, {"max_cps": None}, time.time())
    key: str = made.json()["api_key"]
    return key


async def load_queue(
    scene: Scene, http: httpx.AsyncClient, key: str, place: int, count: int
) -> None:
    queue_id, first, apart = None, place * count, scene.options.apart
    for batch_id, start in enumerate(range(first, first + count, BATCH), 1):
        numbers = range(start, min(start + BATCH, first + count))
        data = [
            {
                "asterisk_server_code": f"pbx{(place if apart else n) % len(scene.ports) + 1}",
                "action": {
                    "Action": "Originate",
                    "Channel": f"PJSIP/7{n:07d}08@carrier",
                    "Application": "Wait",
                    "Data": "30",
                },
            }
            for n in numbers
        ]
        body = {"batch_id": batch_id, "queue_id": queue_id, "data": data}
        headers = {"Authorization": f"Bearer {key}"}
        answer = await http.post("/queues/insertdataincallqueue/", headers=headers, json=body)
        answer.raise_for_status()
        queue_id = answer.json()["data"]["queue_id"]


async def until_spread(scene: Scene) -> None:
    """Until every server has a link, and every worker its share of them."""
    share = len(scene.ports) // scene.options.workers
    async with asyncio.timeout(60.0):
        while True:
            notes = [note.value for note in (await scene.store.runtime()).values()]
            driven = [
                sum(note["links"].get(code) == "up" for code in note["drives"])
                for note in notes
                if isinstance(note, dict) and "drives" in note
            ]
            if sum(driven) == len(scene.ports) and min(driven) >= share:
                return
            await asyncio.sleep(LOOK)


async def run_calls(scene: Scene, waits: Counter[str]) -> tuple[float, Use]:
    """From the moment at which the servers may be used to the last delivery."""
    before, began = await scene.look(), time.monotonic()
    for number in range(len(scene.ports)):
        await scene.store.change_server(f"pbx{number + 1}", {"paused": False}, time.time())
    while True:
        await add_waits(scene.connection, waits)
        totals = await scene.store.totals()
        waiting = sum(n for name, n in totals.deliveries.items() if name.endswith("pending"))
        if totals.cdrs >= scene.options.calls and not waiting:
            break
        await asyncio.sleep(LOOK)
    return time.monotonic() - began, (await scene.look()).since(before)


async def measure(options: argparse.Namespace, stack: AsyncExitStack) -> None:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    postgres = stack.enter_context(run_postgres(DURABLE))
    redis = stack.enter_context(RedisServer())
    sinks = stack.enter_context(run_sinks())
    pipes = [stack.enter_context(run_simulator(options.scale)) for _ in range(options.servers)]
    url = postgres.make_database()
    store = PostgresStore(url, folder)
    await store.open()
    stack.push_async_callback(store.close)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    stack.push_async_callback(connection.close)
    settings = {
        "DIALER_DATABASE_URL": url,
        "DIALER_REDIS_URL": redis.url,
        "DIALER_HTTP_PORT": "0",
        "DIALER_LOG_FORMAT": "json",
        "DIALER_SUPERUSER_API_KEY": KEY,
        "DIALER_SIGNING_KEY": "of a measurement, thirty-two characters long",
        "DIALER_CALLBACK_ALLOW_PRIVATE": "true",
        "DIALER_SGAPI_URL": sinks.sgapi_url,
        SECRET: "dialer-lab",
    }
    parts = await stack.enter_async_context(Parts(folder, settings))
    ports = [port for port, _ in pipes]
    scene = Scene(options, postgres, redis, sinks, ports, store, connection, parts)
    await add_servers(scene)
    await measure_scene(scene)
    for _, pipe in pipes:
        pipe.send("end")
        pipe.recv()


async def measure_scene(scene: Scene) -> None:
    options = scene.options
    api = await scene.parts.start("api")
    await load(scene, api.url)
    roles = ["worker"] * options.workers + ["deliver"] * options.deliverers
    started: list[Part] = [await scene.parts.start(role) for role in roles]
    await until_spread(scene)
    await asyncio.sleep(2.0)  # what starting costs is none of a call's
    counted = await read_counters(scene.connection)
    waits: Counter[str] = Counter()
    elapsed, use = await run_calls(scene, waits)
    for part in started:
        await part.end()
    await asyncio.sleep(1.0)
    after = await read_counters(scene.connection)
    tell(scene, elapsed, use, {name: after[name] - counted[name] for name in counted}, waits)


def tell(
    scene: Scene, elapsed: float, use: Use, rows: Mapping[str, Any], waits: Counter[str]
) -> None:
    calls = scene.options.calls
    callbacks, sgapi, twice = scene.sinks.collect()
    apart = " apart" if scene.options.apart else ""
    print(
        f"{scene.options.workers} worker(s), {len(scene.ports)} server(s), "
        f"{scene.options.clients} client(s){apart}, {scene.options.deliverers} deliverer(s), "
        f"{calls} calls (callbacks {len(callbacks)}, SGAPI {len(sgapi)}, twice {twice}), "
        f"load {os.getloadavg()[0]:.1f}"
    )
    share = sum(use.cpu.values()) / elapsed / (os.cpu_count() or 1)
    print(f"  {calls / elapsed:.0f} calls/s with {100 * share:.0f} % of this machine's CPU")
    spent = ", ".join(f"{name} {1000 * cpu / calls:.2f}" for name, cpu in use.cpu.items())
    print(f"  ms of CPU a call: {spent}")
    told = ", ".join(f"{name} {count / calls:.2f}" for name, count in rows.items() if count)
    print(f"  PostgreSQL a call: WAL {use.wal_bytes / calls:.0f} bytes, {told}")
    commands = sorted(use.redis.items(), key=lambda pair: -pair[1])
    told = ", ".join(f"{name} {count / calls:.2f}" for name, count in commands if count > 9)
    print(f"  Redis a call: {told}")
    looks = sum(waits.values()) or 1
    told = ", ".join(f"{what} {100 * n / looks:.0f} %" for what, n in waits.most_common(6))
    print(f"  sessions at work: {told}")
    said = count_warnings(scene.parts.running)
    told = ", ".join(f"{event} {times}" for event, times in said.most_common(6))
    print(f"  warnings: {told or 'none'}", flush=True)


def count_warnings(parts: Sequence[Part]) -> Counter[str]:
    """What their logs say that is more than information, by event: a machine that is too busy has
    workers lose their leases, and such a run measures nothing else."""
    said: Counter[str] = Counter()
    for part in parts:
        for line in part.log.read_text(encoding="utf-8").splitlines():
            record = json.loads(line) if line.startswith("{") else {"level": "raw", "event": line}
            if record["level"] != "info":
                said[record["event"]] += 1
    return said


async def run(options: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    # What was started is ended whoever ends this.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        await measure(options, stack)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--servers", type=int, help="as many as workers, unless told")
    parser.add_argument("--clients", type=int, default=1, help="each has one queue")
    parser.add_argument("--apart", action="store_true", help="each queue is for one server")
    parser.add_argument("--deliverers", type=int, default=1)
    parser.add_argument("--calls", type=int, default=6000)
    parser.add_argument("--channels", type=int, default=300, help="of each server")
    parser.add_argument("--cps", type=float, help="of each server; none: all that goes")
    parser.add_argument("--scale", type=float, default=0.1, help="of what calls last")
    options = parser.parse_args()
    options.servers = options.servers or options.workers
    options.calls -= options.calls % options.clients
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
