"""Conditions of histories: the clocks of a zone, and the indexes that answer."""

import sqlite3
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.dialects import sqlite

from dialer.histories import App, CdrQuery
from dialer.store import tables as t
from dialer.store.bulk import driver_cursor
from dialer.store.history_filters import conditions, find_changes
from dialer.store.rows import as_json
from dialer.store.spans import is_by_id


def epoch(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def test_the_offsets_of_a_zone() -> None:
    zone = ZoneInfo("Europe/Bucharest")
    begin, end = epoch(2025, 1, 1), epoch(2026, 1, 1)
    assert list(find_changes(zone, begin, end)) == [
        (begin, 7200),
        (epoch(2025, 3, 30, 1), 10_800),
        (epoch(2025, 10, 26, 1), 7200),
    ]
    assert list(find_changes(ZoneInfo("Asia/Tehran"), begin, end)) == [(begin, 12_600)]
    assert list(find_changes(zone, begin, begin)) == [(begin, 7200)]
    just = epoch(2025, 3, 30, 1)
    assert list(find_changes(zone, just - 1, just)) == [(just - 1, 7200), (just, 10_800)]


PLANS = [
    (CdrQuery(1, call_id="x"), "others USING COVERING INDEX ix_cdrs_call_id (shelf=? AND"),
    (CdrQuery(1, sip_call_id="x"), "others USING COVERING INDEX ix_cdrs_sip_call_id (shelf=?"),
    (CdrQuery(1, uniqueid="x"), "USING COVERING INDEX ix_cdrs_client_channel_id (shelf=? AND"),
    (CdrQuery(1, uniqueid="x"), "attempts USING COVERING INDEX sqlite_autoindex_attempts"),
    (CdrQuery(1, cdr_id="x"), "cdrs USING INDEX sqlite_autoindex_cdrs"),
    (CdrQuery(1, id=5), "cdrs USING INTEGER PRIMARY KEY"),
    *[
        (query, "cdrs USING COVERING INDEX ix_cdrs_history (client_id=? AND id>? AND id<?)")
        for query in (
            CdrQuery(1),
            CdrQuery(1, started_from=1.0, duration=3, extension="1", projects=frozenset("p")),
            CdrQuery(1, apps=frozenset({App.DIAL}), number="1", number_part="1", final=True),
            CdrQuery(1, dispositions=frozenset({"busy"}), project_number=3, queue_name="q"),
            CdrQuery(1, recorded=True, source_part="1", destination_part="1", queue_id=1),
        )
    ],
]


@pytest.mark.parametrize(("query", "plan"), PLANS)
def test_filters_use_their_index(connection: Connection, query: CdrQuery, plan: str) -> None:
    within = [] if is_by_id(query) else [t.cdrs.c.id.between(3, 9)]
    wanted = as_json(select(t.cdrs.c.id).where(*within, *conditions(query, 0, 0)))
    text = str(wanted.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    cursor = driver_cursor(connection)
    assert isinstance(cursor, sqlite3.Cursor)
    steps = [step for _, _, _, step in cursor.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert any(plan in step for step in steps), steps
    if is_by_id(query):
        assert not any("ix_cdrs_history" in step for step in steps), steps
