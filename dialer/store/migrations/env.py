"""Alembic's environment: one transaction around all migrations of a SQLite file."""

from alembic import context
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection

from dialer.store.tables import metadata


def run_migrations(url: URL) -> None:
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": 30.0})

    def begin(connection: Connection) -> None:
        # Python's driver would begin no transaction for CREATE TABLE.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def no_own_begin(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", no_own_begin)
    event.listen(engine, "begin", begin)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run_migrations(context.config.attributes["url"])
