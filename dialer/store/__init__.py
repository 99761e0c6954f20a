"""Storage behind one contract (`dialer.store.contract`)."""

from dialer.errors import SettingsError
from dialer.store.contract import Store
from dialer.store.engines import sqlite_url
from dialer.store.migrations import upgrade
from dialer.store.sqlite import SqliteStore


def open_store(url: str) -> Store:
    """The adapter for `url`, not opened yet. Raises `SettingsError`."""
    _refuse_others(url)
    return SqliteStore(url)


def upgrade_database(url: str) -> bool:
    """Bring the database of `url` to the newest version; whether anything had to be done. Raises
    `SettingsError` and `StoreUnavailable`."""
    _refuse_others(url)
    return upgrade(sqlite_url(url))


def _refuse_others(url: str) -> None:
    if url.startswith("postgresql"):
        raise SettingsError("PostgreSQL is not supported in this version: use sqlite+aiosqlite:///")
