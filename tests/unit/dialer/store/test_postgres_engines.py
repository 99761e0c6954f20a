"""URLs of PostgreSQL, and what sessions there are told."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dialer.errors import SettingsError
from dialer.store.postgres_engines import plain_url, postgres_url, reading_engine, writing_engine
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer


def test_a_url_is_read_and_given_to_the_driver() -> None:
    url = postgres_url("postgresql+asyncpg://ann:s%40crt@db.example:5433/dialer?ssl=require")
    assert plain_url(url) == "postgresql://ann:s%40crt@db.example:5433/dialer?ssl=require"


@pytest.mark.parametrize(
    "url", ["postgresql+asyncpg://host", "postgresql://host/db", "postgresql+asyncpg://h:p:q/db"]
)
def test_any_other_url_is_one_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="DIALER_DATABASE_URL"):
        postgres_url(url)


async def test_sessions_are_set_up(postgres: PostgresServer) -> None:
    url = postgres_url(postgres.url("postgres"))
    reading, writing = reading_engine(url, 1), writing_engine(url, 1)
    async with reading.connect() as connection:
        assert await connection.scalar(text("SHOW jit")) == "off"
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("CREATE TABLE never (id bigint)"))
    async with writing.connect() as connection:
        shown = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
        assert shown == "3s"
    await reading.dispose()
    await writing.dispose()


async def test_what_the_server_ended_is_not_handed_out(postgres: PostgresServer) -> None:
    engine = reading_engine(postgres_url(postgres.url("postgres")), 1)
    async with engine.connect() as connection:
        session = await connection.scalar(text("SELECT pg_backend_pid()"))
        driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    ended = asyncio.Event()
    driver.add_termination_listener(lambda _: ended.set())
    postgres.execute(f"SELECT pg_terminate_backend({session}, 5000)")
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) != session
    await engine.dispose()
