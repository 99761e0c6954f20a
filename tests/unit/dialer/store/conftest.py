"""A database in memory with one server and one client, for what runs inside transactions."""

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from dialer.store import config_rows
from dialer.store.bulk import driver_cursor
from dialer.store.contract import StoredKey
from dialer.store.tables import metadata
from tests import store_records as make


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://", isolation_level="AUTOCOMMIT", poolclass=StaticPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        metadata.create_all(connection)
        config_rows.add_server(connection, make.SERVER, make.NOW)
        config_rows.add_client(connection, make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
        yield connection
    engine.dispose()


@pytest.fixture
def cursor(connection: Connection) -> Iterator[sqlite3.Cursor]:
    cursor = driver_cursor(connection)
    assert isinstance(cursor, sqlite3.Cursor)
    yield cursor
    cursor.close()
