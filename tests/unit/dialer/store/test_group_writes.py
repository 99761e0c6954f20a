"""Writes of one transaction: all at once, or each by itself where one is bad."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from dialer.errors import Conflict
from dialer.states import ItemStatus
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.group_writes import Kind, save, write_apart, write_at_once


def tally(cursor: Cursor, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
    for op in ops:
        cursor.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (op, b""))
        deltas.tally("written")
    return [op.upper() for op in ops]


def explode(cursor: Cursor, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
    raise sqlite3.OperationalError("database or disk is full")


def names(cursor: sqlite3.Cursor) -> list[str]:
    return [name for (name,) in cursor.execute("SELECT name FROM meta ORDER BY name").fetchall()]


def test_all_at_once_with_what_they_count(cursor: sqlite3.Cursor) -> None:
    kind = Kind(tally)
    assert write_at_once(cursor, [(kind, ["a"]), (kind, ["b", "c"])]) == ["A", "B", "C"]
    counted = cursor.execute("SELECT value FROM tallies WHERE name = 'written'").fetchone()
    assert (names(cursor), counted) == (["a", "b", "c"], (3,))


def test_a_bad_one_fails_alone_and_counts_nothing(cursor: sqlite3.Cursor) -> None:
    kind = Kind(tally)
    groups = [(kind, ["a"]), (kind, ["b", "a", "c"])]
    with pytest.raises(sqlite3.IntegrityError):
        save(cursor, lambda: write_at_once(cursor, groups))
    assert names(cursor) == []
    one, two, bad, three = write_apart(cursor, groups)
    assert (one, two, three) == ("A", "B", "C")
    assert isinstance(bad, Conflict)
    counted = cursor.execute("SELECT value FROM tallies WHERE name = 'written'").fetchone()
    assert (names(cursor), counted) == (["a", "b", "c"], (3,))


def test_a_database_that_fails_fails_all(cursor: sqlite3.Cursor) -> None:
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write_apart(cursor, [(Kind(tally), ["a"]), (Kind(explode), ["b"])])


def test_moves_of_a_bad_group_are_not_applied(cursor: sqlite3.Cursor) -> None:
    def move(cursor: Cursor, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
        deltas.move(1, ItemStatus.PENDING, ItemStatus.QUEUED, 1)
        raise LookupError("bad")

    (failure,) = write_apart(cursor, [(Kind(move), ["x"])])
    assert isinstance(failure, LookupError)
