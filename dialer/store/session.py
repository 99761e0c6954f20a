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

from dialer.errors import StoreUnavailable
from dialer.failpoints import failpoints
from dialer.store.failures import as_failure, is_fatal
from dialer.store.group_writes import Kind, save, write_apart, write_at_once

R = TypeVar("R")
Future = asyncio.Future[Any]
Outcome = tuple[Future, Any]  # an exception is set as one
Run = tuple[Callable[[Connection], Any], Future]

# Single operations join one transaction until this much time has gone; then writes get their turn.
RUN_SECONDS: Final = 0.004
# Takes the write lock at once: no transaction fails half-way because another process writes.
BEGIN: Final = "BEGIN IMMEDIATE"


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
        groups = [(kind, [op for op, _ in group]) for kind, group in work.groups]
        self._cursor.execute(BEGIN)
        try:
            results = write_at_once(self._cursor, groups)
        except Exception as error:
            if is_fatal(error):
                raise
            self._raw.rollback()
            self._cursor.execute(BEGIN)
            results = write_apart(self._cursor, groups)
        return list(zip(taken, results, strict=True))

    def _run_some(self, work: Work, taken: list[Future]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        until = time.monotonic() + RUN_SECONDS
        while work.runs and (not outcomes or time.monotonic() < until):
            fn, future = work.runs.popleft()
            taken.append(future)
            if len(taken) == 1:
                self._cursor.execute(BEGIN)
            try:
                outcomes.append((future, save(self._cursor, partial(fn, self._connection))))
            except Exception as error:
                if is_fatal(error):
                    raise
                outcomes.append((future, as_failure(error)))
        return outcomes
