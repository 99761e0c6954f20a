"""Pages of histories against one that looks at every CDR."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Select

from dialer.dialects.parties import find_extension
from dialer.dialects.pbx import find_uniqueid
from dialer.histories import (
    App,
    CdrPage,
    CdrQuery,
    CdrRow,
    HourWindow,
    Project,
    name_app,
    name_source,
)
from dialer.store import cdr_rows, histories
from dialer.store.contract import Reservation
from dialer.store.dialect import Sql
from dialer.store.histories import Histories
from dialer.store.reading import read_all
from dialer.store.rows import Raw
from tests import store_records as make
from tests.store_records import NOW

QUEUES = """
INSERT INTO queues (id, client_id, name, status, kind, retry_count, retry_gap, dids, created_at,
  updated_at) VALUES (1, 1, 'batch', 'pending', 'batch', 0, 0, '[]', 0, 0),
  (2, 1, 'quick', 'pending', 'quick', 0, 0, '[]', 0, 0),
  (3, 2, 'theirs', 'pending', 'batch', 0, 0, '[]', 0, 0)
"""
QUEUE_OF = {1: ("batch", False), 2: ("quick", True), 3: ("theirs", False)}


def make_history(cursor: sqlite3.Cursor, chance: Random, count: int) -> list[CdrRow]:
    """CDRs of two clients, written a few at a time, into blocks of seven."""
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.execute(QUEUES)
    made: list[CdrRow] = []
    group: list[Any] = []
    for id_ in range(1, count + 1):
        client_id = chance.choice((1, 1, 1, 2))
        queue_id = 3 if client_id == 2 else chance.choice((1, 1, 2))
        attempt = Reservation(id_, client_id, queue_id, 1, 1, f"ch-{id_}", "a", f"c-{id_}", NOW, 0)
        cdr = make.cdr(
            attempt,
            chance.choice(("answered", "busy", "failed")),
            started_at=NOW + id_ * 600 - chance.choice((1, 5, 4000)),
            number=f"98{chance.randrange(4)}",
            caller_id=chance.choice((None, '"A" <980>', "1001")),
            duration=chance.randrange(3),
            application=chance.choice(("Dial", "Playback", None)),
            data="PJSIP/5@agents",
            project=chance.choice(("one", "two", None)),
            call_id=f"call-{id_ % 50}",
            client_channel_id=chance.choice((None, f"own-{id_ % 70}")),
            sip_call_id=chance.choice((None, f"sip-{id_ % 40}")),
            final=chance.choice((True, False)),
            recording_path=chance.choice((None, "/r.wav")),
        )
        made.append(CdrRow(id_, cdr, QUEUE_OF[queue_id][1], QUEUE_OF[queue_id][0]))
        group.append(cdr_rows.make_row(cdr, id_ * 900, queue_id, id_))
        if chance.random() < 0.4 or id_ == count:
            cdr_rows.insert_cdrs(cursor, group)
            group.clear()
    return made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = cdr_rows.COUNT.sqlite.replace(f"< {cdr_rows.BLOCK}", "< 7")
    monkeypatch.setattr(cdr_rows, "COUNT", Sql(smaller, ""))
    monkeypatch.setattr(histories, "BLOCK", 9)
    monkeypatch.setattr(histories, "AT_ONCE", 4)
    monkeypatch.setattr(histories, "PIECE", 5)


class Asked:
    """The two ways to the database, and how often each was gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.short = self.long = 0

    async def read(self, query: Select[Any]) -> list[Raw]:
        self.short += 1
        return read_all(self._connection, query)

    async def search(self, client_id: int, *queries: Select[Any]) -> list[list[Raw]]:
        self.long += 1
        return [read_all(self._connection, query) for query in queries]


def meets(query: CdrQuery, row: CdrRow) -> bool:
    cdr, source = row.cdr, name_source(row.cdr.caller_id) or ""
    exact = (
        (query.client_id, cdr.client_id), (query.duration, cdr.duration),
        (query.extension, find_extension(cdr)), (query.queue_name, row.queue_name),
        (query.recorded, cdr.recording_path is not None), (query.final, cdr.final),
        (query.call_id, cdr.call_id), (query.uniqueid, find_uniqueid(cdr)),
        (query.sip_call_id, cdr.sip_call_id), (query.cdr_id, cdr.cdr_id), (query.id, row.id),
    )  # fmt: skip
    sets: tuple[tuple[frozenset[Any] | None, object], ...] = (
        (query.dispositions, cdr.disposition),
        (query.apps, name_app(row.quick, cdr.application)),
        (query.projects, cdr.project),
    )
    return (
        all(wanted in (None, found) for wanted, found in exact)
        and all(wanted is None or found in wanted for wanted, found in sets)
        and query.number in (None, cdr.number, source)
        and (query.number_part is None or query.number_part in f"{cdr.number} {source}")
        and (query.started_from is None or cdr.started_at >= query.started_from)
        and (query.started_until is None or cdr.started_at < query.started_until)
        and row.id >= (query.from_id or 0)
        and (query.hours is None or is_within(query.hours, cdr.started_at))
    )


