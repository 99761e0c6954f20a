"""What the store costs: ingest, and a call's whole life (reserve, settle, two deliveries).

    python -m bench.store [--calls 20000] [--batches 50] [--concurrency 200] [--postgres]

Beside each stands its limit on this machine: the same rows inserted by bare sqlite3 (executemany,
a thousand rows a commit), with the same durability. One run, one file system, one line a figure.
With --postgres: on a PostgreSQL that it starts (fsync on), beside COPY of the same rows.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import asyncpg

from dialer.cdr import Cdr
from dialer.store.contract import (
    Candidate,
    Client,
    DeliveryOutcome,
    NewBatch,
    NewDelivery,
    NewItem,
    Reservation,
    Server,
    Settlement,
    StoredKey,
)
from dialer.store.postgres import PostgresStore
from dialer.store.rows import dump_cdr, dump_json
from dialer.store.sql_store import SqlStore
from dialer.store.sqlite import SqliteStore
from tests.postgres_server import run_postgres

BATCH = 1000
DURABLE = ("listen_addresses=", "shared_buffers=256MB", "max_wal_size=4GB")
PAYLOAD = {
    "asterisk_server_code": "server1",
    "caller_id": "Your Company <1001>",
    "action": {
        "Action": "Originate",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30",
        "Timeout": 30000,
        "CallerID": "Your Company <1001>",
        "EarlyMedia": True,
        "Async": True,
    },
    "retry": 3,
    "create_recording": True,
    "recording_format": "wav",
    "queue_type": "outbound",
    "call_timeout": 30,
    "contact_number": 1234567890,
    "project": "campaign_2024",
}
BODY = dump_json({"event_type": "call_completed", "custom_data": PAYLOAD})


def make_batch(number: int, queue_id: int | None) -> NewBatch:
    payload = dump_json(PAYLOAD)
    items = [
        NewItem(1, f"0192d3c4-{number:06d}-{i:06d}", "1234567890", "1001", payload, retry=3)
        for i in range(BATCH)
    ]
    return NewBatch(1, number, f"digest-{number}", queue_id, "bench", (), items, 1.75e9)


def make_settlement(item: Candidate, channel_id: str, cdr_id: str) -> Settlement:
    cdr = Cdr(
        cdr_id, item.call_id, channel_id, 1, "bench", item.queue_id, item.id, item.batch_id,
        "server1", 1, True, None, item.number, item.caller_id, "answered", 1.75e9, 1.75e9 + 1,
        1.75e9 + 2, 1.75e9 + 9, False, 9, 7, 1, True, 16, "Normal Clearing", 200, 4, "ANSWER",
        None, None,
    )  # fmt: skip
    deliveries = (
        NewDelivery("callback", 1, "http://a", "http://a/c", "POST", cdr_id, BODY, 1.75e9),
        NewDelivery("sgapi", 1, "sgapi", "http://b/c", "PUT", cdr_id, BODY, 1.75e9),
    )
    return Settlement(
        channel_id, item.id, item.queue_id, cdr, True, None, False, deliveries, 1.75e9, 0
    )


async def live(store: SqlStore, item: Candidate, numbers: Iterator[int]) -> None:
    """One call: three awaits that are on disk when they resolve."""
    name = f"0192d3c4-aaaa-7000-8000-{next(numbers):012d}"
    reservation = Reservation(
        item.id, 1, item.queue_id, 1, 1, name, f"action-{name}", f"cdr-{name}", 1.75e9, 0
    )
    assert await store.reserve(reservation)
    stored = await store.settle(make_settlement(item, name, f"cdr-{name}"))
    outcomes = [DeliveryOutcome(d.id, True, False, None, 200, None, 1.75e9 + 1) for d in stored]
    assert all(await asyncio.gather(*map(store.record_delivery, outcomes)))


async def measure(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """(wall, CPU of all threads) in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - wall, time.process_time() - cpu


async def bench_ingest(store: SqlStore, batches: int) -> None:
    first = await store.insert_batch(make_batch(0, None))
    made = [make_batch(number, first.queue_id) for number in range(1, batches)]

    async def work() -> None:
        await asyncio.gather(*map(store.insert_batch, made))

    wall, cpu = await measure(work)
    rows = len(made) * BATCH
    print(
        f"ingest            {rows / wall:10,.0f} items/s   {cpu / rows * 1e6:6.1f} us CPU an item"
    )


