"""Foreign CDRs in SQLite: what finds them costs no scan."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from dialer.store import foreign
from tests import store_records as make


def explain(path: Path, query: Select[Any]) -> str:
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
    return "\n".join(row[3] for row in rows)


def test_tasks_are_found_by_indexes(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"
    make.make_store_file(path)
    own = explain(path, foreign.own_task(1, "a"))
    assert "ix_deliveries_sgapi (event_id=?)" in own
    assert "cdr_id=?" in own
    given = explain(path, foreign.foreign_task(1, "a"))
    assert "(client_id=? AND uuid=?)" in given
    assert "SCAN" not in own + given


def test_what_waits_for_an_sgapi_is_found_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"
    make.make_store_file(path)
    assert "ix_foreign_cdrs_unsent" in explain(path, foreign.unsent(10))


def test_calls_without_a_delivery_are_found_by_indexes(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"
    make.make_store_file(path)
    plan = explain(path, foreign.own_unsent(7, 10))
    assert "SEARCH cdrs USING INTEGER PRIMARY KEY (rowid>?)" in plan
    assert "ix_deliveries_sgapi (event_id=?)" in plan
