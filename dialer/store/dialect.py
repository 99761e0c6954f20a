"""What SQLite and PostgreSQL say differently, and nothing else does.

Statements as text are written once, in SQLite's words with a few of their own (`both`); queries
made by SQLAlchemy use the constructs below, which each database's compiler spells its own way.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    String,
    Table,
    literal,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgresql"


class Cursor(Protocol):
    """A bare cursor: sqlite3's own, or `dialer.store.postgres_cursor.PostgresCursor`."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> "Cursor": ...
    def fetchone(self) -> Any: ...  # noqa: ANN401
    def fetchall(self) -> list[Any]: ...


def is_sqlite(cursor: Cursor) -> bool:
    return isinstance(cursor, sqlite3.Cursor)


# Statements as text.


@dataclass(frozen=True, slots=True, eq=False)
class Sql:
    """A statement in both tongues."""

    sqlite: str
    postgres: str

    def on(self, cursor: Cursor) -> str:
        return self.sqlite if isinstance(cursor, sqlite3.Cursor) else self.postgres

    def ask(self, cursor: Cursor, *values: object) -> str:
        """Run it: the text in the single row that it answers."""
        return str(cursor.execute(self.on(cursor), values).fetchone()[0])

    def run(self, cursor: Cursor, *values: object) -> None:
        cursor.execute(self.on(cursor), values)


# Word → how each database says it, of what stands in the brackets.
_WORDING: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        # All rows' values as one JSON text, and several values as one.
        "list": ("json_group_array({})", "coalesce(json_agg({}), '[]')::text"),
        "row": ("json_array({})", "json_build_array({})"),
        # What a JSON text lists: numbers; words, as a relation `each`; ChannelIds; pairs of a
        # number and a text, as `one` and `other`.
        "numbers": (
            "(SELECT value FROM json_each({}))",
            "(SELECT value::bigint FROM json_array_elements_text({}) AS each (value))",
        ),
        "each": ("json_each({}) AS each", "json_array_elements_text({}) AS each (value)"),
        "names": (
            "(SELECT value FROM json_each({}))",
            "(SELECT lower(value) FROM json_array_elements_text({}) AS each (value))",
        ),
        "pairs": (
            "(SELECT json_extract(value, '$[0]') AS one, json_extract(value, '$[1]') AS other"
            " FROM json_each({}))",
            "(SELECT (value ->> 0)::bigint AS one, value ->> 1 AS other"
            " FROM json_array_elements({}) AS each (value))",
        ),
        # A ChannelId, to be compared whatever its case (SQLite's columns collate so).
        "name": ("{}", "lower({})"),
        "is_number": ("{} NOT GLOB '*[^0-9]*'", "{} !~ '[^0-9]'"),
        "greatest": ("max({})", "greatest({})"),
        "least": ("min({})", "least({})"),
        # What only several writers need.
        "locking": ("", "{}"),
    }
)
_INNER: Final = r"(?:[^@()]|\([^@()]*\))*"
_WORD: Final = re.compile(rf"@(\w+)\(((?:[^@()]|\({_INNER}\))*)\)")
_MARK: Final = re.compile(r"\?(\d*)")


def both(text: str) -> Sql:
    """A statement written once. `?` and `?1` are its values; `@word(…)` as above."""
    texts = []
    for place in (0, 1):
        said = text
        while "@" in said:
            said, found = _WORD.subn(partial(_say, place), said)
            if not found:
                raise ValueError(f"cannot read {said}")
        texts.append(said)
    return Sql(texts[0], number_marks(texts[1]))


def _say(place: int, found: re.Match[str]) -> str:
    return _WORDING[found[1]][place].replace("{}", found[2])


def number_marks(text: str) -> str:
    """`?` one after another, and `?1`, as PostgreSQL has them."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${found[1] or count}"

    return _MARK.sub(number, text)


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """Columns of rows that a statement is run over, with PostgreSQL's types for them."""

    names: tuple[str, ...]
    types: tuple[str, ...]


def relation(**types: str) -> Relation:
    return Relation(tuple(types), tuple(types.values()))


def relation_of(table: Table, names: Sequence[str]) -> Relation:
    """As a table's columns have them."""
    return Relation(tuple(names), tuple(_type_of(table.c[name]) for name in names))


