"""How dead letters are found (their meaning: the conformance suite)."""

import sqlite3

import pytest
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite

from dialer.states import DeliveryState
from dialer.store.contract import DeliveryFilter
from dialer.store.dead_letters import CHUNK, cut_ids, find_dead, list_deliveries, send_again
from dialer.store.deltas import Deltas
from dialer.store.outbox import insert_deliveries
from tests import store_records as make


def test_dead_ones_are_found_by_their_index(cursor: sqlite3.Cursor) -> None:
    query = list_deliveries(DeliveryFilter(state=DeliveryState.DEAD, client_id=1), 50)
    compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    plan = " ".join(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {compiled}"))
    assert "ix_deliveries_dead" in plan
    assert "TEMP B-TREE" not in plan


def test_ids_are_cut_to_a_transactions_size() -> None:
    pieces = list(cut_ids(list(range(2 * CHUNK + 1))))
    assert [len(piece) for piece in pieces] == [CHUNK, CHUNK, 1]
    assert list(cut_ids([])) == []


def test_nothing_dead_is_nothing_noted(connection: Connection, cursor: sqlite3.Cursor) -> None:
    insert_deliveries(cursor, [(make.delivery(), make.NOW)], Deltas())
    assert find_dead(connection, DeliveryFilter(), make.NOW, "operator ann") == []
    assert send_again(connection, [1], make.NOW) == 0
    assert cursor.execute("SELECT count(*) FROM audit").fetchone() == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE deliveries SET state = 'lost'",
        "UPDATE deliveries SET state = 'dead'",
        "UPDATE deliveries SET ended_at = 1",
    ],
)
def test_a_state_says_whether_it_has_ended(cursor: sqlite3.Cursor, wrong: str) -> None:
    insert_deliveries(cursor, [(make.delivery(), make.NOW)], Deltas())
    with pytest.raises(sqlite3.IntegrityError):
        cursor.execute(wrong)
