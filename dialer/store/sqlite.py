"""The store on SQLite: a file, one writer (group commit), a few readers, and one for searches.

Works for several processes on one machine; what another wrote is noticed by looking
(`on_foreign_change`).
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select
from sqlalchemy.exc import SQLAlchemyError

from dialer.store import reading, rows
from dialer.store.access import Topic
from dialer.store.claim import Claim
from dialer.store.engines import SEARCHERS, reading_engine, sqlite_url, writing_engine
from dialer.store.failures import as_failure
from dialer.store.group_writes import Kind
from dialer.store.histories import Histories
from dialer.store.migrations import upgrade
from dialer.store.searches import Searches, one_state
from dialer.store.session import Future
from dialer.store.sql_store import PATIENCE, RECORD_LINGER, SETTLE_LINGER, SqlStore
from dialer.store.wire_log import WireLog
from dialer.store.writer import Writer

R = TypeVar("R")

LOOK_EVERY: Final = 0.25


class SqliteStore(SqlStore):
    """`dialer.store.contract.Store` on a SQLite file."""

    def __init__(
        self,
        url: str,
        settle_linger: float = SETTLE_LINGER,
        record_linger: float = RECORD_LINGER,
        look_every: float = LOOK_EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self._url = sqlite_url(url)
        self._look_every = look_every
        path = Path(self._url.database or "")
        self._claim = Claim(path)
        log = WireLog(path.with_name(path.name + ".wire"))
        super().__init__(log, settle_linger, record_linger, patience)
        self._changed: Callable[[], None] | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._writer = Writer(writing_engine(self._url), self._kinds, self._tell_changed)
        self._readers = reading_engine(self._url)
        self._searches = Searches(reading_engine(self._url, SEARCHERS), SEARCHERS)
        self._histories = Histories(self._fetch, self._searches.fetch)

    # Opening and closing.

    async def open(self) -> None:
        """Migrate the file (made where there is none) and start the writer."""
        await asyncio.to_thread(upgrade, self._url)
        await self._writer.start()
        await self._load_secret()

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        if self._look_timer is not None:
            self._look_timer.cancel()
        await self._writer.stop()
        await self._readers.dispose()
        await self._searches.close()
        await self._wire_marks.close()
        self._wire_log.close()
        self._claim.release()

    async def claim(self) -> None:
        self._claim.take()
        await self._wire_marks.open(self._wire_log)

    def is_claimed(self) -> bool:
        return self._claim.is_held()

    @property
    def trouble(self) -> str | None:
        return self._writer.trouble

    def on_foreign_change(
        self, changed: Callable[[], None], deliveries: Callable[[], None] | None = None
    ) -> None:
        self._changed = changed
        self._look()

    def _look(self) -> None:
        self._writer.look()
        loop = asyncio.get_running_loop()
        self._look_timer = loop.call_later(self._look_every, self._look)

    def _tell_changed(self) -> None:
        if self._changed is not None:
            self._changed()

    def _run(
        self, fn: Callable[[Connection], R], tell: Topic | None = Topic.CHANGES
    ) -> Awaitable[R]:
        return self._writer.run(fn)

    def _write(self, kind: Kind, op: object) -> Future:
        return self._writer.write(kind, op)

    async def _fetch(self, query: Select[Any]) -> list[rows.Raw]:
        try:
            async with self._readers.connect() as connection:
                return await reading.fetch_all(connection, query)
        except SQLAlchemyError as error:
            raise as_failure(error) from error

    async def _read(self, query: reading.Prepared, *values: object) -> list[rows.Raw]:
        try:
            async with self._readers.connect() as connection:
                return await reading.fetch_prepared(connection, query, values)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise as_failure(error) from error

    async def _fetch_together(self, *queries: Select[Any]) -> list[list[rows.Raw]]:
        """Several queries over one and the same state of the database."""
        async with one_state(self._readers) as connection:
            return [await reading.fetch_all(connection, query) for query in queries]
