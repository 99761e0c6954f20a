"""What proves that a transaction is on disk: a row that it writes itself, on PostgreSQL.

The number of a transaction proves nothing: PostgreSQL gives one out again where it crashed before
anything of the first was flushed (its own src/test/recovery/t/011_crash_recovery.pl waits for that
flush). So each transaction writes its number to a row of `commits` together with COMMIT, in one
round trip; where the connection is lost at COMMIT, that row says what became of it. A writer has
as many rows as transactions at a time.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL

from dialer.errors import StoreUnavailable
from dialer.store.failures import is_lost
from dialer.store.postgres_engines import CONNECT_SECONDS, plain_url

log = logging.getLogger(__name__)

FORGET_OLD: Final = "DELETE FROM commits WHERE at < now() - interval '30 days'"
"""Rows of processes that are gone for long."""

_ASK_AGAIN: Final = 0.25
_WHO: Final = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
# A session that still has to read our COMMIT could do it after it was asked for.
_END: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid = $1 AND backend_start = $2
"""
_STORED: Final = "SELECT EXISTS (SELECT FROM commits WHERE writer = $1 AND number = $2)"


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the database's: of one process id there are many in the course of time."""

    pid: int
    since: datetime


@dataclass(slots=True)
class Witness:
    """Of one transaction. `session` is where it runs."""

    writer: str
    number: int
    session: Session | None = None

    @property
    def statement(self) -> str:
        """For the end of the transaction, with a `;` behind it."""
        return (
            f"INSERT INTO commits (writer, number) VALUES ('{self.writer}', {self.number})"  # noqa: S608
            " ON CONFLICT (writer) DO UPDATE SET number = excluded.number, at = excluded.at;"
        )


@dataclass(slots=True)
class Witnesses:
    """Those of one writer; `url` is the database's."""

    url: URL
    closing: bool = False
    _token: str = field(default_factory=lambda: secrets.token_hex(6))
    _names: int = 0
    _idle: list[str] = field(default_factory=list)
    _number: int = 0

    @contextmanager
    def take(self) -> Iterator[Witness]:
        """One whose row is nobody else's meanwhile."""
        if not self._idle:
            self._names += 1
            self._idle.append(f"{self._token}-{self._names}")
        name = self._idle.pop()
        self._number += 1
        try:
            yield Witness(name, self._number)
        finally:
            self._idle.append(name)

    async def was_stored(self, witness: Witness) -> bool:
        """Ask until the database knows, over connections of its own: those of the pool may be
        busy. Whatever else is answered is none. Raises `StoreUnavailable` where this writer is
        closed before: then it stays unknown."""
        told = False
        while not self.closing:
            try:
                stored = await self._ask(witness)
            except Exception as error:
                if not told and not is_lost(error):
                    told = True
                    said = str(error) or type(error).__name__
                    log.warning("what became of a commit is not known yet", extra={"error": said})
            else:
                if stored is not None:
                    return stored
            await asyncio.sleep(_ASK_AGAIN)
        raise StoreUnavailable(
            "the database was lost at a commit: nobody knows whether it is there"
        )

    async def _ask(self, witness: Witness) -> bool | None:
        """None: it may go on yet, but not for long."""
        connection = await asyncpg.connect(
            plain_url(self.url), timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS
        )
        try:
            session = witness.session
            if session is not None and await connection.fetchval(_END, session.pid, session.since):
                return None
            return bool(await connection.fetchval(_STORED, witness.writer, witness.number))
        finally:
            connection.terminate()


async def find_session(connection: Any) -> Session:  # noqa: ANN401
    """The session behind a connection of asyncpg's."""
    found = await connection.fetchrow(_WHO)
    return Session(*found)
