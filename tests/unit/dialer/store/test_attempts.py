"""What reservations and settlements write, row by row (their meaning: the conformance suite)."""

import json
import sqlite3

import pytest
from sqlalchemy import Connection

from dialer.store import attempts, ingest
from dialer.store.contract import Candidate
from dialer.store.deltas import Deltas
from dialer.store.reading import read_all, waiting
from dialer.store.rows import load_cdr, read_candidate
from tests import store_records as make


@pytest.fixture
def candidates(connection: Connection) -> list[Candidate]:
    added = ingest.insert_batch(connection, make.batch(*[make.item() for _ in range(3)]))
    return [read_candidate(raw) for raw in read_all(connection, waiting(added.queue_id, 1, 0, 9))]


def test_some_of_a_group_may_be_refused(
    cursor: sqlite3.Cursor, candidates: list[Candidate]
) -> None:
    cursor.execute("UPDATE items SET deadline = 1 WHERE id = ?", (candidates[1].id,))
    wanted = [make.reservation(candidate) for candidate in candidates]
    assert attempts.reserve(cursor, wanted, Deltas()) == [True, False, True]
    statuses = cursor.execute("SELECT status FROM items ORDER BY id").fetchall()
    assert statuses == [("queued",), ("pending",), ("queued",)]


def test_an_item_named_twice_fails_the_group(
    cursor: sqlite3.Cursor, candidates: list[Candidate]
) -> None:
    twice = [make.reservation(candidates[0]), make.reservation(candidates[0])]
    with pytest.raises(sqlite3.IntegrityError):
        attempts.reserve(cursor, twice, Deltas())


def test_deliveries_go_to_their_own_settlement(
    cursor: sqlite3.Cursor, candidates: list[Candidate]
) -> None:
    wanted = [make.reservation(candidate) for candidate in candidates]
    attempts.reserve(cursor, wanted, Deltas())
    counts = (2, 0, 1)
    settlements = [
        make.settlement(r, deliveries=tuple(make.delivery(f"{r.cdr_id}.{n}") for n in range(c)))
        for r, c in zip(wanted, counts, strict=True)
    ]
    results = attempts.settle(cursor, settlements, Deltas())
    events = [
        [d.event_id for d in result] for result in results if not isinstance(result, Exception)
    ]
    expected = zip(wanted, counts, strict=True)
    assert events == [[f"{r.cdr_id}.{n}" for n in range(c)] for r, c in expected]


def test_the_record_column_holds_the_whole_cdr(
    cursor: sqlite3.Cursor, candidates: list[Candidate]
) -> None:
    wanted = make.reservation(candidates[0])
    attempts.reserve(cursor, [wanted], Deltas())
    settlement = make.settlement(wanted, "busy")
    attempts.settle(cursor, [settlement], Deltas())
    record, disposition, started = cursor.execute(
        "SELECT record, disposition, started_at FROM cdrs"
    ).fetchone()
    assert load_cdr(json.loads(record)) == settlement.cdr
    assert (disposition, started) == ("busy", round(settlement.cdr.started_at * 1e6))
