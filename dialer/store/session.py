"""The writer's thread: it executes what the event loop hands over, and tells what came of it.

A bad write fails by itself (then each is tried in a savepoint); a failing transaction fails every
write in it, stores nothing of them, and leaves the session working.
"""

import asyncio
import queue
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from dialer.errors import Conflict, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor

R = TypeVar("R")
Future = asyncio.Future[Any]
Outcome = tuple[Future, Any]  # an exception is set as one
Run = tuple[Callable[[Connection], Any], Future]

# Single operations join one transaction until this much time has gone; then writes get their turn.
RUN_SECONDS: Final = 0.004
# Takes the write lock at once: no transaction fails half-way because another process writes.
BEGIN: Final = "BEGIN IMMEDIATE"


@dataclass(frozen=True, slots=True)
class Kind:
    """Writes of one sort. `execute` writes all `ops` in order and answers as many outcomes; an
    outcome that is an exception fails its write alone. Where one of the rows is bad it raises:
    then each is tried by itself."""

    execute: Callable[[Cursor, Sequence[Any], Deltas], Sequence[Any]]
    linger: float = 0.0  # seconds it may wait for company


@dataclass(frozen=True, slots=True)
class Piece(Generic[R]):
    """A single operation that is part of long work: it comes behind all others that wait, in a
    transaction of its own, for which they need not wait; one of them a hand-over at most."""

    fn: Callable[[Connection], R]

    def __call__(self, connection: Connection) -> R:
        return self.fn(connection)


@dataclass(slots=True)
class Work:
    """One hand-over to the thread. `look`: has another connection written?"""

    groups: list[tuple[Kind, list[tuple[Any, Future]]]] = field(default_factory=list)
    runs: deque[Run] = field(default_factory=deque)
    look: bool = False
    stop: bool = False


# Called in the loop: what was written; with the work (its undone runs) when the thread is idle
# again; whether another connection has written.
Report = Callable[[Sequence[Outcome], Work | None, bool], None]