async def bench_calls(store: SqlStore, calls: int, concurrency: int) -> None:
    numbers = count(1)
    items = iter(await store.waiting(1, 1, 0, calls))

    async def dial() -> None:
        for item in items:
            await live(store, item, numbers)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(dial())

    wall, cpu = await measure(work)
    print(
        f"reserve+settle+2  {calls / wall:10,.0f} calls/s   {cpu / calls * 1e6:6.1f} us CPU a call"
    )


def bench_bare(path: Path, calls: int) -> None:
    """The rows that the calls above made, inserted and nothing else."""
    cdr = dump_cdr(make_settlement_of_nothing().cdr)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE items (id INTEGER PRIMARY KEY, call_id, payload);"
            "CREATE TABLE cdrs (id INTEGER PRIMARY KEY, cdr_id UNIQUE, record);"
            "CREATE TABLE deliveries (id INTEGER PRIMARY KEY, body);"
        )
        payload = dump_json(PAYLOAD)
        rows = [(f"call-{i}", payload) for i in range(calls)]
        _insert(connection, "items", "INSERT INTO items (call_id, payload) VALUES (?, ?)", rows)
        rows = [(f"cdr-{i}", cdr) for i in range(calls)]
        _insert(connection, "cdrs", "INSERT INTO cdrs (cdr_id, record) VALUES (?, ?)", rows)
        bodies = [(BODY,) for _ in range(2 * calls)]
        _insert(connection, "deliveries", "INSERT INTO deliveries (body) VALUES (?)", bodies)


def make_settlement_of_nothing() -> Settlement:
    item = Candidate(
        1, 1, 1, 1, False, "call", "1", None, PAYLOAD, 0, 0, 0, None, None, None, 1, 1.75e9
    )
    return make_settlement(item, "0192d3c4-aaaa-7000-8000-000000000000", "cdr")


def _insert(
    connection: sqlite3.Connection, name: str, sql: str, rows: Sequence[tuple[str, ...]]
) -> None:
    start = time.perf_counter()
    for place in range(0, len(rows), BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql, rows[place : place + BATCH])
        connection.execute("COMMIT")
    wall = time.perf_counter() - start
    print(
        f"bare {name:12} {len(rows) / wall:10,.0f} rows/s    {wall / len(rows) * 1e6:6.1f} us a row"
    )


async def bench(options: argparse.Namespace, store: SqlStore) -> None:
    await store.open()
    await store.add_server(Server(0, "server1", "127.0.0.1", 5038, "dialer"), 1.75e9)
    await store.add_client(Client(0, "bench", "bench", "bench"), StoredKey("l", "d"), 1.75e9)
    await bench_ingest(store, options.batches)
    await bench_calls(store, min(options.calls, options.batches * BATCH), options.concurrency)
    await store.close()


async def bench_copy(dsn: str, calls: int) -> None:
    """The rows of ingest by COPY into the very table, a thousand rows a commit."""
    columns = ("client_id", "queue_id", "server_id", "call_id", "number", "payload", "retry",
               "created_at")  # fmt: skip
    connection = await asyncpg.connect(dsn)
    payload = dump_json(PAYLOAD)
    rows = [(1, 1, 1, f"copied-{i}", "1234567890", payload, 3, 1) for i in range(calls)]
    start = time.perf_counter()
    for place in range(0, len(rows), BATCH):
        await connection.copy_records_to_table(
            "items", records=rows[place : place + BATCH], columns=columns
        )
    wall = time.perf_counter() - start
    await connection.close()
    print(f"COPY items        {calls / wall:10,.0f} rows/s    {wall / calls * 1e6:6.1f} us a row")


def bench_postgres(options: argparse.Namespace, folder: Path) -> None:
    with run_postgres(DURABLE) as server:
        url = server.make_database()
        asyncio.run(bench(options, PostgresStore(url, folder)))
        asyncio.run(bench_copy(url.replace("+asyncpg", ""), options.calls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="whose disk is measured")
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if options.postgres:
            bench_postgres(options, folder)
            return
        asyncio.run(bench(options, SqliteStore(f"sqlite+aiosqlite:///{folder / 'store.db'}")))
        bench_bare(folder / "bare.db", options.calls)


if __name__ == "__main__":
    main()
