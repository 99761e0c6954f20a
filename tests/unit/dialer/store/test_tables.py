"""What the database itself forbids."""

import sqlite3

import pytest
from sqlalchemy import Connection

from dialer.store import ingest
from tests import store_records as make

FORBIDDEN = {
    "an unknown item status": "UPDATE items SET status = 'lost'",
    "an unknown queue status": "UPDATE queues SET status = 'lost'",
    "counts that do not add up": "UPDATE queues SET pending_count = pending_count - 1",
    "a negative count": "UPDATE queues SET queued_count = -1, total_count = 0",
    "a ChannelId twice, whatever its case": "UPDATE items SET channel_base = 'NAME' WHERE id = 2",
    "a client without accountcode": "UPDATE clients SET accountcode = NULL",
    "an item of no queue": "UPDATE items SET queue_id = 99",
    "two quick queues of a client": (
        "INSERT INTO queues (client_id, name, status, kind, retry_count, retry_gap, dids,"
        " created_at, updated_at) SELECT 1, 'q', 'pending', 'quick', 0, 0, '[]', 1, 1"
        " UNION ALL SELECT 1, 'q', 'pending', 'quick', 0, 0, '[]', 1, 1"
    ),
    "two open attempts of an item": (
        "INSERT INTO attempts (item_id, client_id, queue_id, server_id, number, channel_id,"
        " action_id, cdr_id, opened_at) VALUES (1, 1, 1, 1, 1, 'a', 'a', 'a', 1),"
        " (1, 1, 1, 1, 2, 'b', 'b', 'b', 1)"
    ),
    "a channel id twice, whatever its case": (
        "INSERT INTO attempts (item_id, client_id, queue_id, server_id, number, channel_id,"
        " action_id, cdr_id, opened_at) VALUES (1, 1, 1, 1, 1, 'a', 'a', 'a', 1),"
        " (2, 1, 1, 1, 1, 'A', 'b', 'b', 1)"
    ),
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
def test_the_database_refuses(
    connection: Connection, cursor: sqlite3.Cursor, statement: str
) -> None:
    items = [make.item(wanted_channel_id="name"), make.item()]
    ingest.insert_batch(connection, make.batch(*items))
    with pytest.raises(sqlite3.IntegrityError):
        cursor.execute(statement)
