"""Storage behind one contract (`dialer.store.contract`)."""

from dialer.errors import SettingsError
from dialer.store.contract import Store
from dialer.store.sqlite import SqliteStore


def open_store(url: str) -> Store:
    """The adapter for `url`, not opened yet. Raises `SettingsError`."""
    if url.startswith("postgresql"):
        raise SettingsError("PostgreSQL is not supported in this version: use sqlite+aiosqlite:///")
    return SqliteStore(url)
