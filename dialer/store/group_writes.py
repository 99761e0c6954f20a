"""The writes of one transaction, in bulk; where one of them is bad, each by itself.

Synchronous, on a bare cursor inside a transaction that the caller began and will commit: in the
writer's thread on SQLite, in a greenlet of the event loop on PostgreSQL.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.failures import as_failure, is_fatal

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Kind:
    """Writes of one sort. `execute` writes all `ops` in order and answers as many outcomes; an
    outcome that is an exception fails its write alone. Where one of the rows is bad it raises:
    then each is tried by itself."""

    execute: Callable[[Cursor, Sequence[Any], Deltas], Sequence[Any]]
    linger: float = 0.0  # seconds it may wait for company


Groups = Sequence[tuple[Kind, Sequence[Any]]]


def write_at_once(cursor: Cursor, groups: Groups) -> list[Any]:
    """The outcomes of all, in order. Raises where one of the writes is bad."""
    results: list[Any] = []
    deltas = Deltas()
    for kind, ops in groups:
        results += kind.execute(cursor, ops, deltas)
    deltas.apply(cursor, held=True)
    return results


def write_apart(cursor: Cursor, groups: Groups) -> list[Any]:
    """One of the writes is bad: each group in a savepoint, each write of the bad one, too."""
    results: list[Any] = []
    deltas = Deltas()
    for kind, ops in groups:
        try:
            results += _write_bulk(cursor, kind, ops, deltas)
        except Exception as error:
            if is_fatal(error):
                raise
            results += [_write_alone(cursor, kind, op, deltas) for op in ops]
    deltas.apply(cursor, held=True)
    return results


def _write_alone(cursor: Cursor, kind: Kind, op: object, deltas: Deltas) -> object:
    try:
        return _write_bulk(cursor, kind, [op], deltas)[0]
    except Exception as error:
        if is_fatal(error):
            raise
        return as_failure(error)


def _write_bulk(cursor: Cursor, kind: Kind, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
    own = Deltas()
    results = save(cursor, lambda: kind.execute(cursor, ops, own))
    deltas.add(own)
    return results


def save(cursor: Cursor, body: Callable[[], R]) -> R:
    """`body` in a savepoint: what it wrote is undone when it raises. Where the database itself
    failed, the whole transaction is to be undone by the caller."""
    cursor.execute("SAVEPOINT write")
    try:
        result = body()
    except BaseException as error:
        if not is_fatal(error):
            cursor.execute("ROLLBACK TO write")
            cursor.execute("RELEASE write")
        raise
    cursor.execute("RELEASE write")
    return result
