"""Many rows in one statement."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from dialer.store.bulk import (
    array_insertion,
    cut,
    driver_cursor,
    insert_rows,
    make_arrays,
    run_with_rows,
    with_arrays,
)
from dialer.store.dialect import both, relation

PLAIN = relation(a="bigint", b="text")


@given(st.integers(0, 3000))
def test_pieces_are_all_rows_in_order_and_of_few_lengths(count: int) -> None:
    rows = [(number,) for number in range(count)]
    pieces = list(cut(rows))
    assert [row for piece in pieces for row in piece] == rows
    assert {len(piece) for piece in pieces} <= {2**power for power in range(10)}
    assert len(pieces) <= count // 512 + 9


@pytest.fixture
def table(cursor: sqlite3.Cursor) -> sqlite3.Cursor:
    return cursor.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b)")


def test_inserted_rows_get_ids_that_follow_each_other(table: sqlite3.Cursor) -> None:
    first = insert_rows(table, "t", PLAIN, [(n, -n) for n in range(700)])
    second = insert_rows(table, "t", PLAIN, [("x", None)])
    assert (first, second) == (range(1, 701), range(701, 702))
    found = table.execute("SELECT a, b FROM t WHERE id = 600").fetchone()
    assert found == (599, -599)
    assert insert_rows(table, "t", PLAIN, []) == ()


def test_a_change_runs_over_rows_and_tells_how_many_it_changed(table: sqlite3.Cursor) -> None:
    insert_rows(table, "t", PLAIN, [(n, 0) for n in range(10)])
    change = both("UPDATE t SET b = t.b + r.more FROM {rows} WHERE t.a = r.a")
    more = relation(a="bigint", more="integer")
    assert run_with_rows(table, change, more, [(3, 5), (4, 6), (99, 1)]) == 2
    assert table.execute("SELECT b FROM t WHERE a IN (3, 4)").fetchall() == [(5,), (6,)]
    assert run_with_rows(table, change, more, []) == 0


def test_postgresql_gets_an_array_for_each_column() -> None:
    change = both("UPDATE t SET b = r.b FROM {rows} WHERE t.a = r.a")
    said = "UPDATE t SET b = r.b FROM unnest($1::bigint[], $2::text[]) AS r (a, b) WHERE t.a = r.a"
    assert with_arrays(change, PLAIN) == said
    assert array_insertion("t", PLAIN) == (
        "INSERT INTO t (a, b) SELECT a, b FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY"
        " AS r (a, b, ordinality) ORDER BY ordinality RETURNING id"
    )


def test_texts_for_postgresql_hold_no_nul() -> None:
    rows = [(1, "a\0b"), (2, None), (3, "c")]
    assert make_arrays(PLAIN, rows) == [(1, 2, 3), ["a\ufffdb", None, "c"]]
    assert make_arrays(PLAIN, rows[1:]) == [(2, 3), (None, "c")]


def test_a_bare_cursor_shares_the_transaction(connection: Connection) -> None:
    cursor = driver_cursor(connection)
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO tallies VALUES ('x', 1)")
    assert connection.exec_driver_sql("SELECT value FROM tallies").scalar_one() == 1
    cursor.execute("ROLLBACK")
    assert connection.exec_driver_sql("SELECT count(*) FROM tallies").scalar_one() == 0
