"""The store on PostgreSQL: several workers, APIs and deliverers on one database.

Writes of attempts share commits (`postgres_writer`), other writes have transactions of their own.
What others wrote is told by the database (`listening`).
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from dialer.errors import SettingsError, StoreUnavailable
from dialer.store import contract as c
from dialer.store import reading, rows
from dialer.store.access import Topic
from dialer.store.answers import NOTE_LINGER, Answers, note_answers
from dialer.store.failures import find_state
from dialer.store.group_writes import Kind
from dialer.store.histories import Histories
from dialer.store.listening import Listener
from dialer.store.migrations import HEAD
from dialer.store.postgres_engines import (
    plain_url,
    postgres_url,
    reading_engine,
    searching_engine,
    writing_engine,
)
from dialer.store.postgres_transactions import read
from dialer.store.postgres_writer import PostgresWriter
from dialer.store.row_locks import NEWEST_CDR, UNSETTLED, find_settled
from dialer.store.rows import Raw
from dialer.store.searches import Searches, in_one_state
from dialer.store.session import Future, Outcome
from dialer.store.sql_store import PATIENCE, RECORD_LINGER, SETTLE_LINGER, SqlStore
from dialer.store.wire_log import WireLog
from dialer.store.witnesses import FORGET_OLD
from dialer.store.worker_state import WorkerState

R = TypeVar("R")

STATE_DIR: Final = Path("dialer-state")
RUNNERS: Final = 4
READERS: Final = 4
SEARCHERS: Final = 1


class PostgresStore(SqlStore):
    """`dialer.store.contract.Store` on PostgreSQL. `state_dir` is where a worker keeps what it
    knows of its own attempts; it must outlive the process, not the machine."""

    def __init__(
        self,
        url: str,
        state_dir: Path = STATE_DIR,
        settle_linger: float = SETTLE_LINGER,
        record_linger: float = RECORD_LINGER,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(WireLog(state_dir / "unclaimed"), settle_linger, record_linger, patience)
        self._url, self._state_dir = postgres_url(url), state_dir
        self._state: WorkerState | None = None
        writing, running = writing_engine(self._url, 1), writing_engine(self._url, RUNNERS)
        self._noting = Kind(note_answers, NOTE_LINGER)
        self._kinds = (*self._kinds, self._noting)
        self._answers = Answers(
            lambda name: self._wire_log.answered_at(name),
            lambda found: self._write(self._noting, found),
        )
        self._writer = PostgresWriter(writing, running, self._kinds, self._say_deliveries)
        self._readers = reading_engine(self._url, READERS)
        self._searches = Searches(searching_engine(self._url, SEARCHERS), SEARCHERS)
        self._histories = Histories(self._fetch, self._searches.fetch, self._newest_settled)
        self._listener = Listener(plain_url(self._url), self._hear)
        self._changed: Callable[[], None] | None = None
        self._delivered: Callable[[], None] | None = None

    # Opening and closing.

    async def open(self) -> None:
        """Connect. Raises `SettingsError` where the database was not migrated: who starts first
        must not change what others work on."""
        await self._check_version()
        await self._writer.start()
        await self._listener.open()
        await self._load_secret()

    async def _check_version(self) -> None:
        query = "SELECT version_num FROM alembic_version"
        known = "SELECT to_regclass('alembic_version')"

        async def ask(connection: AsyncConnection) -> str | None:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            if await driver.fetchval(known) is None:
                return None
            version: str | None = await driver.fetchval(query)
            return version

        version = await read(self._readers, ask)
        if version is None or version < HEAD:
            raise SettingsError(
                f"the database is at version {version or 'none'} and {HEAD} is needed:"
                " run dialer db upgrade"
            )

    async def close(self) -> None:
        """Write what waits, then let go."""
        self._answers.close()
        await self._writer.stop()
        await self._listener.close()
        await self._readers.dispose()
        await self._searches.close()
        await self._wire_marks.close()
        self._wire_log.close()
        if self._state is not None:
            self._state.release()

    async def claim(self) -> None:
        """Others may claim it, too: who dials where is said by `own`."""
        name = hashlib.sha256(self._secret).hexdigest()[:12]
        state = WorkerState(self._state_dir, name)
        log = state.take()
        try:
            await self._wire_marks.open(log, state.forget_tokens)
            await self._listener.claim()
            with suppress(StoreUnavailable):  # there is time for that
                await self._run(lambda conn: conn.exec_driver_sql(FORGET_OLD), None)
        except BaseException:
            log.close()
            state.release()
            raise
        self._wire_log, self._state = log, state

    def is_claimed(self) -> bool:
        """As it was some seconds ago."""
        return self._listener.is_claimed

    @property
    def trouble(self) -> str | None:
        return self._writer.trouble or self._listener.trouble

    async def own(
        self, server_ids: Sequence[int], seen: Mapping[int, int] | None = None
    ) -> dict[int, int]:
        """The tokens are noted before anything is reserved under them."""
        tokens = await super().own(server_ids, seen)
        if self._state is not None:
            under = {(raw[0], raw[1]) for raw in await self._fetch(reading.open_tokens())}
            self._state.note_tokens(tokens, under)
        return tokens

    def can_note(self) -> bool:
        return super().can_note() and (self._state is None or self._state.can_keep())

    def note_answered(self, channel_id: str, at: float) -> None:
        """Known to this machine when it returns, and to the database a moment later."""
        super().note_answered(channel_id, at)
        self._answers.note(channel_id)

    async def open_attempts(
        self, server_ids: Collection[int] | None = None
    ) -> tuple[c.OpenAttempt, ...]:
        found = await super().open_attempts(server_ids)
        tokens = self._state.tokens if self._state is not None else set()
        told = {raw[0]: raw[1:] for raw in await self._fetch(reading.open_under())}
        return tuple(_add_told(attempt, told.get(attempt.channel_id), tokens) for attempt in found)

    def on_foreign_change(
        self, changed: Callable[[], None], deliveries: Callable[[], None] | None = None
    ) -> None:
        self._changed, self._delivered = changed, deliveries

    def _hear(self, topics: frozenset[Topic]) -> None:
        if self._delivered is not None and Topic.DELIVERIES in topics:
            self._delivered()
            topics -= {Topic.DELIVERIES}
        if self._changed is not None and topics:
            self._changed()

    def _say_deliveries(self, outcomes: Sequence[Outcome]) -> None:
        """Of settlements and the like, whose outcomes are what they stored."""
        if any(isinstance(outcome, tuple) and outcome for _, outcome in outcomes):
            self._listener.say(Topic.DELIVERIES)

    # Ways to write and to read.

    def _run(
        self, fn: Callable[[Connection], R], tell: Topic | None = Topic.CHANGES
    ) -> Awaitable[R]:
        return self._writer.run(fn, "" if tell is None else self._listener.statement(tell))

    def _tell(self, topic: Topic) -> None:
        self._listener.say(topic)

    async def _newest_settled(self) -> int:
        last = (await self._fetch(NEWEST_CDR))[0][0]
        return find_settled(last, [raw[0] for raw in await self._fetch(UNSETTLED)])

    def _write(self, kind: Kind, op: object) -> Future:
        return self._writer.write(kind, op)

    async def _fetch(self, query: Select[Any]) -> list[Raw]:
        return await _find(read(self._readers, partial(_fetch_all, query)))

    async def _read(self, query: reading.Prepared, *values: object) -> list[Raw]:
        return await _find(read(self._readers, partial(_fetch_prepared, query, values)))

    async def _fetch_together(self, *queries: Select[Any]) -> list[list[Raw]]:
        """Several queries over one and the same state of the database."""

        async def ask(connection: AsyncConnection) -> list[list[Raw]]:
            async with in_one_state(connection):
                return [await reading.fetch_all(connection, query) for query in queries]

        return await read(self._readers, ask)


def _add_told(
    attempt: c.OpenAttempt, told: Sequence[Any] | None, tokens: Collection[tuple[int, int]]
) -> c.OpenAttempt:
    """`told`: what the database alone knows of it (`reading.open_under`); `tokens`: what this
    machine can speak for."""
    server_id, fence, answered_at = told or (None, None, None)
    answered = attempt.answered_at
    if answered is None:
        answered = rows.to_seconds_or_none(answered_at)
    unsent = attempt.unsent and (server_id, fence) in tokens
    return replace(attempt, unsent=unsent, answered_at=answered)


async def _find(found: Awaitable[list[Raw]]) -> list[Raw]:
    """What was found; nothing where it was asked for by a text that no row can hold (with NUL)."""
    try:
        return await found
    except Exception as error:
        if find_state(error) == "22021":
            return []
        raise


async def _fetch_all(query: Select[Any], connection: AsyncConnection) -> list[Raw]:
    return await reading.fetch_all(connection, query)


async def _fetch_prepared(
    query: reading.Prepared, values: Sequence[object], connection: AsyncConnection
) -> list[Raw]:
    return await reading.fetch_prepared(connection, query, values)
