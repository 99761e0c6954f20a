"""Batches of 1000 items over HTTP into a product in a process of its own: durable, then answered.

    .venv/bin/python -m bench.ingest [--batches 200] [--connections 8] [--rate 20]

First as fast as it goes over some connections; then batches that arrive at a steady rate, whether
or not the ones before are answered (open loop). Beside them the same rows, with the same indexes,
inserted by bare sqlite3 with a commit for each thousand.
"""

import argparse
import asyncio
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp

from bench.loop_watch import LoopWatch
from bench.validate import dump, make_item
from dialer.app import Product
from dialer.settings import load_settings
from dialer.store.contract import Server

BATCH = 1000
KEY = "bench-superuser"
NOWHERE = 9  # the discard port: the link stays down, nothing is dialed


async def _serve(pipe: "Connection[Any, Any]", database: Path) -> None:
    settings = load_settings(
        env_file=None,
        database_url=f"sqlite+aiosqlite:///{database}",
        http_port=0,
        superuser_api_key=KEY,
    )
    product = Product(settings)
    await product.start()
    server = Server(0, "server1", "127.0.0.1", NOWHERE, "dialer", secret_env="HOME", paused=True)
    await product.store.add_server(server, time.time())
    pipe.send(product.http_port)
    loop = asyncio.get_running_loop()
    watch = LoopWatch()
    watch.install()
    while await loop.run_in_executor(None, pipe.recv) == "collect":
        used = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((used.ru_utime + used.ru_stime, watch.longest, watch.worst))
        watch.longest, watch.worst = 0.0, []
    watch.uninstall()
    await product.stop(0.0)


def _main(pipe: "Connection[Any, Any]", database: Path) -> None:
    asyncio.run(_serve(pipe, database))


@contextmanager
def run_product(database: Path) -> Iterator[tuple[int, "Connection[Any, Any]"]]:
    """A product in a process of its own: its HTTP port, and the pipe that asks and ends it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, database), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        ours.send("end")
        process.join(10)
        if process.is_alive():
            process.kill()


@dataclass(slots=True)
class Poster:
    """Posts one body over and over, each time under another batch id."""

    http: aiohttp.ClientSession
    headers: dict[str, str]
    tail: bytes
    last: int = 0

    async def post(self) -> float:
        """One batch; seconds until it was answered."""
        self.last += 1
        body = b'{"batch_id": %d, ' % self.last + self.tail
        started = time.perf_counter()
        url = "/calling/api/queues/insertdataincallqueue/"
        async with self.http.post(url, data=body, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        return time.perf_counter() - started


async def make_poster(http: aiohttp.ClientSession) -> Poster:
    tail = dump([make_item(number) for number in range(BATCH)]).partition(b", ")[2]
    made = await http.post(
        "/calling/api/clients/",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"name": "b", "accountcode": "b", "username": "b"},
    )
    assert made.status == 200, await made.text()
    key = (await made.json())["api_key"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return Poster(http, headers, tail)


async def post_all(poster: Poster, batches: int, connections: int) -> float:
    """As fast as it goes; seconds."""
    left = iter(range(batches))

    async def send() -> None:
        for _ in left:
            await poster.post()

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(connections)))
    return time.perf_counter() - started


async def post_steadily(poster: Poster, batches: int, rate: float) -> list[float]:
    """One every 1/`rate` seconds; how long each took, sorted."""
    started = time.perf_counter()
    posts = []
    for number in range(batches):
        await asyncio.sleep(started + number / rate - time.perf_counter())
        posts.append(asyncio.ensure_future(poster.post()))
    return sorted(await asyncio.gather(*posts))


async def measure(port: int, pipe: "Connection[Any, Any]", options: argparse.Namespace) -> float:
    def ask() -> tuple[float, float, list[tuple[float, str]]]:
        pipe.send("collect")
        answer: tuple[float, float, list[tuple[float, str]]] = pipe.recv()
        return answer

    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        poster = await make_poster(http)
        await post_all(poster, options.connections, options.connections)
        before = ask()[0]
        elapsed = await post_all(poster, options.batches, options.connections)
        spent, held, _ = ask()
        items = options.batches * BATCH
        print(
            f"{options.connections} connections: {items / elapsed:,.0f} items/s, "
            f"{1e6 * (spent - before) / items:.1f} us of CPU an item, "
            f"loop held {1000 * held:.1f} ms"
        )
        took = await post_steadily(poster, options.batches, options.rate)
        _, held, worst = ask()
        p50, p99 = (1000 * took[int(len(took) * share)] for share in (0.5, 0.99))
        print(
            f"{options.rate:g} batches/s: answered p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
            f"at most {1000 * took[-1]:.1f} ms, loop held {1000 * held:.1f} ms"
        )
        for spent, what in worst[:3]:
            print(f"   {1000 * spent:.1f} ms  {what}")
    return float(items / elapsed)


def insert_bare(database: Path, copy: Path) -> float:
    """The same rows into a table with the same indexes; rows a second."""
    with closing(sqlite3.connect(database)) as source:
        rows = source.execute("SELECT * FROM items").fetchall()
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'items' AND sql NOT NULL"
        statements = [sql for (sql,) in source.execute(made)]
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        for statement in statements:
            target.execute(statement)
        insert = f"INSERT INTO items VALUES ({', '.join('?' * len(rows[0]))})"
        started = time.perf_counter()
        for place in range(0, len(rows), BATCH):
            target.execute("BEGIN IMMEDIATE")
            target.executemany(insert, rows[place : place + BATCH])
            target.execute("COMMIT")
        elapsed = time.perf_counter() - started
    return len(rows) / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rate", type=float, default=20.0, help="batches a second, open loop")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with run_product(folder / "bench.db") as (port, pipe):
            reached = asyncio.run(measure(port, pipe, options))
        bare = insert_bare(folder / "bench.db", folder / "bare.db")
        print(
            f"bare insert of the same rows: {bare:,.0f} rows/s; reached {reached / bare:.2f} of it"
        )


if __name__ == "__main__":
    main()
