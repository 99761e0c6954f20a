"""Connections: durable where they write, unable to write where they read."""

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dialer.errors import SettingsError
from dialer.store.engines import reading_engine, sqlite_url, writing_engine
from tests import store_records as make


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://db/dialer",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:////no/such/folder/dialer.db",
    ],
)
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        sqlite_url(url)


def test_the_writer_is_durable(tmp_path: Path) -> None:
    engine = writing_engine(sqlite_url(make.url_of(tmp_path / "w.db")))
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


async def test_readers_cannot_write(tmp_path: Path) -> None:
    engine = reading_engine(sqlite_url(make.make_store_file(tmp_path / "r.db")))
    async with engine.connect() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.exec_driver_sql("INSERT INTO tallies VALUES ('x', 1)")
    await engine.dispose()
