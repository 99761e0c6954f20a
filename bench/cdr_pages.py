"""What a page of a long history costs: 5 million CDRs of one client, beside those of others.

    python -m bench.cdr_pages [--cdrs 5000000] [--folder .] [--limit 100]

Builds the history in a temporary folder (some 8 GB; it is removed), with the rows, blocks and
indexes that a worker's writes make, and prints for each question the times of its pages: the first
time it is asked, and the median and the worst of further times. Pages are asked by their number;
each has its exact total. Last, how quickly a stream goes and how much memory it takes.
"""

import argparse
import asyncio
import random
import resource
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median

from dialer.cdr import Cdr
from dialer.histories import App, CdrQuery, HourWindow
from dialer.ids import uuid7
from dialer.store.bulk import Row
from dialer.store.cdr_rows import COLUMNS, insert_cdrs, make_row
from dialer.store.contract import Client, NewBatch, NewItem, Server, StoredKey
from dialer.store.sqlite import SqliteStore

BEGUN = 1_750_000_000.0
EVERY = 0.5  # seconds between two calls: five million in a month
OTHERS = 10  # of so many CDRs one is another client's
AT_ONCE = 500
REPEATS = 20
STREAMED = 200_000

ENDS = ("answered",) * 4 + ("no-answer",) * 3 + ("busy",) * 2 + ("failed",)
CDR = Cdr(
    "cdr-id", "call-id", "channel-id", 1, "bench", 1, 1, 1, "server1", 1, True, None, "9800000000",
    '"Your Company" <1001>', "answered", BEGUN, BEGUN + 1, BEGUN + 2, BEGUN + 9, False, 9, 7, 1,
    True, 16, "Normal Clearing", 200, 4, "ANSWER", None, None, "Dial",
    "PJSIP/0987654321@endpoint2,30", "campaign_2024", "1234567890",
    sip_call_id="sip-call-id",
)  # fmt: skip
CHANGED = (
    "attempt_id", "cdr_id", "client_id", "number", "disposition", "started_at", "ended_at",
    "duration", "call_id", "sip_call_id", "shelf", "record",
)  # fmt: skip
PLACES = tuple(COLUMNS.index(name) for name in CHANGED)


def make_rows(count: int, chance: random.Random) -> Iterator[Row]:
    """Rows in the order in which their calls ended."""
    template = list(make_row(CDR, 0, 1, 1))
    record = template[PLACES[-1]]
    for place in range(1, count + 1):
        end = BEGUN + place * EVERY
        duration = chance.randrange(90)
        start, name = end - duration, uuid7(int(end * 1000), place, 0)
        number, sip_call_id = (
            f"98{chance.randrange(10**8):08}",
            str(uuid.UUID(int=chance.getrandbits(128))),
        )
        disposition = chance.choice(ENDS)
        written = record.replace("cdr-id", name).replace("9800000000", number)
        written = written.replace('"answered"', f'"{disposition}"')
        written = written.replace("sip-call-id", sip_call_id)
        client_id = 2 if place % OTHERS == 0 else 1
        values = (
            place, name, client_id, number, disposition, int(start * 1e6), int(end * 1e6),
            duration, name, sip_call_id, place >> 11, written,
        )  # fmt: skip
        for at, value in zip(PLACES, values, strict=True):
            template[at] = value
        yield tuple(template)


def build(path: Path, count: int) -> None:
    """Write the history as a worker does, save that it is not waited for the disk."""
    begun = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;"
        )
        cursor, rows = connection.cursor(), []
        cursor.execute("BEGIN")
        for row in make_rows(count, random.Random(1)):
            rows.append(row)
            if len(rows) == AT_ONCE:
                insert_cdrs(cursor, rows)
                rows.clear()
            if row[0] % 200_000 == 0:
                cursor.execute("COMMIT")
                cursor.execute("BEGIN")
        insert_cdrs(cursor, rows)
        cursor.execute("COMMIT")
    took = time.perf_counter() - begun
    size = path.stat().st_size / count
    print(f"built {count:,} CDRs in {took:,.0f} s, {size:,.0f} bytes each", flush=True)


