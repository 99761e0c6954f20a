"""Rows of the outbox (their meaning: the conformance suite)."""

import sqlite3

import pytest

from dialer.store.contract import DeliveryOutcome
from dialer.store.deltas import Deltas
from dialer.store.outbox import insert_deliveries, record_outcomes
from tests import store_records as make

NOW = make.NOW


def test_a_body_is_kept_byte_for_byte(cursor: sqlite3.Cursor) -> None:
    body = '{"name": "Zoë \\u0000 \\ud83d\\ude00", "n": 1.0}'
    insert_deliveries(cursor, [(make.delivery(body=body), NOW)], Deltas())
    assert cursor.execute("SELECT body FROM deliveries").fetchone()[0] == body


def test_what_ended_keeps_its_last_answer(cursor: sqlite3.Cursor) -> None:
    (one,) = insert_deliveries(cursor, [(make.delivery(), NOW)], Deltas())
    failed = DeliveryOutcome(one.id, False, False, NOW + 9, 500, "oops", NOW + 1)
    dead = DeliveryOutcome(one.id, False, True, None, None, "refused", NOW + 2)
    deltas = Deltas()
    assert record_outcomes(cursor, [failed, dead], deltas) == [True, True]
    row = cursor.execute("SELECT state, tries, status, error, ended_at FROM deliveries").fetchone()
    assert row == ("dead", 2, None, "refused", round((NOW + 2) * 1e6))


@pytest.mark.parametrize("field", [{"kind": "pigeon"}, {"method": "GET"}])
def test_unknown_words_are_refused(cursor: sqlite3.Cursor, field: dict[str, str]) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        insert_deliveries(cursor, [(make.delivery(**field), NOW)], Deltas())
