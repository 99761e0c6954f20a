"""What a transaction holds, and in which order."""

from sqlalchemy import Connection

from dialer.states import CallbackEvent
from dialer.store.contract import Candidate, Telling, Withdrawal
from dialer.store.row_locks import add_places, find_locks, hold_name, hold_queues
from tests import store_records as make


def candidate(client_id: int, queue_id: int, server_id: int) -> Candidate:
    return Candidate(
        1, client_id, queue_id, server_id, False, "call", "98", None, {}, 0, 0, 0, None, None,
        None, 1, make.NOW,
    )  # fmt: skip


def test_servers_then_clients_then_queues_each_by_id() -> None:
    first = make.reservation(candidate(client_id=5, queue_id=9, server_id=2))
    second = make.reservation(candidate(client_id=4, queue_id=3, server_id=2))
    others = (
        make.settlement(first),
        Withdrawal("w", make.NOW, 0),
        Telling("t", CallbackEvent.STARTED, make.delivery(), make.NOW, 0),
    )
    locks, channel_ids = find_locks([first, second, *others, object()])
    assert channel_ids == [first.channel_id, "w", "t"]
    add_places(locks, [(7, 1), (2, 3)])
    assert locks.say() == (
        ";SELECT 1 FROM servers WHERE id IN (2,7) ORDER BY id FOR SHARE"
        ";SELECT 1 FROM clients WHERE id IN (4,5) ORDER BY id FOR SHARE"
        ";SELECT 1 FROM queues WHERE id IN (1,3,9) ORDER BY id FOR NO KEY UPDATE"
    )
    assert find_locks([])[0].say() == ""


def test_one_writer_needs_none(connection: Connection) -> None:
    """SQLite would not understand them."""
    hold_queues(connection, [1, 2])
    hold_name(connection, "batch", 1, 2)
