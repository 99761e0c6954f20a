"""Connections to SQLite: one that writes (synchronous, in the writer's thread), a few that read."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dialer.errors import SettingsError

BUSY_TIMEOUT_MS: Final = 5000
# Measured by others on such a machine: 11-16 ms a checkpoint at 1000 pages, 57-91 at 10,000.
CHECKPOINT_PAGES: Final = 1000
READERS: Final = 4
# For searches, which keep a core busy for as long as they run: the loop's thread needs another.
SEARCHERS: Final = 1
_OLDEST: Final = (3, 35)  # UPDATE … FROM, RETURNING


def sqlite_url(url: str) -> URL:
    """The parsed URL of a SQLite file. Raises `SettingsError` for any other."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or ":memory:" in url:
        raise SettingsError(
            "DIALER_DATABASE_URL must name a SQLite file, like sqlite+aiosqlite:///F"
        )
    if not Path(parsed.database).parent.is_dir():
        raise SettingsError(f"the folder of the database {parsed.database} does not exist")
    if sqlite3.sqlite_version_info < _OLDEST:
        raise SettingsError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is needed")
    return parsed


def writing_engine(url: URL) -> Engine:
    """One connection, outside any transaction until BEGIN is said; it may change threads."""
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=0,
        pool_reset_on_return=None,
        hide_parameters=True,  # an error's text would carry a client's data into the log
        connect_args={"cached_statements": 512, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _set_up_writer)
    return engine


def reading_engine(url: URL, connections: int = READERS) -> AsyncEngine:
    """Connections that refuse to write; every statement by itself sees one state of the file."""
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args={"cached_statements": 128, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine.sync_engine, "connect", _set_up_reader)
    return engine


def _set_up_writer(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        "temp_store = MEMORY",
        "cache_size = -24576",  # KiB; with a million items waiting no larger one was quicker
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_reader(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("temp_store = MEMORY", "cache_size = -4096", "query_only = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
