"""Group commit: one thread with one connection writes everything, many writes to a commit.

The event loop gathers writes; whenever the thread is idle it gets all that has gathered. So a
write that comes alone goes at once, and under load a commit carries what came during the last one.
Writes of a `Kind` are executed in bulk (at most `LARGEST_GROUP` of them a transaction) and may
linger for company; any hand-over takes everything that waits. Single operations (`run`) follow in
transactions of their own, so that a batch being inserted never rides on a reservation's commit.

All state here is the event loop's own; the thread's side is `dialer.store.session`.
"""

import asyncio
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from dialer.errors import StoreUnavailable
from dialer.store.group_writes import Kind
from dialer.store.session import Future, Outcome, Session, Work

log = logging.getLogger(__name__)

R = TypeVar("R")

LARGEST_GROUP: Final = 200


class GroupWriter(ABC):
    """The event loop's side: what gathers, when it goes, and who is told. `trouble` says why the
    last transaction failed, None when it did not; the log tells when it begins and when it is over,
    and nobody else needs to."""

    def __init__(self, kinds: Sequence[Kind], foreign: Callable[[], None]) -> None:
        self._waiting: dict[Kind, deque[tuple[Any, Future]]] = {k: deque() for k in kinds}
        self._runs: deque[tuple[Callable[[Connection], Any], Future]] = deque()
        self._foreign = foreign
        self._busy = False
        self._look = False
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._closed = True
        self.trouble: str | None = None
        self._troubled_at = 0.0
        self._idle: asyncio.Event = asyncio.Event()

    @abstractmethod
    async def _open(self) -> None:
        """Be ready for work. Raises `StoreUnavailable`."""

    @abstractmethod
    def _put(self, work: Work) -> None:
        """Do it, and `_report`."""

    @abstractmethod
    async def _end(self) -> None:
        """After the last work."""

    async def start(self) -> None:
        """Make ready; raises `StoreUnavailable`."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        try:
            await self._open()
        except BaseException:
            self._closed = True
            raise

    async def stop(self) -> None:
        """Write what waits, then end. Later writes fail with `StoreUnavailable`."""
        if self._closed:
            return
        self._closed = True
        while self._busy or self._has_work():
            self._idle.clear()
            if not self._busy:
                self._hand_over()
            await self._idle.wait()
        if self._timer is not None:
            self._timer.cancel()
        await self._end()

    def write(self, kind: Kind, op: object) -> Future:
        """Write `op` with others of its kind; the outcome once it is on disk."""
        future = self._accept()
        if not future.done():
            self._waiting[kind].append((op, future))
            self._due(kind.linger)
        return future

    def run(self, fn: Callable[[Connection], R]) -> "asyncio.Future[R]":
        """Run `fn` with the connection in a transaction; what it returns, once that is on disk."""
        future = self._accept()
        if not future.done():
            self._runs.append((fn, future))
            self._due(0.0)
        return future

    def look(self) -> None:
        """Have the thread look, when it gets to it, whether another connection has written."""
        if not self._closed:
            self._look = True
            self._due(0.0)

    def _accept(self) -> Future:
        loop = asyncio.get_running_loop()
        future: Future = loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed"))
        return future

    def _due(self, linger: float) -> None:
        deadline = self._loop.time() + linger
        if self._deadline is None or deadline < self._deadline:
            self._deadline = deadline
            if not self._busy:
                self._schedule(linger)

    def _schedule(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if delay <= 0:
            # Not at once: what else this turn of the loop writes shall share the commit.
            self._timer = self._loop.call_soon(self._hand_over)
        else:
            self._timer = self._loop.call_later(delay, self._hand_over)

    def _has_work(self) -> bool:
        return bool(self._runs) or self._look or any(self._waiting.values())

    def _hand_over(self) -> None:
        if self._busy or not self._has_work():
            return
        work, room = Work(look=self._look), LARGEST_GROUP
        for kind, waiting in self._waiting.items():
            ops = [waiting.popleft() for _ in range(min(room, len(waiting)))]
            room -= len(ops)
            if ops:
                work.groups.append((kind, ops))
        work.runs, self._runs = self._runs, deque()
        self._look = False
        self._busy = True
        self._deadline = self._loop.time() if any(self._waiting.values()) else None
        self._put(work)

    def _report(self, outcomes: Sequence[Outcome], rest: Work | None, foreign: bool) -> None:
        """In the loop: resolve what was written; `rest` (what was left undone) ends the turn."""
        if outcomes:
            self._note_trouble(outcomes[0][1])  # a transaction fails as a whole
        self._answer(outcomes)
        if foreign:
            self._foreign()
        if rest is None:
            return
        self._busy = False
        if rest.runs:
            self._runs.extendleft(reversed(rest.runs))
            self._deadline = self._loop.time()
        self._idle.set()
        if self._deadline is not None:
            self._schedule(self._deadline - self._loop.time())

    def _answer(self, outcomes: Sequence[Outcome]) -> None:
        for future, outcome in outcomes:
            if future.cancelled():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _note_trouble(self, outcome: object) -> None:
        if isinstance(outcome, StoreUnavailable):
            if self.trouble is None:
                self._troubled_at = self._loop.time()
                log.error("the database takes no writes", extra={"error": str(outcome)})
            self.trouble = str(outcome)
        elif self.trouble is not None:
            self.trouble = None
            seconds = round(self._loop.time() - self._troubled_at, 1)
            log.warning("the database takes writes again", extra={"seconds": seconds})


class Writer(GroupWriter):
    """A thread that writes to SQLite. `foreign` is called in the loop when it saw that another
    connection has written."""

    def __init__(self, engine: Engine, kinds: Sequence[Kind], foreign: Callable[[], None]) -> None:
        super().__init__(kinds, foreign)
        self._engine = engine
        self._inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()

    async def _open(self) -> None:
        """Start the thread and open its connection."""
        self._busy = True
        opened: Future = self._loop.create_future()
        self._thread = threading.Thread(
            target=Session(self._engine, self._inbox, self._loop, self._report).main,
            args=(opened,),
            name="store-writer",
            daemon=True,
        )
        self._thread.start()
        await opened

    def _put(self, work: Work) -> None:
        self._inbox.put(work)

    async def _end(self) -> None:
        self._inbox.put(Work(stop=True))
        await self._loop.run_in_executor(None, self._thread.join)
