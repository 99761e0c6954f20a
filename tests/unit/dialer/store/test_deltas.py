"""What a transaction changes in the counts."""

import sqlite3

from sqlalchemy import Connection

from dialer.states import ItemStatus
from dialer.store import ingest
from dialer.store.deltas import Deltas
from dialer.store.queue_rows import load_queue
from tests import store_records as make

AT = 1_750_000_100_000_000
PENDING, QUEUED, PROCESSED = ItemStatus.PENDING, ItemStatus.QUEUED, ItemStatus.PROCESSED


def make_queue(connection: Connection, items: int = 2) -> int:
    batch = make.batch(*[make.item() for _ in range(items)])
    return ingest.insert_batch(connection, batch).queue_id


def test_moves_are_summed_and_the_first_reservation_starts_the_queue(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    queue_id = make_queue(connection)
    deltas = Deltas()
    deltas.move(queue_id, PENDING, QUEUED, AT)
    deltas.move(queue_id, QUEUED, PENDING, AT + 1)
    deltas.apply(cursor)
    queue = load_queue(connection, queue_id)
    assert (queue.status, queue.pending_count, queue.queued_count) == ("in-progress", 2, 0)
    assert queue.updated_at == (AT + 1) / 1e6


def test_a_queue_with_nothing_left_is_completed(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    queue_id = make_queue(connection)
    one, two = Deltas(), Deltas()
    one.move(queue_id, PENDING, QUEUED, AT)
    one.move(queue_id, QUEUED, PROCESSED, AT)
    two.move(queue_id, PENDING, ItemStatus.TERMINATED, AT)
    one.add(two)
    one.apply(cursor)
    queue = load_queue(connection, queue_id)
    assert queue.status == "completed"
    assert (queue.processed_count, queue.terminated_count) == (1, 1)


def test_tallies_add_up_over_transactions(cursor: sqlite3.Cursor) -> None:
    for count in (2, 3):
        deltas = Deltas()
        deltas.tally("cdr/busy", count)
        deltas.tally("callback/pending", 1)
        deltas.tally("callback/pending", -1)
        deltas.apply(cursor)
    assert cursor.execute("SELECT name, value FROM tallies").fetchall() == [("cdr/busy", 5)]


def test_nothing_to_change_writes_nothing(cursor: sqlite3.Cursor) -> None:
    before = cursor.connection.total_changes
    Deltas().apply(cursor)
    assert cursor.connection.total_changes == before
