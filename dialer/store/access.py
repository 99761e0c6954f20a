"""What the store's methods stand on: ways to write and to read, each database's own."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

from dialer.errors import Conflict
from dialer.store import contract as c
from dialer.store import ingest, reading, rows
from dialer.store.group_writes import Kind
from dialer.store.histories import Histories
from dialer.store.searches import Searches
from dialer.store.session import Future

R = TypeVar("R")


class Topic(StrEnum):
    """What a write is about, for those who wait for it."""

    CHANGES = "changes"  # of servers, clients, queues; new items
    DELIVERIES = "deliveries"  # in the outbox


class Access(ABC):
    """All of these raise `StoreUnavailable`."""

    _searches: Searches
    _histories: Histories
    _secret: bytes

    @abstractmethod
    def _run(
        self, fn: Callable[[Connection], R], tell: Topic | None = Topic.CHANGES
    ) -> Awaitable[R]:
        """Run `fn` in a transaction of the writing side; what it returns, once that is on disk.
        `tell`: what others are told of it, where the database tells them."""

    def _tell(self, topic: Topic) -> None:
        """Tell others soon, where the database tells them."""
        return

    @abstractmethod
    def _write(self, kind: Kind, op: object) -> Future:
        """Write `op` with others of its kind; the outcome once it is on disk."""

    @abstractmethod
    async def _fetch(self, query: Select[Any]) -> list[rows.Raw]:
        """The rows of a query."""

    @abstractmethod
    async def _read(self, query: reading.Prepared, *values: object) -> list[rows.Raw]:
        """The rows of a query that comes often."""

    @abstractmethod
    async def _fetch_together(self, *queries: Select[Any]) -> list[list[rows.Raw]]:
        """Several queries over one and the same state of the database."""

    async def _read_moment(self, query: reading.Prepared, *values: object) -> float | None:
        return rows.to_seconds_or_none((await self._read(query, *values))[0][0])

    def _run_kept(
        self, fn: Callable[[Connection], R], keep: Callable[[R], c.KeptAnswer] | None
    ) -> Awaitable[R]:
        """As `_run`; the answer that `keep` makes of the result is kept in the same transaction."""

        def change(connection: Connection) -> R:
            result = fn(connection)
            if keep is not None:
                kept = keep(result)
                if not ingest.keep_answer(connection, kept.client_id, kept.key, kept.answer):
                    # Another process did the same meanwhile: this one undoes what it did.
                    raise Conflict("another request with this Idempotency-Key was answered")
            return result

        return self._run(change)

    async def _fetch_number(self, query: Select[Any]) -> int | None:
        """The single value of the single row, where there is one."""
        for (value,) in await self._fetch(query):
            return int(value) if value is not None else None
        return None
