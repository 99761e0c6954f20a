"""Group commit on PostgreSQL: what shares one, what fails alone, what comes before closing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.group_writes import Kind
from dialer.store.postgres_engines import postgres_url, writing_engine
from dialer.store.postgres_writer import PostgresWriter
from dialer.store.session import Outcome
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer


class Notebook:
    def __init__(self, url: str) -> None:
        self.groups: list[list[str]] = []
        self.told: list[object] = []
        self.kind = Kind(self._insert)
        engines = [writing_engine(postgres_url(url), number) for number in (1, 2)]
        self.writer = PostgresWriter(engines[0], engines[1], (self.kind,), self._tell)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        self.told += [outcome for _, outcome in outcomes]

    def _insert(self, cursor: Cursor, ops: Sequence[Any], _: Deltas) -> Sequence[Any]:
        self.groups.append(list(ops))
        for word in ops:
            cursor.execute("INSERT INTO tallies VALUES ($1, 1)", (word,))
        return [len(word) for word in ops]


@pytest.fixture
async def book(postgres: PostgresServer) -> AsyncIterator[Notebook]:
    book = Notebook(postgres.make_database())
    await book.writer.start()
    yield book
    await book.writer.stop()


async def test_writes_of_one_turn_share_a_commit(book: Notebook) -> None:
    written = [book.writer.write(book.kind, word) for word in ("one", "three", "seven")]
    assert await asyncio.gather(*written) == [3, 5, 5]
    assert book.groups == [["one", "three", "seven"]]
    await asyncio.sleep(0)
    assert book.told == [3, 5, 5]


async def test_a_bad_write_fails_alone(book: Notebook) -> None:
    await book.writer.write(book.kind, "taken")
    written = [book.writer.write(book.kind, word) for word in ("one", "taken", "two")]
    one, taken, two = await asyncio.gather(*written, return_exceptions=True)
    assert (one, two) == (3, 3)
    assert isinstance(taken, Conflict)


async def test_operations_run_beside_each_other(book: Notebook) -> None:
    """Two of them hold a connection each; a write is not held up by them."""
    ready, go = asyncio.Barrier(3), asyncio.Event()

    def wait(connection: Connection) -> int:
        await_only(ready.wait())
        await_only(go.wait())
        return int(connection.exec_driver_sql("SELECT 7").scalar_one())

    runs = [book.writer.run(wait) for _ in range(2)]
    async with asyncio.timeout(PATIENCE):
        await ready.wait()
        assert await book.writer.write(book.kind, "word") == 4
        go.set()
        assert await asyncio.gather(*runs) == [7, 7]


async def test_what_waits_is_written_before_closing(book: Notebook) -> None:
    written = [book.writer.write(book.kind, f"w{number}") for number in range(500)]
    run = book.writer.run(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
    await book.writer.stop()
    assert len([await one for one in written]) == 500
    assert await run == 1
    for late in (book.writer.write(book.kind, "late"), book.writer.run(lambda _: None)):
        with pytest.raises(StoreUnavailable):
            await late


async def test_who_is_cancelled_harms_nobody(book: Notebook) -> None:
    gone = book.writer.write(book.kind, "gone")
    run = book.writer.run(lambda c: c.exec_driver_sql("INSERT INTO tallies VALUES ('r', 1)"))
    gone.cancel()
    run.cancel()
    assert await book.writer.write(book.kind, "stays") == 5
    await book.writer.stop()
    assert book.groups == [["gone", "stays"]]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    book = Notebook("postgresql+asyncpg://nobody@/none?host=/nonexistent")
    with pytest.raises(StoreUnavailable):
        await book.writer.start()
    await book.writer.stop()
