"""`dialer db upgrade`."""

from pathlib import Path

import pytest

from dialer.store.engines import sqlite_url
from dialer.store.migrations import HEAD, version
from tests import store_records as make
from tests.postgres_server import PostgresServer
from tests.unit.dialer.cli.conftest import Terminal


def test_upgrade_makes_the_database_once(
    dialer: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make.url_of(tmp_path / "new.db")
    monkeypatch.setenv("DIALER_DATABASE_URL", url)
    assert dialer("db", "upgrade").out == "the database is upgraded\n"
    assert version(sqlite_url(url)) == HEAD
    assert dialer("db", "upgrade").out == "the database is up to date\n"


def test_upgrade_of_postgresql_makes_its_tables_once(
    dialer: Terminal, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", postgres.make_empty())
    assert dialer("db", "upgrade").out == "the database is upgraded\n"
    assert dialer("db", "upgrade").out == "the database is up to date\n"


def test_a_postgresql_that_is_not_there_is_one_sentence(
    dialer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", "postgresql+asyncpg://127.0.0.1:1/dialer")
    answer = dialer("db", "upgrade")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("the database dialer could not be used: ")
    assert answer.err.count("\n") == 1
