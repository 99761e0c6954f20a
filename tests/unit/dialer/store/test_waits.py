"""Waits that follow a changed gap, piece by piece (their meaning: the conformance suite)."""

import sqlite3

import pytest
from sqlalchemy import Connection

from dialer.store import attempts, endings, ingest, queue_rows, reading, waits
from dialer.store.contract import Candidate
from dialer.store.deltas import Deltas
from dialer.store.rows import read_candidate, to_micros
from tests import store_records as make

NOW = make.NOW
ITEMS = 5


@pytest.fixture
def queue_id(
    connection: Connection, cursor: sqlite3.Cursor, monkeypatch: pytest.MonkeyPatch
) -> int:
    """A queue whose items all wait for a retry, 300 s after NOW; another's lie between them."""
    monkeypatch.setattr(waits, "LOOKED_AT", 2)
    first = ingest.insert_batch(connection, make.batch(make.item()))
    for _ in range(ITEMS - 1):
        ingest.insert_batch(connection, make.batch(make.item()))
        ingest.insert_batch(connection, make.batch(make.item(), queue_id=first.queue_id))
    rows = reading.read_all(connection, reading.waiting(first.queue_id, 1, 0, 9))
    dial_and_fail(cursor, [read_candidate(raw) for raw in rows])
    return first.queue_id


def dial_and_fail(cursor: sqlite3.Cursor, candidates: list[Candidate]) -> None:
    wanted = [make.reservation(candidate) for candidate in candidates]
    assert attempts.reserve(cursor, wanted, Deltas()) == [True] * len(wanted)
    settlements = [make.settlement(r, "busy", next_attempt_at=NOW + 300, now=NOW) for r in wanted]
    attempts.settle(cursor, settlements, Deltas())


def change_gap(connection: Connection, queue_id: int, gap: int) -> None:
    assert queue_rows.change_queue(connection, queue_id, {"retry_gap": gap}, NOW)


def go_on(connection: Connection, queue_id: int) -> bool:
    return endings.go_on(connection, queue_id, make.close, NOW)


def read_waits(cursor: sqlite3.Cursor, queue_id: int) -> list[float]:
    query = "SELECT due_at FROM items WHERE queue_id = ? ORDER BY id"
    return [due_at / 1e6 - NOW for (due_at,) in cursor.execute(query, (queue_id,))]


def test_waits_are_moved_a_piece_a_time(
    connection: Connection, cursor: sqlite3.Cursor, queue_id: int
) -> None:
    change_gap(connection, queue_id, 30)
    assert read_waits(cursor, queue_id) == [300] * 5
    assert go_on(connection, queue_id)
    assert read_waits(cursor, queue_id) == [30, 30, 300, 300, 300]
    assert waits.moving_queues(connection) == [queue_id]
    assert go_on(connection, queue_id)
    assert not go_on(connection, queue_id)
    assert read_waits(cursor, queue_id) == [30] * 5
    assert waits.moving_queues(connection) == []
    assert not go_on(connection, queue_id)


def test_a_gap_that_is_changed_again_half_way_counts_once(
    connection: Connection, cursor: sqlite3.Cursor, queue_id: int
) -> None:
    change_gap(connection, queue_id, 30)
    go_on(connection, queue_id)
    change_gap(connection, queue_id, 900)
    while go_on(connection, queue_id):
        pass
    assert read_waits(cursor, queue_id) == [900] * 5


def test_what_a_crash_left_is_moved_by_the_next_expiry(
    connection: Connection, cursor: sqlite3.Cursor, queue_id: int
) -> None:
    change_gap(connection, queue_id, 30)
    go_on(connection, queue_id)
    marks = []
    while waits.moving_queues(connection):
        marks.append(reading.read_all(connection, reading.next_deadline())[0][1])
        assert endings.expire_items(connection, NOW, 9, make.close) == 0
    assert marks == [1, 1]
    assert reading.read_all(connection, reading.next_deadline()) == [[None, 0]]
    assert read_waits(cursor, queue_id) == [30] * 5


def test_no_retry_goes_by_a_wait_that_is_no_more(
    connection: Connection, cursor: sqlite3.Cursor, queue_id: int
) -> None:
    due = reading.due_retries(queue_id, 1, to_micros(NOW + 300), 9)
    loaded = [read_candidate(raw) for raw in reading.read_all(connection, due)]
    assert len(loaded) == ITEMS
    change_gap(connection, queue_id, 900)
    wanted = [make.reservation(candidate, NOW + 300) for candidate in loaded]
    while True:
        assert reading.read_all(connection, due) == []
        assert attempts.reserve(cursor, wanted, Deltas()) == [False] * ITEMS
        if not go_on(connection, queue_id):
            break
    assert attempts.reserve(cursor, wanted, Deltas()) == [False] * ITEMS
    later = reading.due_retries(queue_id, 1, to_micros(NOW + 900), 9)
    assert len(reading.read_all(connection, later)) == ITEMS


def test_the_same_gap_again_moves_nothing(connection: Connection, queue_id: int) -> None:
    assert not queue_rows.change_queue(connection, queue_id, {"retry_gap": 300}, NOW)


def test_retries_that_are_being_ended_are_not_granted(
    connection: Connection, cursor: sqlite3.Cursor, queue_id: int
) -> None:
    due = reading.due_retries(queue_id, 1, to_micros(NOW + 300), 9)
    loaded = [read_candidate(raw) for raw in reading.read_all(connection, due)]
    assert queue_rows.change_queue(connection, queue_id, {"retry": False}, NOW)
    wanted = [make.reservation(candidate, NOW + 300) for candidate in loaded]
    assert attempts.reserve(cursor, wanted, Deltas()) == [False] * ITEMS
    assert reading.read_all(connection, due) == []
