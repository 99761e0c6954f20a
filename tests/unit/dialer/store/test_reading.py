"""Every frequent read is answered by the index made for it, however many rows there are."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import Connection, Select, select
from sqlalchemy.dialects import sqlite

from dialer.store import attempts, config_rows, endings, outbox, queue_rows, reading
from dialer.store import tables as t
from dialer.store.bulk import Row, with_rows
from dialer.store.dialect import Relation, Sql
from dialer.store.rows import as_json

PLANS: dict[str, tuple[Select[Any], str]] = {
    "waiting": (reading.waiting(1, 1, 5, 9), "items USING INDEX ix_items_fresh (queue_id=? AND"),
    "retries": (reading.due_retries(1, 1, 5, 9), "items USING INDEX ix_items_retries"),
    "next retry": (reading.next_retry_at(1, 1, 0), "items USING INDEX ix_items_retries"),
    "next deadline": (reading.next_deadline(), "items USING INDEX ix_items_deadline"),
    "open attempts": (reading.open_attempts(), "attempts USING INDEX uq_attempts_open"),
    "live calls": (reading.live_calls("server_id"), "attempts USING INDEX uq_attempts_open"),
    "open queues": (reading.open_queues(), "queues USING INDEX ix_queues_open"),
    "items": (
        reading.page_of_items(reading.item_conditions(1, None), 9, 9),
        "items USING COVERING INDEX ix_items_queue_id",
    ),
    "search": (
        reading.hits(reading.item_conditions(1, {"number": "1"}), 0, 9),
        "items USING INDEX ix_items_queue_id",
    ),
    "items by id": (reading.items_by_id([1, 2]), "items USING INTEGER PRIMARY KEY"),
    "cdrs": (reading.cdrs(1, 5, 99, 9), "cdrs USING INDEX ix_cdrs_history"),
    "due": (
        outbox.due_deliveries("a", 1, 5, 9),
        "deliveries USING INDEX ix_deliveries_line (endpoint=? AND id>?)",
    ),
    "due endpoints": (
        outbox.due_endpoints(1),
        "deliveries USING INDEX ix_deliveries_due (endpoint=? AND due_at<?)",
    ),
    "next delivery": (
        outbox.next_delivery_at(1),
        "deliveries USING INDEX ix_deliveries_due (endpoint=? AND due_at>?)",
    ),
    "key": (config_rows.keyed_client("x"), "api_keys USING INDEX sqlite_autoindex_api_keys_1"),
    "unmarked": (queue_rows.unmarked(1), "items USING INDEX ix_items_fresh (queue_id=? AND"),
    "unmarked waits": (queue_rows.unmarked(1), "items USING INDEX ix_items_retries (queue_id=?"),
    "expiry": (endings.expired(1, 9), "items USING INDEX ix_items_deadline"),
} | {
    f"ending {number}": (
        endings.name_marked(which)(1, 5, 9),
        f"items USING INDEX {index} (queue_id=? AND server_id=?",
    )
    for number, (which, index) in enumerate(
        zip(
            [which for some in endings.ENDING.values() for which in some],
            ["ix_items_fresh", "ix_items_retries", "ix_items_retries"],
            strict=True,
        )
    )
}

BIG_TABLES = ("items", "attempts", "cdrs", "deliveries")


def explain(cursor: sqlite3.Cursor, sql: str, parameters: list[Any]) -> list[str]:
    return [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


@pytest.mark.parametrize(("query", "index"), PLANS.values(), ids=PLANS)
def test_reads_use_their_index(cursor: sqlite3.Cursor, query: Select[Any], index: str) -> None:
    sql = as_json(query).compile(
        dialect=sqlite.dialect(),
        compile_kwargs={"literal_binds": True},
    )
    plan = explain(cursor, str(sql), [])
    assert any(index in step for step in plan), plan
    assert not [step for step in plan if step in {f"SCAN {table}" for table in BIG_TABLES}], plan


WRITES = {
    "reserve": (attempts.RESERVE, attempts.RESERVATION),
    "end items": (attempts.END_ITEMS, attempts.ITEM),
    "end attempts": (attempts.END_ATTEMPTS, attempts.ENDED),
    "record": (outbox.RECORD, outbox.OUTCOME),
}


@pytest.mark.parametrize(("template", "columns"), WRITES.values(), ids=WRITES)
def test_writes_scan_no_table(cursor: sqlite3.Cursor, template: Sql, columns: Relation) -> None:
    values = [None] * 4 * len(columns.names)
    plan = explain(cursor, with_rows(template, columns, 4), values)
    scans = [step for step in plan if step.startswith("SCAN")]
    assert [step for step in scans if "CONSTANT" not in step and "subquery" not in step] == []


def test_rows_come_as_one_json_text(connection: Connection) -> None:
    rows: list[Row] = [tuple(r) for r in reading.read_all(connection, config_rows.all_clients())]
    assert [row[2] for row in rows] == ["acme"]
    empty = reading.read_all(connection, select(t.items.c.id))
    assert empty == []


def test_a_prepared_query_is_the_one_that_would_be_built(cursor: sqlite3.Cursor) -> None:
    prepared = reading.prepare(reading.due_retries).sqlite
    query = as_json(reading.due_retries(1, 2, 5, 9)).compile(dialect=sqlite.dialect())
    marks = [query.params[name] for name in query.positiontup or ()]
    assert prepared.bind((1, 2, 5, 9)) == marks
    plan = explain(cursor, prepared.text, prepared.bind((1, 2, 5, 9)))
    assert any("items USING INDEX ix_items_retries" in step for step in plan), plan
    with pytest.raises(ValueError, match="shorter"):
        prepared.bind((1, 2, 5))


def test_a_search_looks_at_the_items_once(cursor: sqlite3.Cursor) -> None:
    query = as_json(reading.hits(reading.item_conditions(1, {"number": "1"}), 0, 9))
    sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    plan = explain(cursor, str(sql), [])
    assert len([step for step in plan if "items" in step]) == 1, plan


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(ValueError, match="payload"):
        reading.item_conditions(1, {"payload": "x"})
    assert len(reading.queue_conditions(None, {"status": "paused"})) == 1
