"""The stores that the suite runs against: every adapter of the contract is one more parameter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dialer.store.contract import (
    BatchStored,
    Candidate,
    Client,
    NewItem,
    Reservation,
    Server,
    Store,
    StoredKey,
)
from dialer.store.postgres import PostgresStore
from dialer.store.sqlite import SqliteStore
from tests import store_records as make
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer


@dataclass
class Stored:
    """An open store with one server and one client, and the way to open it again."""

    store: Store
    reopen: Callable[[], Store]
    server: Server
    client: Client

    async def add(self, *items: NewItem, **changes: object) -> BatchStored:
        return await self.store.insert_batch(make.batch(*items, **changes))

    async def waiting(self, queue_id: int, limit: int = 100) -> tuple[Candidate, ...]:
        return await self.store.waiting(queue_id, self.server.id, 0, limit)

    async def dial(self, candidate: Candidate, now: float = make.NOW) -> Reservation:
        """Reserve; fails where that is not granted."""
        attempt = make.reservation(candidate, now)
        assert await self.store.reserve(attempt)
        return attempt

    async def dial_one(self, **changes: object) -> Reservation:
        """A new queue with one item, on its way."""
        added = await self.add(make.item(**changes))
        (candidate,) = await self.waiting(added.queue_id)
        return await self.dial(candidate)


ADAPTERS = ("sqlite", "postgresql")


@pytest.fixture(params=ADAPTERS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database of the test's own."""
    if request.param == "sqlite":
        return make.make_store_file(tmp_path / "dialer.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.make_database()


def make_store(url: str, folder: Path, patience: float = PATIENCE) -> Store:
    if url.startswith("sqlite"):
        return SqliteStore(
            url, settle_linger=0, record_linger=0, look_every=0.001, patience=patience
        )
    return PostgresStore(url, folder / "state", settle_linger=0, record_linger=0, patience=patience)


@pytest.fixture
def open_again(database: str, tmp_path: Path) -> Callable[[], Store]:
    """Makes a store on one and the same database, each time it is called."""
    return lambda: make_store(database, tmp_path)


@pytest.fixture
async def stored(open_again: Callable[[], Store]) -> AsyncIterator[Stored]:
    async with open_stored(open_again) as stored:
        yield stored


@asynccontextmanager
async def open_stored(open_again: Callable[[], Store]) -> AsyncIterator[Stored]:
    store = open_again()
    await store.open()
    server = await store.add_server(make.SERVER, make.NOW)
    client = await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    yield Stored(store, open_again, server, client)
    await store.close()


@pytest.fixture
def store(stored: Stored) -> Store:
    return stored.store
