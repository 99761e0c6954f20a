"""Migrations: from nothing to what `tables` says, once, by any number of processes."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from dialer.errors import StoreUnavailable
from dialer.store import migrations
from dialer.store.contract import Reservation
from dialer.store.engines import sqlite_url
from dialer.store.tables import metadata
from tests import store_records as make

FOLDER = Path(migrations.__file__).parent


def test_migrations_build_the_tables(tmp_path: Path) -> None:
    url = sqlite_url(make.url_of(tmp_path / "new.db"))
    assert migrations.version(url) is None
    assert migrations.upgrade(url)
    assert migrations.version(url) == migrations.HEAD
    assert not migrations.upgrade(url)
    migrated, declared = create_engine(url.set(drivername="sqlite")), create_engine("sqlite://")
    with migrated.connect() as one, declared.connect() as other:
        assert compare_metadata(MigrationContext.configure(one), metadata) == []
        metadata.create_all(other)
        # Alembic does not compare conditions of indexes and checks: their text must be the same.
        query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
        built = {row[:2]: row[2] for row in one.exec_driver_sql(query)}
        wanted = {row[:2]: row[2] for row in other.exec_driver_sql(query)}
        built.pop(("index", "sqlite_autoindex_alembic_version_1"), None)
        indexes = {key: sql for key, sql in built.items() if key[0] == "index"}
        assert indexes == {key: sql for key, sql in wanted.items() if key[0] == "index"}
        tables = {key: sorted(sql.split("\n\t")) for key, sql in built.items() if key[0] == "table"}
        expected = [key for key in wanted if key[0] == "table"]
        assert sorted(tables) == sorted(expected)
        for key in expected:
            checks = [line for line in wanted[key].split("\n") if "CHECK" in line]
            assert all(line.strip(" ,\t") in built[key] for line in checks), key
    migrated.dispose()
    declared.dispose()


def test_the_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_downgrade_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "down.db"
    url = sqlite_url(make.make_store_file(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.downgrade(config, "base")
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert [name for (name,) in tables] == ["alembic_version"]


async def test_two_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    url = sqlite_url(make.url_of(tmp_path / "race.db"))
    both = await asyncio.gather(*(asyncio.to_thread(migrations.upgrade, url) for _ in range(2)))
    assert any(both)
    assert migrations.version(url) == migrations.HEAD


def test_what_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("this is a text, not a database, and long enough to be looked at" * 20)
    with pytest.raises(StoreUnavailable, match=r"text\.db"):
        migrations.upgrade(sqlite_url(make.url_of(path)))


def test_deliveries_outlive_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "both.db"
    url = sqlite_url(make.url_of(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0002")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO clients (id, name, accountcode, username, allocated_channels, status,"
            " timezone, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 1, 'active', 'UTC', 1, 1)"
        )
        connection.execute(
            "INSERT INTO deliveries (id, kind, client_id, endpoint, url, method, event_id, body,"
            " state, tries, due_at, created_at, ended_at) VALUES"
            " (1, 'sgapi', 1, 'sgapi', 'u', 'PUT', 'e', '{}', 'pending', 3, 5, 1, NULL),"
            " (2, 'callback', 1, 'c', 'u', 'POST', 'f', '{}', 'dead', 11, 5, 1, 9)"
        )
        connection.execute("INSERT INTO tallies VALUES ('sgapi/accepted', 1)")
    assert migrations.upgrade(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute("SELECT id, state, tries, ended_at, task FROM deliveries")
        assert rows.fetchall() == [(1, "pending", 3, None, None), (2, "dead", 11, 9, None)]
        connection.execute(
            "UPDATE deliveries SET state = 'accepted', endpoint = 'sgapi tasks' WHERE id = 1"
        )
    command.downgrade(config, "0002")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT id, state, endpoint FROM deliveries")
        assert rows.fetchall() == [(1, "pending", "sgapi"), (2, "dead", "c")]
        tallies = connection.execute("SELECT name, value FROM tallies").fetchall()
        assert tallies == [("sgapi/pending", 1)]


def test_tries_before_their_times_were_kept(tmp_path: Path) -> None:
    """A delivery that ended was tried last when it ended; of others nothing is known."""
    path = tmp_path / "tries.db"
    url = sqlite_url(make.url_of(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0005")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO clients (id, name, accountcode, username, allocated_channels, status,"
            " timezone, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 1, 'active', 'UTC', 1, 1)"
        )
        connection.execute(
            "INSERT INTO deliveries (id, kind, client_id, endpoint, url, method, event_id, body,"
            " state, tries, due_at, created_at, ended_at) VALUES"
            " (1, 'sgapi', 1, 'sgapi', 'u', 'PUT', 'e', '{}', 'pending', 3, 5, 1, NULL),"
            " (2, 'sgapi', 1, 'sgapi', 'u', 'PUT', 'f', '{}', 'delivered', 1, 5, 1, 9)"
        )
    command.upgrade(config, "0006")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT id, updated_at FROM deliveries").fetchall()
    assert rows == [(1, None), (2, 9)]


def test_clients_from_before_shapes_keep_what_they_had(tmp_path: Path) -> None:
    path = tmp_path / "shapes.db"
    url = sqlite_url(make.url_of(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0006")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO clients (id, name, accountcode, username, allocated_channels, status,"
            " timezone, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 1, 'active', 'UTC', 1, 1)"
        )
    assert migrations.upgrade(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        query = "SELECT accountcode, callback_shape, cdr_mapping FROM clients"
        assert connection.execute(query).fetchall() == [("a", "native", "default")]
        connection.execute("UPDATE clients SET callback_shape = 'pbx'")
    command.downgrade(config, "0006")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT accountcode FROM clients").fetchall() == [("a",)]


def test_clients_and_calls_from_before_callback_events_have_none(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    url = sqlite_url(make.url_of(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0008")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO clients (id, name, accountcode, username, allocated_channels, status,"
            " timezone, created_at, updated_at) VALUES (1, 'A', 'a', 'a', 1, 'active', 'UTC', 1, 1)"
        )
        connection.execute(
            "INSERT INTO attempts (id, item_id, client_id, queue_id, server_id, number, channel_id,"
            " action_id, cdr_id, opened_at) VALUES (1, 1, 1, 1, 1, 1, 'ch', 'a', 'c', 1)"
        )
    assert migrations.upgrade(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        events = connection.execute("SELECT accountcode, callback_events FROM clients")
        assert events.fetchall() == [("a", "[]")]
        told = connection.execute("SELECT cdr_id, told FROM attempts")
        assert told.fetchall() == [("c", 0)]
    command.downgrade(config, "0008")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT cdr_id FROM attempts").fetchall() == [("c",)]


def test_histories_of_before_are_found_as_new_ones_are(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    url = sqlite_url(make.url_of(path))
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0007")
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(1, 4101):
            record = old_record(number, 2 if number % 4 == 0 else 1)
            connection.execute(
                "INSERT INTO cdrs (id, attempt_id, cdr_id, client_id, queue_id, item_id,"
                " server_code, number, disposition, final, started_at, ended_at, record) VALUES"
                " (?1, ?1, ?2, ?3, 1, 1, 'pbx1', '98', 'busy', 1, ?4, 9, ?5)",
                (number, f"c-{number}", record["client_id"], number * 10, json.dumps(record)),
            )
    assert migrations.upgrade(url)
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT source, extension, project, duration, talked, recorded, call_id,"
            " client_channel_id, sip_call_id, shelf FROM cdrs WHERE id = 4001"
        ).fetchone()
        assert row == ("1001", "5", "even", 3, 1, 1, "call-4001", "own", None, 1)
        blocks = connection.execute("SELECT * FROM cdr_blocks ORDER BY client_id, first_id")
        assert blocks.fetchall() == [
            (1, 1, 2730, 2048, 10, 27300),
            (1, 2731, 4099, 1027, 27310, 40990),
            (2, 4, 4100, 1025, 40, 41000),
        ]
        projects = connection.execute("SELECT * FROM projects ORDER BY client_id, number")
        assert projects.fetchall() == [(1, 1, "even"), (1, 2, "odd"), (2, 1, "odd"), (2, 2, "even")]
    command.downgrade(config, "0007")
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT json(record) FROM cdrs WHERE id = 4001").fetchone()
        assert json.loads(found[0]) == old_record(4001, 1)
        assert connection.execute("SELECT count(*) FROM cdrs").fetchone() == (4100,)


def old_record(number: int, client_id: int) -> dict[str, Any]:
    """As it was written before the SIP Call-ID was."""
    attempt = Reservation(number, client_id, 1, 1, 1, "ch", "a", f"c-{number}", 1.0, 0)
    cdr = make.cdr(attempt, call_id=f"call-{number}", caller_id='"A" <1001>', application="Dial")
    named = asdict(cdr) | {"data": "PJSIP/5,30", "project": "odd" if number % 8 > 3 else "even"}
    del named["sip_call_id"]
    return named | {"recording_path": "/r.wav", "client_channel_id": "own"}
