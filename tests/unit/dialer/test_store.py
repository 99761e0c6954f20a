"""The door to storage."""

from pathlib import Path

import pytest

from dialer.errors import SettingsError
from dialer.store import is_postgres, open_store, upgrade_database
from dialer.store.postgres import PostgresStore
from dialer.store.sqlite import SqliteStore
from tests import store_records as make
from tests.postgres_server import PostgresServer


def test_the_url_chooses_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store(make.url_of(tmp_path / "a.db")), SqliteStore)
    url = "postgresql+asyncpg://dialer@localhost/dialer"
    store = open_store(url, tmp_path)
    assert isinstance(store, PostgresStore)
    assert is_postgres(url)
    assert not is_postgres(make.url_of(tmp_path / "a.db"))


def test_an_upgrade_tells_whether_there_was_anything_to_do(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    for url in (make.url_of(tmp_path / "a.db"), postgres.make_empty()):
        assert upgrade_database(url)
        assert not upgrade_database(url)


@pytest.mark.parametrize("door", [open_store, upgrade_database])
def test_another_url_is_refused_in_a_sentence(door: object) -> None:
    assert callable(door)
    with pytest.raises(SettingsError, match="DIALER_DATABASE_URL"):
        door("postgresql://localhost/dialer")