def is_within(window: HourWindow, at: float) -> bool:
    local = datetime.fromtimestamp(at, ZoneInfo(window.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    if window.start < window.end:
        return window.start <= second < window.end
    return second >= window.start or second < window.end


def make_queries(chance: Random, count: int) -> Iterator[CdrQuery]:
    """Questions of one to three filters, and the one of none."""
    yield CdrQuery(1)
    for _ in range(count):
        at = NOW + chance.randrange(90_000)
        filters = {
            "started_from": at,
            "started_until": at + chance.choice((600.0, 50_000.0)),
            "hours": HourWindow(chance.randrange(86_400), chance.randrange(86_400), "Asia/Tehran"),
            "duration": 1,
            "dispositions": frozenset({"busy", "failed"}),
            "apps": frozenset(chance.sample(list(App), chance.choice((1, 2, 3)))),
            "extension": "agents",
            "number": "980",
            "number_part": "8",
            "projects": frozenset({"two"}),
            "queue_name": "quick",
            "recorded": True,
            "final": False,
            "from_id": chance.randrange(150),
            "call_id": f"call-{chance.randrange(60)}",
            "uniqueid": chance.choice(("own-3", "ch-4", "ch-5", "ch-6")),
            "sip_call_id": "sip-7",
            "cdr_id": "c-9",
        }
        weights = [5] * 14 + [1] * 4
        names = chance.choices(list(filters), weights, k=chance.choice((1, 1, 2, 3)))
        some = {name: filters[name] for name in names}
        yield replace(CdrQuery(chance.choice((1, 1, 1, 2, None))), **some)  # type: ignore[arg-type]


def expect(rows: list[CdrRow], query: CdrQuery, limit: int, after: int, offset: int) -> CdrPage:
    wanted = [row for row in rows if meets(query, row)]
    later = [row for row in wanted if row.id > after][offset:]
    cursor = later[limit - 1].id if len(later) > limit else None
    return CdrPage(tuple(later[:limit]), len(wanted), cursor)


async def test_every_page_is_what_looking_at_every_cdr_gives(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    chance = Random(11)
    rows = make_history(cursor, chance, 150)
    asked = Asked(connection)
    tested = Histories(asked.read, asked.search)
    for query in make_queries(chance, 20):
        limit, offset = chance.choice((1, 10, 400)), chance.choice((0, 0, 3, 60))
        after = chance.choice((0, 0, 70))
        expected = expect(rows, query, limit, after, offset)
        uncounted = await tested.page(query, limit, after or None, offset, False)
        assert uncounted == replace(expected, total=None), query
        assert await tested.page(query, limit, after or None, offset, True) == expected, query
        streamed = [row async for some in tested.stream(query, None) for row in some]
        assert streamed == [row for row in rows if meets(query, row)], query
    assert asked.short > asked.long > 0


async def test_what_was_counted_is_not_counted_again(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    make_history(cursor, Random(3), 300)
    asked = Asked(connection)
    tested = Histories(asked.read, asked.search)
    query = CdrQuery(1, dispositions=frozenset({"busy"}))
    first = await tested.page(query, 10, None, 0, True)
    assert asked.long >= 5
    asked.long = 0
    again = await tested.page(replace(query, from_id=0), 10, None, 30, True)
    assert (asked.long, again.total) == (0, first.total)
    for number in range(histories.MOST_KEPT):
        await tested.page(replace(query, duration=number), 10, None, 0, True)
    asked.long = 0
    assert (await tested.page(query, 10, None, 0, True)).total == first.total
    assert asked.long >= 5


async def test_without_filters_no_cdr_is_counted(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    rows = [row for row in make_history(cursor, Random(3), 300) if row.cdr.client_id == 1]
    asked = Asked(connection)
    page = await Histories(asked.read, asked.search).page(CdrQuery(1), 5, None, 100, True)
    assert page == CdrPage(tuple(rows[100:105]), len(rows), rows[104].id)
    assert (asked.short, asked.long) == (3, 0)  # blocks, ids, rows


async def test_a_stream_ends_where_the_history_ended_when_it_began(
    connection: Connection, cursor: sqlite3.Cursor
) -> None:
    rows = make_history(cursor, Random(3), 60)
    asked = Asked(connection)
    seen: list[CdrRow] = []
    async for some in Histories(asked.read, asked.search).stream(CdrQuery(None), None):
        seen += some
        more = replace(rows[0].cdr, cdr_id=f"more-{len(seen)}")
        cdr_rows.insert_cdrs(cursor, [cdr_rows.make_row(more, 10**6 + len(seen), 1, 1)])
    assert seen == rows


async def test_projects_by_number(connection: Connection, cursor: sqlite3.Cursor) -> None:
    rows = make_history(cursor, Random(3), 60)
    tested = Histories(Asked(connection).read, Asked(connection).search)
    projects = await tested.projects(1)
    assert sorted(project.name for project in projects) == ["one", "two"]
    assert [project.number for project in projects] == [1, 2]
    assert await tested.projects(3) == ()
    for project in (*projects, Project(9, "nobody's")):
        page = await tested.page(CdrQuery(1, project_number=project.number), 100, None, 0, True)
        wanted = CdrQuery(1, projects=frozenset({project.name}))
        assert list(page.rows) == [row for row in rows if meets(wanted, row)]