class Session:
    """The thread's side of a `Writer`."""

    def __init__(
        self,
        engine: Engine,
        inbox: "queue.SimpleQueue[Work]",
        loop: asyncio.AbstractEventLoop,
        report: Report,
    ) -> None:
        self._engine, self._inbox, self._loop, self._report = engine, inbox, loop, report

    def main(self, opened: Future) -> None:
        """The thread: open the connection, then serve until told to stop."""
        try:
            self._connect()
        except Exception as error:
            self._engine.dispose()
            self._tell([(opened, as_failure(error))], Work())
            return
        self._tell([(opened, None)], Work())
        while not (work := self._inbox.get()).stop:
            self._serve(work)
        self._cursor.close()
        self._connection.close()
        self._engine.dispose()

    def _connect(self) -> None:
        self._connection = self._engine.connect()
        raw = self._connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        self._raw, self._cursor = raw, raw.cursor()
        self._version = self._data_version()

    def _serve(self, work: Work) -> None:
        foreign = False
        outcomes: Sequence[Outcome] = ()
        pieces: list[Run] = []
        try:
            if work.groups:
                outcomes = self._transact("writes", self._write_groups, work)
            if work.runs and outcomes and isinstance(outcomes[0][1], StoreUnavailable):
                # It would wait as long again for the same lock, while a client waits for us.
                said = str(outcomes[0][1])
                outcomes = [*outcomes, *((f, StoreUnavailable(said)) for _, f in work.runs)]
                work.runs.clear()
            pieces = [run for run in work.runs if isinstance(run[0], Piece)]
            work.runs = deque(run for run in work.runs if not isinstance(run[0], Piece))
            if work.runs:
                if outcomes:  # Originates do not wait for a batch that is being inserted
                    self._tell(outcomes, None)
                outcomes = self._transact("runs", self._run_some, work)
            if pieces:
                if outcomes:
                    self._tell(outcomes, None)
                piece = Work(runs=deque([pieces.pop(0)]))
                outcomes = self._transact("runs", self._run_some, piece)
            if work.look:
                version = self._data_version()
                foreign, self._version = version != self._version, version
        except sqlite3.Error:
            foreign = True  # what could not be looked at may have changed
        finally:
            work.runs += pieces
            self._tell(outcomes, work, foreign)

    def _data_version(self) -> int:
        """Changes only when another connection has committed (sqlite.org/pragma.html)."""
        return int(self._cursor.execute("PRAGMA data_version").fetchone()[0])

    def _tell(self, outcomes: Sequence[Outcome], idle: Work | None, foreign: bool = False) -> None:
        self._loop.call_soon_threadsafe(self._report, outcomes, idle, foreign)

    def _transact(
        self, kind: str, body: Callable[[Work, list[Future]], list[Outcome]], work: Work
    ) -> list[Outcome]:
        """`body`, which begins a transaction and notes the futures of the writes that it takes,
        then COMMIT. If anything fails, nothing was stored and each of them is told so."""
        taken: list[Future] = []
        try:
            outcomes = body(work, taken)
            if failpoints.armed:
                failpoints.reach(f"store.{kind}.commit.before")
            self._cursor.execute("COMMIT")
            if failpoints.armed:
                failpoints.reach(f"store.{kind}.commit.after")
        except Exception as error:
            if self._raw.in_transaction:
                self._raw.rollback()
            return [(future, as_failure(error)) for future in taken]
        return outcomes

    def _write_groups(self, work: Work, taken: list[Future]) -> list[Outcome]:
        taken += [future for _, group in work.groups for _, future in group]
        self._cursor.execute(BEGIN)
        try:
            results = self._write_at_once(work)
        except Exception as error:
            if is_fatal(error):
                raise
            self._raw.rollback()
            self._cursor.execute(BEGIN)
            results = self._write_apart(work)
        return list(zip(taken, results, strict=True))

    def _write_at_once(self, work: Work) -> list[Any]:
        results: list[Any] = []
        deltas = Deltas()
        for kind, group in work.groups:
            results += kind.execute(self._cursor, [op for op, _ in group], deltas)
        deltas.apply(self._cursor)
        return results

    def _write_apart(self, work: Work) -> list[Any]:
        """One of the writes is bad: each group in a savepoint, each write of the bad one, too."""
        results: list[Any] = []
        deltas = Deltas()
        for kind, group in work.groups:
            ops = [op for op, _ in group]
            try:
                results += self._write_bulk(kind, ops, deltas)
            except Exception as error:
                if is_fatal(error):
                    raise
                results += [self._write_alone(kind, op, deltas) for op in ops]
        deltas.apply(self._cursor)
        return results

    def _write_alone(self, kind: Kind, op: object, deltas: Deltas) -> object:
        try:
            return self._write_bulk(kind, [op], deltas)[0]
        except Exception as error:
            if is_fatal(error):
                raise
            return as_failure(error)

    def _write_bulk(self, kind: Kind, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
        own = Deltas()
        results = self._saved(lambda: kind.execute(self._cursor, ops, own))
        deltas.add(own)
        return results

    def _run_some(self, work: Work, taken: list[Future]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        until = time.monotonic() + RUN_SECONDS
        while work.runs and (not outcomes or time.monotonic() < until):
            fn, future = work.runs.popleft()
            taken.append(future)
            if len(taken) == 1:
                self._cursor.execute(BEGIN)
            try:
                outcomes.append((future, self._saved(partial(fn, self._connection))))
            except Exception as error:
                if is_fatal(error):
                    raise
                outcomes.append((future, as_failure(error)))
        return outcomes

    def _saved(self, body: Callable[[], R]) -> R:
        """`body` in a savepoint: what it wrote is undone when it raises."""
        self._cursor.execute("SAVEPOINT write")
        try:
            result = body()
        except BaseException:
            if self._raw.in_transaction:
                self._cursor.execute("ROLLBACK TO write")
                self._cursor.execute("RELEASE write")
            raise
        self._cursor.execute("RELEASE write")
        return result


def is_fatal(error: BaseException) -> bool:
    """Whether the database itself failed (full, locked, damaged), not one row or one value."""
    error = _cause(error)
    if isinstance(error, sqlite3.OperationalError | sqlite3.InternalError):
        return True
    return type(error) is sqlite3.DatabaseError


def as_failure(error: BaseException) -> BaseException:
    """`error` as the contract says it; our own mistakes stay as they are."""
    cause = _cause(error)
    if isinstance(cause, PoolExhausted):
        return StoreUnavailable("every connection to the database is busy")
    if isinstance(cause, sqlite3.IntegrityError):
        return Conflict(str(cause))
    if is_fatal(cause):
        return StoreUnavailable(f"the database could not be used: {cause}")
    return error


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error
