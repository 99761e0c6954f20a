"""Writes of one transaction: all at once, or each by itself where one is bad."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from dialer.errors import Conflict
from dialer.states import ItemStatus
from dialer.store import attempts
from dialer.store.contract import StoredKey
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.group_writes import Kind, save, write_apart, write_at_once
from dialer.store.postgres import PostgresStore
from dialer.store.postgres_cursor import PostgresCursor
from dialer.store.row_locks import find_locks
from tests import store_records as make
from tests.postgres_server import PostgresServer


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


class Counting(PostgresCursor):
    """What is said to the database, one way there and back each."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.said: list[str] = []

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> PostgresCursor:
        self.said.append(sql)
        return super().execute(sql, parameters)


async def test_who_waits_for_a_queue_waits_for_two_ways_of_a_reservation(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """A group holds its queues from its beginning: they are not locked a second time."""
    store = PostgresStore(postgres.make_database(), tmp_path, 0, 0)
    await store.open()
    await store.add_server(make.SERVER, make.NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    added = await store.insert_batch(make.batch(*[make.item() for _ in range(3)]))
    found = await store.waiting(added.queue_id, 1, 0, 9)
    ops = [make.reservation(item) for item in found]
    ops[1] = make.reservation(found[1], now=make.NOW, queue_id=99)
    counted: list[str] = []

    def write(connection: Connection) -> list[Any]:
        cursor = Counting(connection.connection.driver_connection)
        results = write_at_once(cursor, [(Kind(attempts.reserve), ops[::2])])
        counted.extend(cursor.said)
        return results

    locks, _ = find_locks(ops)
    assert await store._writer._groups.run(write, "writes", locks.say()) == [True, True]
    assert len(counted) == 2, counted
    assert await store.reserve(ops[1]) is False
    queue = await store.queue(added.queue_id, None)
    assert (queue.pending_count, queue.queued_count) == (1, 2)
    await store.close()
