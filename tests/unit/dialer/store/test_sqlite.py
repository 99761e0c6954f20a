"""What is SQLite's own: a full disk, a lock held by another, the look at foreign commits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.contract import StoredKey
from dialer.store.sqlite import SqliteStore
from tests import store_records as make

NOW = make.NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"), look_every=0.001)
    await store.open()
    await store.add_server(make.SERVER, NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), NOW)
    yield store
    await store.close()


async def set_pragma(store: SqliteStore, pragma: str) -> None:
    def run(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA {pragma}")

    await store._run(run)


async def test_a_full_disk_fails_writes_wholly_and_passes(store: SqliteStore) -> None:
    added = await store.insert_batch(make.batch(make.item(), make.item()))
    one, two = await store.waiting(added.queue_id, 1, 0, 10)
    attempt = make.reservation(one)
    assert await store.reserve(attempt)
    await set_pragma(store, "max_page_count = 1")  # as many as there are
    with pytest.raises(StoreUnavailable, match="full"):
        await store.insert_batch(make.batch(*[make.item() for _ in range(500)]))
    huge = make.delivery(body="x" * 100_000)
    results = await asyncio.gather(
        store.settle(make.settlement(attempt, deliveries=(huge,))),
        store.reserve(make.reservation(two)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert (await store.queues(None, 0, 10)).total == 1
    assert len(await store.open_attempts()) == 1
    await set_pragma(store, "max_page_count = 1000000")
    (stored,) = await store.settle(make.settlement(attempt, deliveries=(huge,)))
    assert stored.body == huge.body
    assert await store.reserve(make.reservation(two))


async def test_a_lock_that_another_keeps_is_unavailable(store: SqliteStore, tmp_path: Path) -> None:
    await set_pragma(store, "busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "dialer.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.insert_batch(make.batch(make.item()))
    assert (await store.queues(None, 0, 10)).total == 0  # reading goes on
    other.execute("COMMIT")
    other.close()
    assert (await store.insert_batch(make.batch(make.item()))).inserted_count == 1


async def test_a_damaged_file_is_unavailable_to_readers_too(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store.close()
    path = tmp_path / "dialer.db"
    path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 200_000)
    again = SqliteStore(make.url_of(path))

    async def open_and_look() -> None:
        await again.open()
        await again.snapshot()

    with pytest.raises(StoreUnavailable):
        await open_and_look()
    await again.close()


async def test_nobody_is_told_after_closing(store: SqliteStore) -> None:
    told: list[bool] = []
    store.on_foreign_change(lambda: told.append(True))
    await store.close()
    assert store._look_timer is not None
    assert store._look_timer.cancelled()
    assert told == []


async def test_a_store_that_never_opened_closes(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    store = SqliteStore(make.url_of(tmp_path / "folder.db"))
    with pytest.raises(StoreUnavailable):
        await store.open()
    await store.close()


async def test_a_database_that_takes_no_writes_can_be_looked_at(store: SqliteStore) -> None:
    await store.claim()
    with closing(sqlite3.connect(store._url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        looking = SqliteStore(str(store._url))
        await looking.open()
        assert await looking.installation_secret() == await store.installation_secret()
        assert looking.is_claimed()
        await looking.close()


async def test_one_dialer_has_the_database_alone(store: SqliteStore) -> None:
    await store.claim()
    other = SqliteStore(str(store._url))
    await other.open()
    with pytest.raises(Conflict):
        await other.claim()
    await other.close()


async def test_it_tells_why_it_takes_no_writes_and_for_how_long(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    await set_pragma(store, "busy_timeout = 0")
    with closing(sqlite3.connect(store._url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.put_runtime({"live": 1}, NOW)
        told = [store.trouble]
    await store.put_runtime({"live": 1}, NOW)
    told.append(store.trouble)
    assert told == ["the database could not be used: database is locked", None]
    said = [record.message for record in caplog.records]
    assert said == ["the database takes no writes", "the database takes writes again"]


async def test_operations_do_not_wait_for_a_lock_that_writes_waited_for(
    store: SqliteStore,
) -> None:
    added = await store.insert_batch(make.batch(make.item()))
    (item,) = await store.waiting(added.queue_id, 1, 0, 10)
    said: list[str] = []
    await set_pragma(store, "busy_timeout = 0")

    def listen(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(said.append)

    await store._run(listen)
    said.clear()
    with closing(sqlite3.connect(store._url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            store._writer.write(store._reserving, make.reservation(item)),
            store._writer.run(lambda _: said.append("run")),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert said.count("BEGIN IMMEDIATE") == 1
