"""Storage behind one contract (`dialer.store.contract`)."""

from pathlib import Path

from dialer.store.contract import Store
from dialer.store.engines import sqlite_url
from dialer.store.migrations import upgrade
from dialer.store.sqlite import SqliteStore


def open_store(url: str, state_dir: Path | None = None) -> Store:
    """The adapter for `url`, not opened yet. `state_dir`: where a worker on PostgreSQL keeps what
    it knows of its own attempts. Raises `SettingsError`."""
    if is_postgres(url):
        from dialer.store.postgres import STATE_DIR, PostgresStore

        return PostgresStore(url, STATE_DIR if state_dir is None else state_dir)
    return SqliteStore(url)


def upgrade_database(url: str) -> bool:
    """Bring the database of `url` to the newest version; whether anything had to be done. Raises
    `SettingsError` and `StoreUnavailable`. Not to be called in a running event loop."""
    if is_postgres(url):
        from dialer.store.postgres_engines import postgres_url

        return upgrade(postgres_url(url))
    return upgrade(sqlite_url(url))


def is_postgres(url: str) -> bool:
    """Whether it names a database that several processes and machines may share."""
    return url.startswith("postgresql")
