"""Searches: one scan each, one at a time for each client, and in nobody's way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from dialer.errors import StoreUnavailable
from dialer.store import tables as t
from dialer.store.contract import StoredKey
from dialer.store.engines import reading_engine, sqlite_url
from dialer.store.searches import Searches, one_state
from dialer.store.sqlite import SqliteStore
from tests import store_records as make
from tests.patience import PATIENCE


@pytest.fixture
async def searches(tmp_path: Path) -> AsyncIterator[Searches]:
    url = sqlite_url(make.make_store_file(tmp_path / "dialer.db"))
    searches = Searches(reading_engine(url, 1), 1)
    yield searches
    await searches.close()


async def test_clients_take_turns_however_many_searches_one_has_sent(searches: Searches) -> None:
    ran: list[int] = []

    async def search(client_id: int) -> None:
        async with searches._turn(client_id):
            ran.append(client_id)
            await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for client_id in (1, 1, 1, 1, 2, 2, 3):
            group.create_task(search(client_id))
    assert ran[:5] == [1, 2, 3, 1, 2]
    assert sorted(ran) == [1, 1, 1, 1, 2, 2, 3]
    assert len(searches._turns) == 0


async def test_a_search_that_is_given_up_takes_no_turn(searches: Searches) -> None:
    async with searches._turn(1):
        given_up = asyncio.create_task(searches.fetch(1, select(t.items.c.id)))
        await asyncio.sleep(0)
        given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await asyncio.wait_for(searches.fetch(1, select(t.items.c.id)), PATIENCE) == [[]]


LONG_QUERY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
    "SELECT count(*) FROM n"
)


@pytest.mark.parametrize("query", [LONG_QUERY, None])
async def test_what_is_given_up_in_a_query_or_behind_it_is_cancelled_and_nothing_else(
    tmp_path: Path, query: str | None
) -> None:
    engine = reading_engine(sqlite_url(make.make_store_file(tmp_path / "dialer.db")), 1)
    reached = asyncio.Event()

    async def look() -> None:
        async with one_state(engine) as connection:
            reached.set()  # without a query: COMMIT is next
            if query is not None:
                await connection.exec_driver_sql(query)

    looking = asyncio.create_task(look())
    await asyncio.wait_for(reached.wait(), PATIENCE)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    async with asyncio.timeout(PATIENCE), one_state(engine) as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM items")).scalar() == 0
    await engine.dispose()


async def test_what_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    searches = Searches(reading_engine(sqlite_url(make.url_of(tmp_path / "empty.db"))), 1)
    with pytest.raises(StoreUnavailable):
        await searches.fetch(1, select(t.items.c.id))
    await searches.close()


async def test_short_reads_and_writes_wait_for_no_search(tmp_path: Path) -> None:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()
    await store.add_server(make.SERVER, make.NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    added = await store.insert_batch(make.batch(make.item(), make.item()))
    async with store._searches._turn(9):
        waiting = [
            asyncio.create_task(store.items(added.queue_id, 0, 9, filters))
            for filters in ({"number": "1"}, {"status": "pending"}, {"disposition": "busy"})
        ]
        async with asyncio.timeout(PATIENCE):
            assert await store.client_by_key("lookup") is not None
            (one, _) = await store.waiting(added.queue_id, 1, 0, 9)
            assert await store.due_retries(added.queue_id, 1, make.NOW, 9) == ()
            assert await store.reserve(make.reservation(one))
            await store.insert_batch(make.batch(make.item()))
            assert (await store.items(added.queue_id, 0, 9)).total == 2
            assert (await store.queues(1, 0, 9)).total == 2
        assert not any(search.done() for search in waiting)
    pages = await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
    assert [page.total for page in pages] == [0, 1, 0]
    await store.close()
