"""Many rows in one statement.

PostgreSQL takes an array for each column. In SQLite every step of a statement lets go of Python's
lock, and under a busy event loop each return to it waits: so what matters is the number of
statements, not of rows. `executemany` steps once a row; a VALUES list of many rows steps once.
Lists are cut at powers of two, so that few texts exist and each is compiled once (bench/store.py:
three times `executemany`, five times `json_each`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection

from dialer.store.dialect import Cursor, Relation, Sql
from dialer.store.postgres_cursor import PostgresCursor

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
def insertion(table: str, columns: Relation, count: int) -> str:
    """An INSERT of `count` rows. The names are this package's own, the values are bound."""
    names = ", ".join(columns.names)
    return f"INSERT INTO {table} ({names}) VALUES {_marks(len(columns.names), count)}"  # noqa: S608


@lru_cache(maxsize=512)
def with_rows(template: Sql, columns: Relation, count: int) -> str:
    """`template` with `{rows}` as a relation `r` of these columns."""
    listed = ", ".join(f"column{place} AS {name}" for place, name in enumerate(columns.names, 1))
    values = f"VALUES {_marks(len(columns.names), count)}"
    relation = f"(SELECT {listed} FROM ({values})) AS r"  # noqa: S608
    return template.sqlite.replace("{rows}", relation)


@lru_cache(maxsize=64)
def with_arrays(template: Sql, columns: Relation) -> str:
    """The same for PostgreSQL, of any number of rows: an array for each column."""
    return template.postgres.replace("{rows}", f"{_unnest(columns)} AS r ({_listed(columns)})")


@lru_cache(maxsize=16)
def array_insertion(table: str, columns: Relation) -> str:
    """An INSERT that answers the ids of its rows; they grow in the order of the rows."""
    names = _listed(columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {_unnest(columns)} WITH ORDINALITY"  # noqa: S608
        f" AS r ({names}, ordinality) ORDER BY ordinality RETURNING id"
    )


def _listed(columns: Relation) -> str:
    return ", ".join(columns.names)


def _unnest(columns: Relation) -> str:
    arrays = (f"${place}::{type_}[]" for place, type_ in enumerate(columns.types, 1))
    return f"unnest({', '.join(arrays)})"


def insert_rows(
    cursor: Cursor, table: str, columns: Relation, rows: Sequence[Row]
) -> Sequence[int]:
    """Insert `rows`; the ids they got, in their order."""
    if not rows:
        return ()
    if not isinstance(cursor, sqlite3.Cursor):
        cursor.execute(array_insertion(table, columns), make_arrays(columns, rows))
        return sorted(raw[0] for raw in cursor.fetchall())
    for piece in cut(rows):
        cursor.execute(insertion(table, columns, len(piece)), flatten(piece))
    last = cursor.lastrowid
    assert last is not None
    return range(last - len(rows) + 1, last + 1)  # one writer: ids follow each other


def run_with_rows(cursor: Cursor, template: Sql, columns: Relation, rows: Sequence[Row]) -> int:
    """Run a changing statement over `rows`; how many rows of the table it changed."""
    if not isinstance(cursor, sqlite3.Cursor):
        if not rows:
            return 0
        return cursor.execute(with_arrays(template, columns), make_arrays(columns, rows)).rowcount
    changed = 0
    for piece in cut(rows):
        changed += cursor.execute(with_rows(template, columns, len(piece)), flatten(piece)).rowcount
    return changed


def make_arrays(columns: Relation, rows: Sequence[Row]) -> list[Sequence[Any]]:
    """An array for each column. PostgreSQL's texts hold no NUL, which others may have sent us: it
    becomes what stands for a character that cannot be shown."""
    arrays: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, type_ in enumerate(columns.types):
        values = arrays[place]
        if type_ in _TEXTS and any(value is not None and "\0" in value for value in values):
            arrays[place] = [value and value.replace("\0", "\ufffd") for value in values]
    return arrays


_TEXTS: Final = frozenset({"text", "varchar"})


def flatten(rows: Sequence[Row]) -> list[Any]:
    return list(chain.from_iterable(rows))


def _marks(width: int, count: int) -> str:
    row = "(" + ", ".join("?" * width) + ")"
    return ", ".join([row] * count)


def driver_cursor(connection: Connection) -> Cursor:
    """A bare cursor of the connection that SQLAlchemy holds: the same transaction."""
    driver: Any = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        return driver.cursor()
    return PostgresCursor(driver)
