"""What a queue's change writes (its meaning: the conformance suite)."""

import pytest
from sqlalchemy import Connection

from dialer.store import endings, ingest, queue_rows
from tests import store_records as make

NOW = make.NOW


@pytest.mark.parametrize("changes", [{"retry": True}, {"paused": True}, {"retry_count": 2}])
def test_changes_that_end_nothing_mark_nothing(
    connection: Connection, changes: dict[str, object]
) -> None:
    queue_id = ingest.insert_batch(connection, make.batch(make.item())).queue_id
    assert not queue_rows.change_queue(connection, queue_id, changes, NOW)
    assert endings.marked_queues(connection) == []


def test_retries_switched_off_mark_their_queue_and_on_again_unmark_it(
    connection: Connection,
) -> None:
    queue_id = ingest.insert_batch(connection, make.batch(make.item())).queue_id
    assert queue_rows.change_queue(connection, queue_id, {"retry": False}, NOW)
    assert endings.marked_queues(connection) == [queue_id]
    assert not queue_rows.change_queue(connection, queue_id, {"retry": True}, NOW)
    assert endings.marked_queues(connection) == []
