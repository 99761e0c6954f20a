"""The door to storage."""

from pathlib import Path

import pytest

from dialer.errors import SettingsError
from dialer.store import open_store, upgrade_database
from dialer.store.sqlite import SqliteStore
from tests import store_records as make


def test_a_sqlite_url_gives_the_sqlite_store(tmp_path: Path) -> None:
    assert isinstance(open_store(make.url_of(tmp_path / "a.db")), SqliteStore)


def test_an_upgrade_tells_whether_there_was_anything_to_do(tmp_path: Path) -> None:
    url = make.url_of(tmp_path / "a.db")
    assert upgrade_database(url)
    assert not upgrade_database(url)


@pytest.mark.parametrize("door", [open_store, upgrade_database])
def test_postgresql_is_refused_in_a_sentence(door: object) -> None:
    assert callable(door)
    with pytest.raises(SettingsError, match="PostgreSQL is not supported in this version"):
        door("postgresql+asyncpg://localhost/dialer")
