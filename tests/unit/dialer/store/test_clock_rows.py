"""Gaps on disk when the wall clock was set: what is left of them stays."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from dialer.store import clock_rows
from dialer.store.contract import DeliveryOutcome, StoredKey, Withdrawal
from dialer.store.sqlite import SqliteStore
from tests import store_records as make

NOW = make.NOW
HOUR = 3600.0
GAP = 60.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()
    await store.add_server(make.SERVER, NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), NOW)
    yield store
    await store.close()


async def leave_retries(store: SqliteStore, count: int) -> float:
    """Items whose attempt has ended and whose retry is due `GAP` later; when it ended."""
    added = await store.insert_batch(make.batch(*[make.item(retry=1) for _ in range(count)]))
    for candidate in await store.waiting(added.queue_id, 1, 0, count):
        attempt = make.reservation(candidate)
        assert await store.reserve(attempt)
        ended = attempt.now + 4
        await store.settle(make.settlement(attempt, "busy", next_attempt_at=ended + GAP))
    return NOW + 4


async def leave_delivery(store: SqliteStore) -> float:
    """A callback that failed and is due again `GAP` later; when it was tried."""
    added = await store.insert_batch(make.batch(make.item()))
    (candidate,) = await store.waiting(added.queue_id, 1, 0, 1)
    attempt = make.reservation(candidate)
    assert await store.reserve(attempt)
    (callback,) = await store.settle(make.settlement(attempt, deliveries=(make.delivery(),)))
    tried = NOW + 5
    failed = DeliveryOutcome(callback.id, False, False, tried + GAP, 500, "HTTP 500", tried)
    assert await store.record_delivery(failed)
    return tried


def read_due(store: SqliteStore, table: str) -> list[float]:
    with closing(connect(store._url.database or "")) as connection:
        found = connection.execute(f"SELECT due_at FROM {table} WHERE due_at IS NOT NULL")
        return [due / 1e6 for (due,) in found]


@pytest.fixture(params=["items", "deliveries"])
async def table(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def leave(store: SqliteStore, table: str) -> float:
    return await (leave_retries(store, 1) if table == "items" else leave_delivery(store))


async def test_a_step_back_makes_nothing_wait_longer_than_its_gap(
    store: SqliteStore, table: str
) -> None:
    began = await leave(store, table)
    now = began + 20 - HOUR
    for _ in range(2):
        await store.follow_clock(now, -HOUR)
        assert read_due(store, table) == [now + GAP]


async def test_a_step_forward_makes_nothing_due_before_its_gap_is_over(
    store: SqliteStore, table: str
) -> None:
    began = await leave(store, table)
    now = began + 20 + HOUR
    for step in (HOUR, 0.0):
        await store.follow_clock(now, step)
        assert read_due(store, table) == [began + GAP + HOUR]


async def test_a_clock_that_is_set_there_and_back_leaves_the_gap(
    store: SqliteStore, table: str
) -> None:
    began = await leave(store, table)
    await store.follow_clock(began + 20 + HOUR, HOUR)
    await store.follow_clock(began + 25, -HOUR)
    assert read_due(store, table) == [began + 25 + GAP]


async def test_what_was_due_before_a_step_forward_stays_due(store: SqliteStore, table: str) -> None:
    began = await leave(store, table)
    await store.follow_clock(began + GAP + 10 + HOUR, HOUR)
    assert read_due(store, table) == [began + GAP]


async def test_a_retry_that_was_on_its_way_waits_no_longer_when_it_is_taken_back(
    store: SqliteStore,
) -> None:
    began = await leave_retries(store, 1)
    (candidate,) = await store.due_retries(1, 1, began + GAP, 1)
    attempt = make.reservation(candidate, now=began + GAP)
    assert await store.reserve(attempt)
    now = began + GAP - HOUR
    await store.follow_clock(now, -HOUR)
    await store.withdraw(Withdrawal(attempt.channel_id, now, attempt.fence))
    assert read_due(store, "items") == [now + GAP]


async def test_all_pages_are_looked_at(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_rows, "LOOKED_AT", 2)
    began = await leave_retries(store, 5)
    await store.follow_clock(began - HOUR, -HOUR)
    assert read_due(store, "items") == [began - HOUR + GAP] * 5
