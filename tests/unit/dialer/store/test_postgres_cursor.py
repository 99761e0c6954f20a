"""A synchronous cursor inside `run_sync`, on a real PostgreSQL."""

import asyncpg
import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from dialer.store.bulk import driver_cursor, insert_rows, run_with_rows
from dialer.store.dialect import both, relation
from tests.postgres_server import PostgresServer

PLAIN = relation(a="bigint", b="text")


def use(connection: Connection) -> None:
    cursor = driver_cursor(connection)
    cursor.execute("CREATE TEMPORARY TABLE words (id bigserial, a bigint, b text)")
    assert insert_rows(cursor, "words", PLAIN, [(n, f"w{n}") for n in range(300)]) == list(
        range(1, 301)
    )
    assert insert_rows(cursor, "words", PLAIN, []) == ()
    change = both("UPDATE words SET b = r.b FROM {rows} WHERE words.a = r.a")
    assert run_with_rows(cursor, change, PLAIN, [(7, None), (8, "x"), (999, "y")]) == 2
    assert run_with_rows(cursor, change, PLAIN, []) == 0
    found = cursor.execute("SELECT a, b FROM words WHERE a < $1 ORDER BY a", [9])
    assert found.rowcount == 9
    assert found.fetchone() == (0, "w0")
    assert [row[1] for row in found.fetchall()][7:] == [None, "x"]
    assert cursor.execute("SELECT 1 WHERE false").fetchone() is None
    listed = both("SELECT @list(@row(a, b)) FROM words WHERE a IN @numbers(?)")
    assert listed.ask(cursor, "[8]") == '[[8, "x"]]'
    assert listed.ask(cursor, "[]") == "[]"
    with pytest.raises(asyncpg.DivisionByZeroError):
        cursor.execute("SELECT 1 / 0")


async def test_row_functions_use_it_as_they_use_sqlites(postgres: PostgresServer) -> None:
    engine = create_async_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.run_sync(use)
    await engine.dispose()
