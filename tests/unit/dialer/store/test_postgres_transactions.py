"""Transactions that are repeated, and ends that are found out."""

import asyncio
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.util import await_only

from dialer.errors import Conflict, NotFound, StoreUnavailable
from dialer.store import tables as t
from dialer.store.postgres_engines import postgres_url, writing_engine
from dialer.store.postgres_transactions import TRIES, Transactions
from tests.postgres_server import PostgresServer, in_thread, run_postgres

END_SESSION = "SELECT pg_terminate_backend(pg_backend_pid());"


@pytest.fixture
async def transactions(postgres: PostgresServer) -> AsyncIterator[Transactions]:
    transactions = Transactions(writing_engine(postgres_url(postgres.make_database()), 2))
    yield transactions
    await transactions.close()


class Count:
    """Adds one to a row, however often it is run."""

    def __init__(self, spoil: str = "", times: int = 0) -> None:
        self.runs, self._spoil, self._times = 0, spoil, times

    def __call__(self, connection: Connection) -> int:
        self.runs += 1
        connection.execute(
            text(
                "INSERT INTO tallies VALUES ('x', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = tallies.value + 1"
            )
        )
        if self.runs <= self._times:
            connection.exec_driver_sql(self._spoil)
        return self.runs


async def counted(transactions: Transactions) -> int:
    rows = await transactions.fetch("SELECT value FROM tallies WHERE name = 'x'")
    return int(rows[0][0]) if rows else 0


async def test_a_body_runs_once_where_nothing_happens(transactions: Transactions) -> None:
    assert await transactions.run(Count(), "runs") == 1
    assert await counted(transactions) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'deadlock_detected'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$",
    ],
)
async def test_what_stored_nothing_is_repeated(transactions: Transactions, spoil: str) -> None:
    count = Count(spoil, times=3)
    assert await transactions.run(count, "runs") == 4
    assert await counted(transactions) == 1


async def test_it_is_given_up_in_the_end(transactions: Transactions) -> None:
    count = Count("SELECT pg_terminate_backend(pg_backend_pid())", times=99)
    with pytest.raises(StoreUnavailable):
        await transactions.run(count, "runs")
    assert (count.runs, await counted(transactions)) == (TRIES, 0)


async def test_a_commit_that_took_place_is_found_out(transactions: Transactions) -> None:
    """The session ends behind the commit, before anybody was told."""
    count = Count()
    assert await transactions.run(count, "writes", last=f"COMMIT;{END_SESSION}") == 1
    assert (count.runs, await counted(transactions)) == (1, 1)


async def test_a_commit_that_did_not_is_found_out(transactions: Transactions) -> None:
    count = Count()
    with pytest.raises(StoreUnavailable):
        await transactions.run(count, "writes", last=END_SESSION)
    assert (count.runs, await counted(transactions)) == (TRIES, 0)


async def test_a_crash_that_gives_a_number_out_twice_deceives_nobody() -> None:
    """PostgreSQL crashes before it was told to commit, and gives the transaction's number, of which
    nothing was flushed, to another one that commits."""
    with run_postgres(LAZY) as server:
        url = postgres_url(server.make_database())
        transactions = Transactions(writing_engine(url, 1))
        crash = CrashOnce(server, str(url.database))
        await transactions.fetch("SELECT 1")  # connected; others are not let in
        server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        await transactions.run(crash, "writes")
        assert (crash.count.runs, await counted(transactions)) == (2, 1)
        await transactions.close()


LAZY = (
    "listen_addresses=", "fsync=off", "wal_writer_delay=10s", "autovacuum=off",
    "logging_collector=off",
)  # fmt: skip


class CrashOnce:
    def __init__(self, server: PostgresServer, database: str) -> None:
        self.count, self._server, self._database = Count(), server, database

    def __call__(self, connection: Connection) -> None:
        self.count(connection)
        if self.count.runs > 1:
            return
        number = connection.scalar(text("SELECT pg_current_xact_id()::text"))
        self._server.stop(signal.SIGQUIT)
        self._server.start()
        in_thread(lambda: asyncio.run(self._burn(int(str(number)))))

    async def _burn(self, number: int) -> None:
        """Use up numbers until the same one has been committed; then let the dialer in."""
        connection = await asyncpg.connect(self._server.dsn())
        burned: list[int] = []
        while not burned or burned[-1] < number:
            burned.append(int(await connection.fetchval("SELECT pg_current_xact_id()::text")))
        assert burned[-1] == number, "the number was not free again"
        await connection.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS true")
        await connection.close()


async def test_own_errors_undo_and_stay_as_they_are(transactions: Transactions) -> None:
    def fail(connection: Connection) -> None:
        Count()(connection)
        raise NotFound("no such thing")

    with pytest.raises(NotFound, match="no such thing"):
        await transactions.run(fail, "runs")
    with pytest.raises(Conflict):
        await transactions.run(
            lambda c: c.exec_driver_sql("INSERT INTO meta VALUES ('a', ''), ('a', '')"), "runs"
        )
    assert await counted(transactions) == 0


async def test_two_that_wait_for_each_other_both_end(transactions: Transactions) -> None:
    """A deadlock: one of them is undone by the database, and repeated."""
    await transactions.run(
        lambda c: c.exec_driver_sql("INSERT INTO tallies VALUES ('a', 0), ('b', 0)"), "runs"
    )
    met = asyncio.Barrier(2)
    runs = 0

    def change(first: str, second: str, connection: Connection) -> None:
        nonlocal runs
        runs += 1
        raise_value = t.tallies.update().values(value=t.tallies.c.value + 1)
        connection.execute(raise_value.where(t.tallies.c.name == first))
        if runs <= 2:
            await_only(met.wait())
        connection.execute(raise_value.where(t.tallies.c.name == second))

    await asyncio.gather(
        transactions.run(lambda c: change("a", "b", c), "runs"),
        transactions.run(lambda c: change("b", "a", c), "runs"),
    )
    rows = await transactions.fetch(str(select(t.tallies.c.value)))
    assert ([row[0] for row in rows], runs) == ([2, 2], 3)
