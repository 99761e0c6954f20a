"""What the two databases say differently."""

import sqlite3
import time

import pytest
from sqlalchemy import Connection, column, literal, select

from dialer.store import tables as t
from dialer.store.dialect import (
    POSTGRES_DIALECT,
    SQLITE_DIALECT,
    both,
    clock_now,
    field_of,
    hex_of,
    is_among,
    json_list,
    largest,
    numbers,
    position,
    relation,
    relation_of,
    spans,
    upsert,
)


def test_a_statement_is_written_once_and_said_in_both_ways() -> None:
    said = both("SELECT @list(@row(id, @name(n))) FROM x WHERE n IN @names(?) AND y = ?")
    assert said.sqlite == (
        "SELECT json_group_array(json_array(id, n)) FROM x"
        " WHERE n IN (SELECT value FROM json_each(?)) AND y = ?"
    )
    assert said.postgres == (
        "SELECT coalesce(json_agg(json_build_array(id, lower(n))), '[]')::text FROM x WHERE n IN"
        " (SELECT lower(value) FROM json_array_elements_text($1) AS each (value)) AND y = $2"
    )
    assert both("SELECT ?1, ?2, ?1").postgres == "SELECT $1, $2, $1"
    assert both("SELECT 1 @locking(FOR UPDATE OF i)").sqlite == "SELECT 1 "
    assert both("@is_number(substr(a, length(b.c) + 2))").postgres == (
        "substr(a, length(b.c) + 2) !~ '[^0-9]'"
    )


@pytest.mark.parametrize("text", ["SELECT @list(x", "a @ b"])
def test_what_cannot_be_read_is_our_own_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        both(text)


def test_a_statement_answers_its_single_value(cursor: sqlite3.Cursor) -> None:
    assert both("SELECT @greatest(?, 2)").ask(cursor, 5) == "5"
    both("INSERT INTO tallies (name, value) VALUES (?, ?)").run(cursor, "x", 1)
    assert both("SELECT @list(value) FROM tallies").ask(cursor) == "[1]"


def test_relations_have_postgresqls_types() -> None:
    made = relation_of(t.items, ("id", "quick", "payload", "channel_base", "retry"))
    assert made.types == ("bigint", "boolean", "json", "varchar", "integer")
    assert relation(a="text").names == ("a",)


def test_constructs_are_spelled_by_each_compiler(connection: Connection) -> None:
    record = literal('{"a": "x", "b": [1]}')
    query = select(
        field_of(record, "a"),
        position(literal("hello"), "l"),
        largest(1, 5, 3),
        hex_of(b"\x01\xff"),
        clock_now(),
    )
    *values, now = connection.execute(query).one()
    assert values == ["x", 3, 5, "01FF"]
    assert now == pytest.approx(time.time(), abs=5.0)
    text = str(query.compile(dialect=POSTGRES_DIALECT))
    for word in (" ->> ", "strpos(", "greatest(", "encode(", "clock_timestamp("):
        assert word in text
        assert word not in str(query.compile(dialect=SQLITE_DIALECT))


def test_lists_go_in_and_out_as_one_text(connection: Connection) -> None:
    each = numbers("[3, 1, 2]")
    assert connection.scalar(select(json_list(each.c.value))) == [3, 1, 2]
    some = spans("[[1, 5], [9, 12]]").c
    found = connection.execute(select(some.first, some.last).order_by(some.key)).all()
    assert [tuple(raw) for raw in found] == [(1, 5), (9, 12)]
    among = is_among(column("id"), "[1, 7]")
    assert connection.scalars(select(t.clients.c.id).where(among)).all() == [1]
    text = str(select(each.c.value).where(among).compile(dialect=POSTGRES_DIALECT))
    assert text.count("json_array_elements_text(") == 2


def test_what_is_there_already_may_be_left_alone(connection: Connection) -> None:
    for value in (1, 2):
        row = upsert(connection, t.tallies).values(name="x", value=value)
        connection.execute(row.on_conflict_do_nothing())
    assert connection.scalar(select(t.tallies.c.value)) == 1
