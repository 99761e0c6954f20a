"""What marks name ends piece by piece (its meaning: the conformance suite)."""

from sqlalchemy import Connection

from dialer.states import QueueStatus
from dialer.store import endings, ingest, queue_rows
from tests import store_records as make

NOW = make.NOW


def add_queue(connection: Connection, items: int) -> int:
    batch = make.batch(*[make.item() for _ in range(items)])
    return ingest.insert_batch(connection, batch).queue_id


def test_a_marked_queue_ends_piece_by_piece_and_loses_its_mark(connection: Connection) -> None:
    queue_id = add_queue(connection, 5)
    assert queue_rows.change_queue(connection, queue_id, {"status": "completed"}, NOW)
    assert endings.marked_queues(connection) == [queue_id]
    ended = [endings.end_marked(connection, queue_id, 2, make.close, NOW) for _ in range(4)]
    assert ended == [2, 2, 1, 0]
    assert endings.marked_queues(connection) == []


def test_an_expiry_never_ends_more_than_asked(connection: Connection) -> None:
    queue_id = add_queue(connection, 3)
    late = make.batch(*[make.item(deadline=NOW - 1) for _ in range(4)])
    ingest.insert_batch(connection, late)
    queue_rows.change_queue(connection, queue_id, {"closed": True}, NOW)
    ended = [endings.expire_items(connection, NOW, 5, make.close) for _ in range(3)]
    assert ended == [5, 2, 0]
    assert queue_rows.load_queue(connection, queue_id).status is QueueStatus.COMPLETED


def test_queues_with_the_least_to_end_come_first(connection: Connection) -> None:
    sizes = {add_queue(connection, items): items for items in (3, 1, 2)}
    for queue_id in sizes:
        queue_rows.change_queue(connection, queue_id, {"closed": True}, NOW)
    assert [sizes[queue_id] for queue_id in endings.marked_queues(connection)] == [1, 2, 3]