def _type_of(column: ColumnElement[Any]) -> str:
    text = str(column.type.compile(dialect=POSTGRES_DIALECT))
    return text.partition(" COLLATE")[0].lower()


# Queries made by SQLAlchemy.

SQLITE_DIALECT: Final[Dialect] = sqlite.dialect()
POSTGRES_DIALECT: Final[Dialect] = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that may say `on_conflict_do_nothing` and the like."""
    if connection.dialect.name == POSTGRES:
        return postgresql.insert(table)
    return sqlite.insert(table)


class json_list(FunctionElement[Any]):  # noqa: N801
    """All rows' values as one JSON array."""

    type = JSON()
    name = "json_list"
    inherit_cache = True


class largest(FunctionElement[int]):  # noqa: N801
    """Of several values."""

    type = BigInteger()
    name = "largest"
    inherit_cache = True


class position(FunctionElement[int]):  # noqa: N801
    """Where in the first text the second one begins, from 1; 0: nowhere."""

    type = Integer()
    name = "position"
    inherit_cache = True


class field_of(FunctionElement[str]):  # noqa: N801
    """A member of a JSON object, named by a literal, as text."""

    type = String()
    name = "field_of"
    inherit_cache = True


class hex_of(FunctionElement[str]):  # noqa: N801
    type = String()
    name = "hex_of"
    inherit_cache = True


class clock_now(FunctionElement[float]):  # noqa: N801
    """What time it is now, not when the transaction began: epoch seconds."""

    type = Float()
    name = "clock_now"
    inherit_cache = True


class is_among(FunctionElement[bool]):  # noqa: N801
    """Whether the first is one of the numbers in the second, a JSON array."""

    type = Boolean()
    name = "is_among"
    inherit_cache = True


class _Numbers(FunctionElement[Any]):
    name = "numbers"
    inherit_cache = True


class _Spans(FunctionElement[Any]):
    name = "spans"
    inherit_cache = True


def numbers(names: object) -> FromClause:
    """The numbers of a JSON array, as the column `value`."""
    return _Numbers(_as_text(names)).table_valued("value", name="numbers")


def spans(bounds: object) -> FromClause:
    """The pairs of a JSON array, as `first` and `last`, in the order of `key`."""
    return _Spans(_as_text(bounds)).table_valued("key", "first", "last", name="spans")


def _as_text(value: object) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value, String())


def _spell(element: type[FunctionElement[Any]], for_sqlite: str, for_postgres: str) -> None:
    """How `element` is said, with its arguments put into the brackets."""

    def spell_as(text: str) -> Callable[..., str]:
        def spell(element: FunctionElement[Any], compiler: SQLCompiler, **options: object) -> str:
            arguments = [compiler.process(clause, **options) for clause in element.clauses]
            if "{}" in text:
                return text.replace("{}", ", ".join(arguments))
            return text.format(*arguments)

        return spell

    compiles(element, SQLITE)(spell_as(for_sqlite))
    compiles(element, POSTGRES)(spell_as(for_postgres))


_spell(json_list, "json_group_array({})", "coalesce(json_agg({}), '[]'::json)")
_spell(largest, "max({})", "greatest({})")
_spell(position, "instr({})", "strpos({})")
_spell(field_of, "json_extract({0}, '$.' || {1})", "({0} ->> {1})")
_spell(hex_of, "hex({})", "encode({}, 'hex')")
_spell(
    clock_now,
    "((julianday('now') - 2440587.5) * 86400.0)",
    "extract(epoch FROM clock_timestamp())::float8",
)
_spell(
    is_among,
    "({0} IN (SELECT value FROM json_each({1})))",
    "({0} IN (SELECT value::bigint FROM json_array_elements_text({1}::json) AS each (value)))",
)
_spell(
    _Numbers,
    "(SELECT value FROM json_each({0}))",
    "(SELECT value::bigint AS value FROM json_array_elements_text({0}::json) AS each (value))",
)
_spell(
    _Spans,
    "(SELECT key, json_extract(value, '$[0]') AS first, json_extract(value, '$[1]') AS last"
    " FROM json_each({0}))",
    "(SELECT key, (value ->> 0)::bigint AS first, (value ->> 1)::bigint AS last"
    " FROM json_array_elements({0}::json) WITH ORDINALITY AS each (value, key))",
)
