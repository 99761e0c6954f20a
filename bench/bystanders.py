"""What others notice while one client's long reads, or a flush of very much, are under way.

    .venv/bin/python -m bench.bystanders [--items 1000000] [--flushed 300000] [--seconds 8]

Key look-ups, batches of ten items, reservations and another client's searches come at a steady
rate, whether or not the ones before were answered, and how long each took is told as p50 / p99:

- alone;
- while one client has eight searches under way, on connections that everybody shares, page and
  total looked for one after the other (as it would be without `dialer.store.searches`);
- the same on the connection that the store keeps for searches;
- while a client's flush is answered, and while the rest of it is finished as the worker does that.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from bench.store import BATCH, make_batch
from dialer.reporting import Reporter
from dialer.store import reading
from dialer.store import tables as t
from dialer.store.contract import (
    Candidate,
    Client,
    EndedItem,
    NewBatch,
    NewDelivery,
    NewItem,
    Reservation,
    Server,
    StoredKey,
)
from dialer.store.sqlite import SqliteStore
from dialer.upkeep import EXPIRE_AT_ONCE, UNFINISHED

NOW = 1.75e9
HAMMERING = 8
EVERY = {"key look-up": 0.01, "ingest of 10": 0.05, "reservation": 0.02, "other's search": 0.5}
"""Seconds between two of each."""

Rows = list[list[Any]]


class SharedReads:
    """Searches on the readers that everything else uses, two scans each, no turns."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def fetch(self, _client_id: int, *queries: Select[Any]) -> list[Rows]:
        return [await self._store._fetch(query) for query in queries]

    async def fetch_page(
        self, _client_id: int, conditions: list[ColumnElement[bool]], offset: int, limit: int
    ) -> tuple[Rows, int]:
        found = await self._store._fetch(reading.page_of_items(conditions, offset, limit))
        counted = await self._store._fetch(select(func.count(t.items.c.id)).where(*conditions))
        return found, counted[0][0]


@dataclass(slots=True)
class Bystanders:
    """`calls`: items to be reserved; `small`: the queue of the other client's own searches."""

    store: SqliteStore
    calls: Iterator[Candidate]
    small: int
    numbers: Iterator[int] = field(default_factory=lambda: count(10**6))
    took: dict[str, list[float]] = field(default_factory=dict)

    @asynccontextmanager
    async def watched(self, title: str) -> AsyncIterator[None]:
        """Measure inside, then print."""
        self.took = {name: [] for name in EVERY}
        works = (self.look_up, self.insert, self.reserve, self.search)
        async with asyncio.TaskGroup() as group:
            probes = [
                group.create_task(self._probe(group, name, work))
                for name, work in zip(EVERY, works, strict=True)
            ]
            yield
            for probe in probes:
                probe.cancel()
        for name, times in self.took.items():
            print(f"{title:24} {name:15} {tell(times)}", flush=True)

    async def _probe(
        self, group: asyncio.TaskGroup, name: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        async def timed() -> None:
            start = time.perf_counter()
            await work()
            self.took[name].append(time.perf_counter() - start)

        while True:
            group.create_task(timed())
            await asyncio.sleep(EVERY[name])

    async def look_up(self) -> None:
        assert await self.store.client_by_key("key2") is not None

    async def insert(self) -> None:
        number = next(self.numbers)
        items = [NewItem(1, f"call-{number}-{i}", "1", None, "{}") for i in range(10)]
        await self.store.insert_batch(NewBatch(2, number, "d", None, "small", (), items, NOW))

    async def reserve(self) -> None:
        item, number = next(self.calls), next(self.numbers)
        ids = (f"channel-{number}", f"action-{number}", f"cdr-{number}")
        assert await self.store.reserve(Reservation(item.id, 2, item.queue_id, 1, 1, *ids, NOW, 0))

    async def search(self) -> None:
        await self.store.items(self.small, 0, 100, {"number": "2"})


def tell(times: list[float]) -> str:
    ordered = sorted(times)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99))
    return f"p50 {p50:8.2f} ms   p99 {p99:8.2f} ms   ({len(times)})"


