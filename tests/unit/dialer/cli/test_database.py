"""`dialer db upgrade`."""

from pathlib import Path

import pytest

from dialer.store.engines import sqlite_url
from dialer.store.migrations import HEAD, version
from tests import store_records as make
from tests.unit.dialer.cli.conftest import Terminal


def test_upgrade_makes_the_database_once(
    dialer: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make.url_of(tmp_path / "new.db")
    monkeypatch.setenv("DIALER_DATABASE_URL", url)
    assert dialer("db", "upgrade").out == "the database is upgraded\n"
    assert version(sqlite_url(url)) == HEAD
    assert dialer("db", "upgrade").out == "the database is up to date\n"


def test_postgresql_is_one_sentence(dialer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", "postgresql+asyncpg://db/dialer")
    dialer.refuses("db", "upgrade", saying="PostgreSQL")
