"""Rows of CDRs, the blocks that they are counted in, the projects that they name."""

import sqlite3
from random import Random
from typing import Any

import pytest

from dialer.cdr import Cdr
from dialer.store.bulk import Row
from dialer.store.cdr_rows import BLOCK, COLUMNS, insert_cdrs, make_row
from dialer.store.contract import Reservation
from tests import store_records as make

BLOCKS = (
    "SELECT first_id, last_id, size, earliest, latest FROM cdr_blocks WHERE client_id = ?"
    " ORDER BY first_id"
)


def made_cdr(number: int, client_id: int = 1, **changes: Any) -> Cdr:
    attempt = Reservation(
        1, client_id, 1, 1, 1, f"ch-{number}", f"a-{number}", f"c-{number}", 1.0, 0
    )
    return make.cdr(attempt, **changes)


def rows_of(*cdrs: Cdr) -> list[Row]:
    return [make_row(cdr, int(cdr.cdr_id[2:]), 1, 1) for cdr in cdrs]


@pytest.fixture
def alone(cursor: sqlite3.Cursor) -> sqlite3.Cursor:
    """CDRs without what they are of."""
    cursor.execute("PRAGMA foreign_keys = OFF")
    return cursor


def test_a_row_holds_what_histories_are_searched_by() -> None:
    cdr = made_cdr(
        5000,
        caller_id='"A" <1001>',
        application="Dial",
        data="PJSIP/5@agents,30",
        project="p",
        recording_path="/r",
        sip_call_id="sip",
        client_channel_id="own",
    )
    row = dict(zip(COLUMNS, make_row(cdr, 5000, 7, 8), strict=True))
    assert (row["queue_id"], row["item_id"], row["number"]) == (7, 8, cdr.number)
    assert (row["source"], row["extension"], row["project"]) == ("1001", "agents", "p")
    assert (row["talked"], row["recorded"], row["duration"]) == (True, True, 3)
    assert (row["call_id"], row["sip_call_id"], row["shelf"]) == ("call", "sip", 2)
    assert row["client_channel_id"] == "own"
    bare = dict(zip(COLUMNS, make_row(made_cdr(1, caller_id=None), 1, 7, 8), strict=True))
    assert (bare["source"], bare["extension"], bare["talked"], bare["recorded"]) == (
        "", "", False, False,
    )  # fmt: skip


def test_blocks_part_each_clients_cdrs(alone: sqlite3.Cursor) -> None:
    chance, number, written = Random(5), 0, 0
    while written < 2 * BLOCK + 1000:
        group = []
        for _ in range(chance.choice((1, 3, 500))):
            number += 1
            cdr = made_cdr(number, client_id=2 if number % 50 == 0 else 1)
            row = list(rows_of(cdr)[0])
            row[COLUMNS.index("started_at")] = chance.randrange(10**9)
            group.append(tuple(row))
        assert insert_cdrs(alone, group) == range(written + 1, number + 1)
        written = number
    for client_id in (1, 2):
        blocks = alone.execute(BLOCKS, (client_id,)).fetchall()
        assert all(size >= BLOCK for _, _, size, _, _ in blocks[:-1])
        assert all(size < BLOCK + 500 for _, _, size, _, _ in blocks)
        ends = [0, *[last for _, last, _, _, _ in blocks]]
        for before, (first, last, *block) in zip(ends, blocks, strict=False):
            within = alone.execute(
                "SELECT min(id), max(id), count(*), min(started_at), max(started_at) FROM cdrs"
                " WHERE client_id = ? AND id > ? AND id <= ?",
                (client_id, before, last),
            )
            assert within.fetchone() == (first, last, *block)
        newest = alone.execute("SELECT max(id) FROM cdrs WHERE client_id = ?", (client_id,))
        assert newest.fetchone() == (ends[-1],)
    assert len(alone.execute(BLOCKS, (1,)).fetchall()) >= 2


def test_projects_are_numbered_for_each_client(alone: sqlite3.Cursor) -> None:
    first = [made_cdr(n, project=name) for n, name in enumerate(("b", None, "a", "b"), 1)]
    insert_cdrs(alone, rows_of(*first))
    second = [made_cdr(5, project="c"), made_cdr(6, project="a"), made_cdr(7, 2, project="a")]
    insert_cdrs(alone, rows_of(*second))
    named = alone.execute("SELECT * FROM projects ORDER BY client_id, number").fetchall()
    assert named == [(1, 1, "b"), (1, 2, "a"), (1, 3, "c"), (2, 1, "a")]


def test_nothing_is_no_rows(alone: sqlite3.Cursor) -> None:
    assert list(insert_cdrs(alone, [])) == []
    assert alone.execute("SELECT count(*) FROM cdr_blocks").fetchone() == (0,)
