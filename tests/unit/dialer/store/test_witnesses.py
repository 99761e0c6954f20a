"""Whether a transaction is on disk: what is asked, how often, and of whom."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from dialer.errors import StoreUnavailable
from dialer.store import witnesses
from dialer.store.postgres_engines import plain_url, postgres_url
from dialer.store.witnesses import FORGET_OLD, Witness, Witnesses, find_session
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer

SOON = 0.001


@pytest.fixture
def mine(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Witnesses:
    monkeypatch.setattr(witnesses, "_ASK_AGAIN", SOON)
    return Witnesses(postgres_url(postgres.make_database()))


async def connect(mine: Witnesses) -> Any:
    return await asyncpg.connect(plain_url(mine.url))


async def begin(mine: Witnesses, witness: Witness) -> Any:
    """A session in a transaction that has said all but COMMIT."""
    connection = await connect(mine)
    witness.session = await find_session(connection)
    await connection.execute(f"BEGIN;{witness.statement}")
    return connection


async def test_what_committed_was_stored(mine: Witnesses) -> None:
    with mine.take() as witness:
        connection = await begin(mine, witness)
        await connection.execute("COMMIT")
        await connection.close()
        assert await mine.was_stored(witness)
    with mine.take() as later:
        assert (later.writer, later.number) == (witness.writer, witness.number + 1)
        assert not await mine.was_stored(later)


async def test_each_of_several_at_a_time_has_a_row_of_its_own(mine: Witnesses) -> None:
    with mine.take() as one, mine.take() as other:
        for witness in (one, other):
            connection = await begin(mine, witness)
            await connection.execute("COMMIT")
            await connection.close()
        assert await mine.was_stored(one)
        assert await mine.was_stored(other)
    writers = {one.writer, other.writer}
    with mine.take() as again:
        assert len(writers) == 2
        assert again.writer in writers
    assert Witnesses(mine.url).take().__enter__().writer not in writers


async def test_a_session_that_goes_on_is_ended_before_it_is_believed(mine: Witnesses) -> None:
    """Else it could read its COMMIT after it was said to have stored nothing."""
    with mine.take() as witness:
        connection = await begin(mine, witness)
        assert not await mine.was_stored(witness)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("COMMIT")


async def test_a_later_session_of_the_same_process_id_is_left_alone(mine: Witnesses) -> None:
    connection = await connect(mine)
    found = await find_session(connection)
    with mine.take() as witness:
        witness.session = witnesses.Session(found.pid, found.since.replace(year=2020))
        assert not await mine.was_stored(witness)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_it_is_asked_until_there_is_an_answer(
    mine: Witnesses,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the database says meanwhile: here, that it lets nobody in (55000)."""
    with mine.take() as witness:
        connection = await begin(mine, witness)
        await connection.execute("COMMIT")
        await connection.close()
        postgres.execute(f"ALTER DATABASE {mine.url.database} ALLOW_CONNECTIONS false")
        refusals = count_refusals(monkeypatch)
        with caplog.at_level(logging.WARNING):
            asked = asyncio.ensure_future(mine.was_stored(witness))
            for _ in range(3):
                error = await asyncio.wait_for(refusals.get(), PATIENCE)
                assert error.sqlstate == "55000"
        assert not asked.done()
        postgres.execute(f"ALTER DATABASE {mine.url.database} ALLOW_CONNECTIONS true")
        assert await asked
    (said,) = caplog.messages
    assert said == "what became of a commit is not known yet"


def count_refusals(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[Any]":
    refusals: asyncio.Queue[Any] = asyncio.Queue()
    real: Callable[..., Any] = asyncpg.connect

    async def connect(*args: object, **options: object) -> Any:
        try:
            return await real(*args, **options)
        except asyncpg.PostgresError as error:
            refusals.put_nowait(error)
            raise

    monkeypatch.setattr(asyncpg, "connect", connect)
    return refusals


async def test_who_closes_before_never_knows(mine: Witnesses) -> None:
    mine.closing = True
    with mine.take() as witness, pytest.raises(StoreUnavailable, match="nobody knows"):
        await mine.was_stored(witness)


async def test_rows_of_the_long_gone_are_forgotten(mine: Witnesses) -> None:
    connection = await connect(mine)
    for days in (29, 31):
        await connection.execute(
            "INSERT INTO commits VALUES ($1::text, 1, now() - make_interval(days => $2))",
            f"{days}",
            days,
        )
    await connection.execute(FORGET_OLD)
    assert [row["writer"] for row in await connection.fetch("SELECT * FROM commits")] == ["29"]
    await connection.close()
