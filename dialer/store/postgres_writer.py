"""Group commit on PostgreSQL: what gathers during a commit goes with the next one.

Writes of a `Kind` have a connection of their own, one transaction at a time; single operations run
beside them, each in its own transaction on one of a few others.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from dialer.errors import StoreUnavailable
from dialer.store.bulk import driver_cursor
from dialer.store.failures import as_failure, is_fatal
from dialer.store.group_writes import Groups, Kind, write_apart, write_at_once
from dialer.store.postgres_transactions import Transactions
from dialer.store.row_locks import PLACES, add_places, find_locks
from dialer.store.session import Future, Outcome, Work
from dialer.store.writer import GroupWriter

R = TypeVar("R")


class PostgresWriter(GroupWriter):
    """`writing`: one connection for groups; `running`: some for single operations. `stored` is
    called in the loop with the outcomes of a group."""

    def __init__(
        self,
        writing: AsyncEngine,
        running: AsyncEngine,
        kinds: Sequence[Kind],
        stored: Callable[[Sequence[Outcome]], None],
    ) -> None:
        super().__init__(kinds, lambda: None)
        self._groups, self._singles = Transactions(writing), Transactions(running)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stored = stored

    async def _open(self) -> None:
        await self._groups.fetch("SELECT 1")

    def _put(self, work: Work) -> None:
        self._start(self._serve(work))

    def run(self, fn: Callable[[Connection], R], last: str = "") -> "asyncio.Future[R]":
        """As it says there; `last`: statements for the end of the transaction."""
        future = self._accept()
        if not future.done():
            self._start(self._run(fn, future, last))
        return future

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        await self._groups.close()
        await self._singles.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, fn: Callable[[Connection], R], future: Future, last: str) -> None:
        try:
            outcome: object = await self._singles.run(fn, "runs", last=last)
        except Exception as error:
            outcome = as_failure(error)
        self._note_trouble(outcome)
        self._answer([(future, outcome)])

    async def _serve(self, work: Work) -> None:
        futures = [future for _, group in work.groups for _, future in group]
        groups = [(kind, [op for op, _ in group]) for kind, group in work.groups]
        try:
            results = await self._write(groups)
        except Exception as error:
            results = [as_failure(error)] * len(futures)
        outcomes = list(zip(futures, results, strict=True))
        self._report(outcomes, Work(), False)
        self._stored(outcomes)

    async def _write(self, groups: Groups) -> list[Any]:
        locks = await self._find_locks(groups)
        try:
            return await self._groups.run(
                lambda c: write_at_once(driver_cursor(c), groups), "writes", locks
            )
        except Exception as error:
            if is_fatal(error) or isinstance(error, StoreUnavailable):
                raise
        body = partial(_write_apart, groups)
        return await self._groups.run(body, "writes", locks)

    async def _find_locks(self, groups: Groups) -> str:
        locks, channel_ids = find_locks(op for _, ops in groups for op in ops)
        if channel_ids:
            places = await self._groups.fetch(PLACES, channel_ids)
            add_places(locks, places)
        return locks.say()


def _write_apart(groups: Groups, connection: Connection) -> list[Any]:
    return write_apart(driver_cursor(connection), groups)


_PATIENCE = 10.0
"""Seconds that what is being written gets when the store is closed."""
