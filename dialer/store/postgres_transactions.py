"""Transactions on PostgreSQL: repeated where that is harmless, and never with an unknown end.

A transaction that lost its connection before COMMIT was said has stored nothing: it is repeated on
another one. Where the connection was lost at COMMIT itself the database is asked, as soon as it can
be, what became of that very transaction (`dialer.store.witnesses`): nobody is told anything before.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dialer.failpoints import failpoints
from dialer.store.failures import as_failure, find_state, is_lost, may_be_repeated
from dialer.store.witnesses import Session, Witness, Witnesses, find_session

R = TypeVar("R")

TRIES: Final = 6
"""How often one transaction is tried before its writer is told."""

_PAUSE: Final = 0.02
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"


class _Lost(Exception):
    """Nothing was stored, for the connection is gone."""


async def read(engine: AsyncEngine, ask: Callable[[AsyncConnection], Awaitable[R]]) -> R:
    """What `ask` answers, on a connection of the engine; on another one where the first is lost.
    Raises `StoreUnavailable`."""
    for left in reversed(range(TRIES)):
        try:
            async with engine.connect() as connection:
                try:
                    return await ask(connection)
                except BaseException as error:
                    if not isinstance(error, Exception) or is_lost(error):
                        await connection.invalidate()
                    raise
        except Exception as error:
            if left and (is_lost(error) or may_be_repeated(error)):
                await asyncio.sleep(_PAUSE * (TRIES - left) * random.random())  # noqa: S311
                continue
            failure = as_failure(error)
            if failure is error:
                raise
            raise failure from error
    raise AssertionError("the last try answers or raises")


class Transactions:
    """Runs bodies in transactions of an engine's connections."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._witnesses = Witnesses(engine.url)
        self._sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()

    async def close(self) -> None:
        """What is still unknown is given up."""
        self._witnesses.closing = True
        await self._engine.dispose()

    async def run(
        self, body: Callable[[Connection], R], name: str, locks: str = "", last: str = ""
    ) -> R:
        """What `body` returns, once it is on disk. `locks`: statements for the beginning, each with
        a `;` before it; `last`: for the end, with one behind. Raises what `body` raises, and
        `StoreUnavailable`: then nothing was stored."""
        for left in reversed(range(TRIES)):
            try:
                return await self._once(body, name, locks, last)
            except _Lost as lost:
                if not left or self._witnesses.closing:
                    raise as_failure(lost.__cause__ or lost) from lost
            except Exception as error:
                if left and may_be_repeated(error):
                    continue
                failure = as_failure(error)
                if failure is error:
                    raise
                raise failure from error
            await asyncio.sleep(_PAUSE * (TRIES - left) * random.random())  # noqa: S311
        raise AssertionError("the last try answers or raises")

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Rows, read outside of any transaction. Raises `StoreUnavailable`."""

        async def ask(connection: AsyncConnection) -> list[Any]:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            return list(await driver.fetch(query, *values))

        return await read(self._engine, ask)

    async def _once(self, body: Callable[[Connection], R], name: str, locks: str, last: str) -> R:
        connection = await self._connect()
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with self._witnesses.take() as witness:
                try:
                    witness.session = await self._session_of(driver)
                    await driver.execute(f"{_BEGIN}{locks}")
                    result = await connection.run_sync(body)
                except BaseException as error:
                    await self._undo(connection, driver, error)
                    raise
                await self._commit(connection, driver, witness, name, last)
            return result
        finally:
            await connection.close()

    async def _session_of(self, driver: Any) -> Session:  # noqa: ANN401
        """Asked once for each connection."""
        session = self._sessions.get(driver)
        if session is None:
            session = self._sessions[driver] = await find_session(driver)
        return session

    async def _connect(self) -> AsyncConnection:
        try:
            return await self._engine.connect()
        except Exception as error:
            if is_lost(error):
                raise _Lost from error
            raise

    async def _undo(
        self,
        connection: AsyncConnection,
        driver: Any,  # noqa: ANN401
        error: BaseException,
    ) -> None:
        """Roll back; a connection of which that cannot be said goes. Raises `_Lost`."""
        if isinstance(error, Exception) and not is_lost(error):
            try:
                await driver.execute("ROLLBACK")
            except Exception:
                await connection.invalidate()
            else:
                if find_state(error) == "0A000":  # its plans are of before a migration
                    await connection.invalidate()
            return
        await connection.invalidate()
        if isinstance(error, Exception):
            raise _Lost from error

    async def _commit(
        self,
        connection: AsyncConnection,
        driver: Any,  # noqa: ANN401
        witness: Witness,
        name: str,
        last: str,
    ) -> None:
        if failpoints.armed:
            failpoints.reach(f"store.{name}.commit.before")
        try:
            said = await driver.execute(f"{witness.statement}{last}COMMIT")
        except Exception as error:
            await connection.invalidate()
            if not is_lost(error):
                raise
            if not await self._witnesses.was_stored(witness):
                raise _Lost from error
        else:
            if said != "COMMIT":
                raise AssertionError(f"the database answered {said} to COMMIT")
        if failpoints.armed:
            failpoints.reach(f"store.{name}.commit.after")
