"""Alembic's environment: one transaction around all migrations of a database."""

import asyncio

from alembic import context
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from dialer.store.tables import metadata

# Held while a process migrates: others wait, and then find nothing to do.
LOCK = 7_243_001


def run_migrations(url: URL) -> None:
    if url.get_backend_name() == "postgresql":
        asyncio.run(run_on_postgres(url))
        return
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": 30.0})

    def begin(connection: Connection) -> None:
        # Python's driver would begin no transaction for CREATE TABLE.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def no_own_begin(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", no_own_begin)
    event.listen(engine, "begin", begin)
    with engine.connect() as connection:
        run_on(connection)
        connection.commit()
    engine.dispose()


def run_on(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_on_postgres(url: URL) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        await connection.run_sync(run_on)
    await engine.dispose()


run_migrations(context.config.attributes["url"])