async def hammer(store: SqliteStore, queue_id: int, seconds: float) -> int:
    """One client's searches, `HAMMERING` at a time: by number, by call_id, pages far down."""
    until, done = time.perf_counter() + seconds, 0

    async def go_on(offset: int, filters: dict[str, Any]) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await store.items(queue_id, offset, 100, filters)
            done += 1

    wanted: list[tuple[int, dict[str, Any]]] = [
        (0, {"number": "9"}), (0, {"call_id": "none"}), (500_000, {}), (100_000, {"number": "1"}),
    ]  # fmt: skip
    async with asyncio.TaskGroup() as group:
        for place in range(HAMMERING):
            group.create_task(go_on(*wanted[place % len(wanted)]))
    return done


async def fill(store: SqliteStore, items: int, first: int, client_id: int) -> int:
    """A queue with so many items; its id."""
    queue_id: int | None = None
    for number in range(first, first + max(items // BATCH, 1)):
        batch = make_batch(number, queue_id)
        made = NewBatch(client_id, number, batch.digest, queue_id, "big", (), batch.items, NOW)
        queue_id = (await store.insert_batch(made)).queue_id
    assert queue_id is not None
    return queue_id


async def finish(store: SqliteStore, close: Callable[[EndedItem], tuple[NewDelivery, ...]]) -> None:
    """What is left of a flush, as `dialer.upkeep` does it."""
    while await store.next_deadline() == UNFINISHED:
        await store.expire_items(NOW, EXPIRE_AT_ONCE, close)


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return await work, time.perf_counter() - start


async def bench(options: argparse.Namespace, folder: Path) -> None:
    store = SqliteStore(f"sqlite+aiosqlite:///{folder / 'store.db'}")
    await store.open()
    await store.add_server(Server(0, "server1", "127.0.0.1", 5038, "dialer"), NOW)
    for n in (1, 2, 3):
        client = Client(0, f"c{n}", f"c{n}", f"c{n}", callback_url="http://client.example/")
        await store.add_client(client, StoredKey(f"key{n}", "d"), NOW)
    big = await fill(store, options.items, 1, 1)
    flushed = await fill(store, options.flushed, 10_000, 3)
    calls = await fill(store, 20_000, 20_000, 2)
    small = await fill(store, 1000, 30_000, 2)
    others = Bystanders(store, iter(await store.waiting(calls, 1, 0, 20_000)), small)
    await compare_searches(store, others, big, options.seconds)
    await flush(store, others, flushed)
    await store.close()


async def compare_searches(
    store: SqliteStore, others: Bystanders, big: int, seconds: float
) -> None:
    async with others.watched("alone"):
        await asyncio.sleep(seconds)
    own = store._searches
    store._searches = SharedReads(store)  # type: ignore[assignment]
    async with others.watched("searches, shared"):
        done = await hammer(store, big, seconds)
    print(f"{'searches, shared':24} {done / seconds:.1f} searches/s")
    store._searches = own
    async with others.watched("searches, apart"):
        done = await hammer(store, big, seconds)
    print(f"{'searches, apart':24} {done / seconds:.1f} searches/s")


async def flush(store: SqliteStore, others: Bystanders, queue_id: int) -> None:
    reporter = Reporter(None, lambda _: None)

    def close(item: EndedItem) -> tuple[NewDelivery, ...]:
        return reporter.closing_of(item, NOW)

    async with others.watched("a flush, answered"):
        counted, seconds = await timed(store.flush(3, close, NOW))
    print(f"{'a flush, answered':24} {counted} items, after {seconds:.2f} s")
    before = (await store.queue(queue_id, None)).pending_count
    async with others.watched("a flush, its rest"):
        _, seconds = await timed(finish(store, close))
    print(f"{'a flush, its rest':24} {before} items in {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--flushed", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="whose disk is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(bench(options, Path(folder)))


if __name__ == "__main__":
    main()
