"""Many rows in one statement, for SQLite.

Every step of a statement lets go of Python's lock, and under a busy event loop each return to it
waits: so what matters is the number of statements, not of rows. `executemany` steps once a row; a
VALUES list of many rows steps once. Lists are cut at powers of two, so that few texts exist and
each is compiled once (bench/store.py: three times `executemany`, five times `json_each`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

Row = tuple[Any, ...]

# 512 rows of 20 columns stay under SQLite's 32,766 parameters.
_LARGEST = 512


def cut(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """`rows` in pieces whose lengths are powers of two, the longest first, in order."""
    start, left = 0, len(rows)
    while left:
        size = min(_LARGEST, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start, left = start + size, left - size


@lru_cache(maxsize=512)
def insertion(table: str, columns: tuple[str, ...], count: int) -> str:
    """An INSERT of `count` rows. The names are this package's own, the values are bound."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {_marks(len(columns), count)}"  # noqa: S608


@lru_cache(maxsize=512)
def with_rows(template: str, names: tuple[str, ...], count: int) -> str:
    """`template` with `{rows}` as a relation `r` whose columns are `names`."""
    columns = ", ".join(f"column{place} AS {name}" for place, name in enumerate(names, 1))
    values = f"VALUES {_marks(len(names), count)}"
    relation = f"(SELECT {columns} FROM ({values})) AS r"  # noqa: S608
    return template.replace("{rows}", relation)


def insert_rows(
    cursor: sqlite3.Cursor, table: str, columns: tuple[str, ...], rows: Sequence[Row]
) -> range:
    """Insert `rows`; the ids they got, in their order (one writer: ids follow each other)."""
    for piece in cut(rows):
        cursor.execute(insertion(table, columns, len(piece)), flatten(piece))
    if not rows:
        return range(0)
    last = cursor.lastrowid
    assert last is not None
    return range(last - len(rows) + 1, last + 1)


def run_with_rows(
    cursor: sqlite3.Cursor, template: str, names: tuple[str, ...], rows: Sequence[Row]
) -> int:
    """Run a changing statement over `rows`; how many rows of the table it changed."""
    changed = 0
    for piece in cut(rows):
        changed += cursor.execute(with_rows(template, names, len(piece)), flatten(piece)).rowcount
    return changed


def flatten(rows: Sequence[Row]) -> list[Any]:
    return list(chain.from_iterable(rows))


def _marks(width: int, count: int) -> str:
    row = "(" + ", ".join("?" * width) + ")"
    return ", ".join([row] * count)


def driver_cursor(connection: Connection) -> sqlite3.Cursor:
    """A bare cursor of the connection that SQLAlchemy holds: the same transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver.cursor()
