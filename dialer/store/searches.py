"""Reads whose length nobody knows beforehand: filters that no index answers, pages far down.

They have connections of their own, so that nothing short ever waits behind them: keys, ingest, the
worker. Of each client one runs at a time, and the clients take turns: whoever asks waits for one
search of every other client at most, however many one of them has sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import ColumnElement, Select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dialer.store import reading
from dialer.store.dialect import POSTGRES, SQLITE
from dialer.store.failures import as_failure
from dialer.store.rows import Raw

Rows = list[Raw]


_BEGIN: Final = {
    SQLITE: "BEGIN",
    POSTGRES: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}


@asynccontextmanager
async def in_one_state(connection: AsyncConnection) -> AsyncIterator[None]:
    await connection.exec_driver_sql(_BEGIN[connection.dialect.name])
    try:
        yield
    finally:
        # Who is cancelled in a query leaves a connection that can only be thrown away.
        if not connection.invalidated:
            await connection.exec_driver_sql("COMMIT")


@asynccontextmanager
async def one_state(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that sees one and the same state of the database until the end. Raises
    `StoreUnavailable`."""
    try:
        async with engine.connect() as connection, in_one_state(connection):
            yield connection
    except (SQLAlchemyError, OSError) as error:
        raise as_failure(error) from error


class Searches:
    """`engine`: connections for nothing else; as many searches run at once as `together` says."""

    def __init__(self, engine: AsyncEngine, together: int) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(together)
        # A lock is there for as long as somebody holds it or waits for it.
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        await self._engine.dispose()

    async def fetch(self, client_id: int, *queries: Select[Any]) -> list[Rows]:
        """The rows of each, over one state of the database."""
        async with self._turn(client_id) as connection:
            return [await reading.fetch_all(connection, query) for query in queries]

    async def fetch_page(
        self, client_id: int, conditions: list[ColumnElement[bool]], offset: int, limit: int
    ) -> tuple[Rows, int]:
        """A page of items, and how many there are on all pages: both from one scan."""
        async with self._turn(client_id) as connection:
            found = await reading.fetch_all(connection, reading.hits(conditions, offset, limit))
            total, ids = found[0]
            return await reading.fetch_all(connection, reading.items_by_id(ids)), total

    @asynccontextmanager
    async def _turn(self, client_id: int) -> AsyncIterator[AsyncConnection]:
        own = self._turns.setdefault(client_id, asyncio.Lock())
        async with own, self._free, one_state(self._engine) as connection:
            yield connection