async def time_pages(store: SqliteStore, name: str, query: CdrQuery, limit: int) -> None:
    """The pages of a question: first, middle, last."""
    begun = time.perf_counter()
    total = (await store.cdr_page(query, limit)).total or 0
    first = (time.perf_counter() - begun) * 1e3
    shown = [f"{name:24} {total:>9,} CDRs   asked first {first:8.1f} ms  "]
    for place, offset in (("first", 0), ("middle", total // 2), ("last", max(0, total - limit))):
        times = []
        for repeat in range(REPEATS):
            begun = time.perf_counter()
            page = await store.cdr_page(query, limit, offset=max(0, offset - repeat))
            times.append((time.perf_counter() - begun) * 1e3)
            assert page.total == total
            assert len(page.rows) == min(limit, total - max(0, offset - repeat))
        shown.append(f"{place} {median(times):5.1f} ({max(times):5.1f})")
    print("  ".join(shown), flush=True)


async def time_one(store: SqliteStore, name: str, query: CdrQuery) -> None:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        page = await store.cdr_page(query, 10)
        times.append((time.perf_counter() - begun) * 1e3)
        assert page.total == 1
    print(f"{name:24} {median(times):.1f} ms, worst {max(times):.1f}", flush=True)


async def time_beside(store: SqliteStore, limit: int) -> None:
    """What others wait while a client asks for one thing after another that is in no index."""

    async def search(place: int) -> None:
        for number in count(place):
            await store.cdr_page(CdrQuery(1, number_part=f"{number}77"), limit)

    keys, pages = [], []
    searching = [asyncio.create_task(search(place * 10_000)) for place in range(4)]
    for _ in range(10 * REPEATS):
        begun = time.perf_counter()
        await store.client_by_key("other")
        keys.append((time.perf_counter() - begun) * 1e3)
        begun = time.perf_counter()
        await store.cdr_page(CdrQuery(2), limit, offset=1000)
        pages.append((time.perf_counter() - begun) * 1e3)
    for task in searching:
        task.cancel()
    await asyncio.gather(*searching, return_exceptions=True)
    for name, times in (("key", keys), ("page", pages)):
        p99 = sorted(times)[len(times) * 99 // 100]
        print(f"another's {name:14} {median(times):.1f} ms, p99 {p99:.1f}, beside four searches")


async def time_stream(store: SqliteStore, query: CdrQuery) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, cpu, count = time.perf_counter(), time.process_time(), 0
    async for rows in store.cdr_stream(query):
        count += len(rows)
        if count >= STREAMED:
            break
    took, used = time.perf_counter() - begun, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{'stream':24} {count / took:,.0f} CDRs/s, {used / count * 1e6:.0f} us CPU each,", end=""
    )
    print(f" {grown:.0f} MB more memory after {count:,}")


async def prepare(store: SqliteStore) -> None:
    """What CDRs are of: a server, two clients with a queue each."""
    await store.add_server(Server(0, "server1", "127.0.0.1", 5038, "dialer"), BEGUN)
    for number, name in enumerate(("bench", "other"), 1):
        await store.add_client(Client(0, name, name, name), StoredKey(name, "d"), BEGUN)
        item = NewItem(1, name, "1", None, "{}")
        await store.insert_batch(NewBatch(number, 1, "d", None, name, (), [item], BEGUN))


async def bench(options: argparse.Namespace, path: Path) -> None:
    store = SqliteStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    await prepare(store)
    await store.close()
    build(path, options.cdrs)
    store = SqliteStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    own, whole = CdrQuery(1), options.cdrs * EVERY
    third = {"started_from": BEGUN + whole / 3, "started_until": BEGUN + whole * 2 / 3}
    day = {"started_from": BEGUN + whole / 2, "started_until": BEGUN + whole / 2 + 86_400}
    questions = {
        "all": own,
        "a third, by time": CdrQuery(1, **third),
        "a day": CdrQuery(1, **day),
        "a day, answered": CdrQuery(1, **day, dispositions=frozenset({"answered"})),
        "answered": CdrQuery(1, dispositions=frozenset({"answered"})),
        "of batches, Dial": CdrQuery(1, apps=frozenset({App.AUTODIALER})),
        "part of a number": CdrQuery(1, number_part="98765"),
        "in office hours": CdrQuery(1, hours=HourWindow(32_400, 61_200, "Europe/Bucharest")),
    }
    print(f"pages of {options.limit}, in ms: median (worst) of {REPEATS}", flush=True)
    for name, query in questions.items():
        await time_pages(store, name, query, options.limit)
    (row,) = (await store.cdr_page(own, 1, offset=options.cdrs // 3)).rows
    await time_one(store, "one by cdr_id", CdrQuery(1, cdr_id=row.cdr.cdr_id))
    await time_one(store, "one by call_id", CdrQuery(1, call_id=row.cdr.cdr_id))
    await time_one(store, "one by sip_call_id", CdrQuery(1, sip_call_id=row.cdr.sip_call_id))
    await time_beside(store, options.limit)
    await time_stream(store, own)
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cdrs", type=int, default=5_000_000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="whose disk is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(bench(options, Path(folder) / "pages.db"))


if __name__ == "__main__":
    main()
