"""What is PostgreSQL's own: a database that goes and comes, sessions that are ended, versions."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.util import await_only

from dialer.errors import SettingsError, StoreUnavailable
from dialer.store import attempts
from dialer.store.contract import Client, Server, StoredKey
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.group_writes import Kind
from dialer.store.postgres import PostgresStore
from dialer.store.postgres_engines import plain_url
from tests import store_records as make
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer, run_postgres

NOW = make.NOW


@pytest.fixture
async def store(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres.make_database(), tmp_path, settle_linger=0, record_linger=0)
    await fill(store)
    yield store
    await store.close()


async def fill(store: PostgresStore) -> tuple[Server, Client]:
    await store.open()
    server = await store.add_server(make.SERVER, NOW)
    client = await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), NOW)
    return server, client


async def test_a_database_that_was_not_migrated_is_one_sentence(postgres: PostgresServer) -> None:
    store = PostgresStore(postgres.make_empty())
    with pytest.raises(SettingsError, match="run dialer db upgrade"):
        await store.open()
    await store.close()


async def test_every_session_may_be_ended_at_any_time(
    store: PostgresStore, postgres: PostgresServer
) -> None:
    """Writes and reads go on, and everything is stored once."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{store._url.database}' AND pid <> pg_backend_pid()"
    )
    added = await store.insert_batch(make.batch(*[make.item() for _ in range(60)]))
    items = await store.waiting(added.queue_id, 1, 0, 100)

    async def call(number: int) -> None:
        attempt = make.reservation(items[number])
        assert await store.reserve(attempt)
        if number % 20 == 5:
            await asyncio.to_thread(postgres.execute, others)
        await store.settle(make.settlement(attempt, deliveries=(make.delivery(),)))
        await store.queue(added.queue_id, None)

    await asyncio.gather(*map(call, range(60)))
    queue = await store.queue(added.queue_id, None)
    assert (queue.processed_count, queue.pending_count, queue.queued_count) == (60, 0, 0)
    totals = await store.totals()
    assert (totals.cdrs, totals.deliveries) == (60, {"callback/pending": 60})
    assert store.trouble is None


async def said_trouble(store: PostgresStore) -> bool:
    return store.trouble is not None


async def test_a_database_that_goes_and_comes_back(tmp_path: Path) -> None:
    with run_postgres() as server:
        store = PostgresStore(server.make_database(), tmp_path, settle_linger=0)
        await fill(store)
        added = await store.insert_batch(make.batch(make.item(), make.item()))
        one, two = await store.waiting(added.queue_id, 1, 0, 10)
        heard = asyncio.Event()
        store.on_foreign_change(heard.set)
        attempt = make.reservation(one)
        assert await store.reserve(attempt)
        server.stop()
        for write in (store.settle(make.settlement(attempt)), store.reserve(make.reservation(two))):
            with pytest.raises(StoreUnavailable):
                await write
        with pytest.raises(StoreUnavailable):
            await store.servers()
        assert await said_trouble(store)
        server.start()
        await store.settle(make.settlement(attempt))
        assert await store.reserve(make.reservation(two))
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
        assert store.trouble is None
        await store.close()


async def test_attempts_of_others_count_as_sent(
    store: PostgresStore, postgres: PostgresServer, tmp_path: Path
) -> None:
    """A worker's log speaks for what was reserved under its own tokens, and for nothing else."""
    await store.claim()
    mine = (await store.own([1]))[1]
    added = await store.insert_batch(make.batch(*[make.item() for _ in range(2)]))
    one, two = await store.waiting(added.queue_id, 1, 0, 10)
    assert await store.reserve(make.reservation(one, fence=mine))
    other = PostgresStore(str(store._url), tmp_path)
    await other.open()
    await other.claim()
    theirs = (await other.own([1]))[1]
    assert await other.reserve(make.reservation(two, fence=theirs))
    assert [found.unsent for found in await store.open_attempts()] == [True, False]
    assert [found.unsent for found in await other.open_attempts()] == [False, True]
    await other.close()


async def test_deliveries_are_told_apart_from_changes(store: PostgresStore, tmp_path: Path) -> None:
    other = PostgresStore(str(store._url), tmp_path)
    await other.open()
    changed, delivered = asyncio.Event(), asyncio.Event()
    other.on_foreign_change(changed.set, delivered.set)
    added = await store.insert_batch(make.batch(make.item()))
    async with asyncio.timeout(PATIENCE):
        await changed.wait()
    assert not delivered.is_set()
    changed.clear()
    assert not await store.expire_items(NOW, 10, make.close)  # nothing ended, nobody is told
    (item,) = await store.waiting(added.queue_id, 1, 0, 10)
    attempt = make.reservation(item)
    await store.reserve(attempt)
    await store.settle(make.settlement(attempt, deliveries=(make.delivery(),)))
    async with asyncio.timeout(PATIENCE):
        await delivered.wait()
    assert not changed.is_set()
    await other.close()


async def own(store: PostgresStore, queue_id: int) -> object:
    return await store.own([1])


async def pause_server(store: PostgresStore, queue_id: int) -> object:
    return await store.change_server("pbx1", {"paused": True}, NOW)


async def pause_client(store: PostgresStore, queue_id: int) -> object:
    return await store.change_client("acme", {"paused": True}, NOW)


async def pause_queue(store: PostgresStore, queue_id: int) -> object:
    return await store.change_queue(queue_id, {"paused": True}, make.close, NOW)


async def flush(store: PostgresStore, queue_id: int) -> object:
    return await store.flush(1, make.close, NOW)


async def revoke_key(store: PostgresStore, queue_id: int) -> object:
    return await store.replace_key(1, None, NOW)


@pytest.mark.parametrize(
    "forbid", [own, pause_server, pause_client, pause_queue, flush, revoke_key]
)
async def test_what_forbids_attempts_waits_for_one_that_is_being_written(
    store: PostgresStore, forbid: Callable[[PostgresStore, int], Coroutine[Any, Any, object]]
) -> None:
    """So it is behind it: who forbids sees it as soon as that is done."""
    added = await store.insert_batch(make.batch(make.item()))
    (item,) = await store.waiting(added.queue_id, 1, 0, 10)
    written, go = asyncio.Event(), asyncio.Event()

    def reserve_slowly(cursor: Cursor, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
        outcomes = attempts.reserve(cursor, ops, deltas)
        written.set()
        await_only(go.wait())
        return outcomes

    slow = Kind(reserve_slowly)
    store._writer._waiting[slow] = deque()
    reserving = store._writer.write(slow, make.reservation(item))
    async with asyncio.timeout(PATIENCE):
        await written.wait()
        forbidding = asyncio.create_task(forbid(store, added.queue_id))
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not (await store._writer._singles.fetch(waits))[0][0]:
            assert not forbidding.done()
        go.set()
        assert await reserving is True
        await forbidding
    assert len(await store.open_attempts()) == 1


async def test_a_process_that_froze_inside_a_transaction_lets_go(store: PostgresStore) -> None:
    """Its session is ended after some seconds, and whoever takes over goes on."""
    added = await store.insert_batch(make.batch(make.item()))
    frozen = await asyncpg.connect(plain_url(store._url))
    await frozen.execute("SET idle_in_transaction_session_timeout = 100")
    await frozen.execute("BEGIN; SELECT FROM servers FOR SHARE; SELECT FROM queues FOR UPDATE")
    async with asyncio.timeout(PATIENCE):
        await store.own([1])
        await store.change_queue(added.queue_id, {"paused": True}, make.close, NOW)
    await frozen.close()
