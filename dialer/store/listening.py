"""What other processes say through PostgreSQL: LISTEN, and whether any worker lives.

A session of its own. It listens, holds the claim (an advisory lock, shared among workers, that ends
with the session), and is asked a question every few seconds: an answer that does not come means
that the session is lost. After each new one everything may have changed.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg

from dialer.errors import StoreUnavailable
from dialer.store.access import Topic
from dialer.store.failures import as_failure, is_fatal

log = logging.getLogger(__name__)

CHANNEL: Final = "dialer"
CLAIM: Final = 7_243_002
"""The number of the advisory lock that every worker shares."""

LOOK_EVERY: Final = 5.0
_PATIENCE: Final = 5.0
_RECONNECT: Final = (0.1, 2.0)
# Words of one moment are one; words of ours are said so often at most.
GATHER: Final = 0.02
SAY_EVERY: Final = 0.05
_CLAIMED: Final = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND objsubid = 1
  AND classid = 0 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


_CLAIM: Final = f"SELECT pg_advisory_lock_shared({CLAIM})"


class Listener:
    """`heard` is called in the event loop with the topics of a moment, those of others alone.
    `trouble`: why the database cannot be reached; None: it can, or that is being found out."""

    def __init__(self, url: str, heard: Callable[[frozenset[Topic]], None]) -> None:
        self._url, self._heard = url, heard
        self._token = secrets.token_hex(6)
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()  # one statement of the session at a time
        self._task: asyncio.Task[None] | None = None
        self._holds_claim = False
        self.is_claimed = False
        self.trouble: str | None = None
        self._topics: set[Topic] = set()
        self._to_say: set[Topic] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._saying: asyncio.Task[None] | None = None
        self._last_said = 0.0

    async def open(self) -> None:
        """Raises `StoreUnavailable`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._connect()
        except Exception as error:
            if is_fatal(error):
                raise as_failure(error) from error
            raise
        self._task = self._loop.create_task(self._keep())

    async def close(self) -> None:
        for task in (self._task, self._saying):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._timer is not None:
            self._timer.cancel()
        await self._disconnect()

    async def claim(self) -> None:
        """Be one of the workers. Raises `StoreUnavailable`."""
        async with self._turn:
            if self._connection is None:
                raise StoreUnavailable("the database could not be reached")
            try:
                await self._connection.execute(_CLAIM, timeout=_PATIENCE)
            except Exception as error:
                if is_fatal(error):
                    raise as_failure(error) from error
                raise
        self._holds_claim = self.is_claimed = True

    def statement(self, topic: Topic) -> str:
        """Tells others, as part of a transaction and only if that is stored."""
        return f"NOTIFY {CHANNEL}, '{self._token} {topic.value}';"

    def say(self, topic: Topic) -> None:
        """Tell others soon, outside any transaction: a NOTIFY within one makes commits wait for
        each other."""
        self._to_say.add(topic)
        if self._saying is None or self._saying.done():
            self._saying = self._loop.create_task(self._say())

    async def _say(self) -> None:
        await asyncio.sleep(max(0.0, self._last_said + SAY_EVERY - self._loop.time()))
        while self._to_say and self._connection is not None:
            said = "".join(map(self.statement, self._to_say))
            self._to_say.clear()
            self._last_said = self._loop.time()
            try:
                async with self._turn:
                    await self._connection.execute(said, timeout=_PATIENCE)
            except Exception as error:
                # The session is lost; whoever waits looks by himself every few seconds.
                log.info("a word to others was lost", extra={"error": str(error)})
                return
            if self._to_say:
                await asyncio.sleep(SAY_EVERY)

    def _hear(self, _: object, __: int, ___: str, payload: object) -> None:
        token, _space, word = str(payload).partition(" ")
        if token == self._token or word not in set(Topic):
            return
        self._gather(Topic(word))

    def _gather(self, topic: Topic) -> None:
        if not self._topics:
            self._timer = self._loop.call_later(GATHER, self._tell)
        self._topics.add(topic)

    def _tell(self) -> None:
        topics = frozenset(self._topics)
        self._topics.clear()
        self._heard(topics)

    async def _keep(self) -> None:
        """Look whether the session lives; make a new one where it does not."""
        pause = _RECONNECT[0]
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    log.warning("the database tells what others write again")
                    self._gather(Topic.CHANGES)
                    self._gather(Topic.DELIVERIES)
                lost = self._lost
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), LOOK_EVERY)
                if lost.is_set():
                    raise ConnectionError("the session ended")
                await self._look()
                pause = _RECONNECT[0]
            except Exception as error:
                why = str(error) or type(error).__name__
                if self._connection is None or isinstance(error, TimeoutError):
                    self.trouble = why  # a session alone may have been ended
                if self._connection is not None:
                    said = {"error": why}
                    log.warning("what others write is not told: the database was lost", extra=said)
                await self._disconnect()
                await asyncio.sleep(pause * (1 + random.random()))  # noqa: S311
                pause = min(2 * pause, _RECONNECT[1])

    async def _connect(self) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=_PATIENCE, server_settings={"application_name": "dialer listening"}
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            if self._holds_claim:
                await connection.execute(_CLAIM, timeout=_PATIENCE)
            await connection.add_listener(CHANNEL, self._hear)
            self.is_claimed = await connection.fetchval(_CLAIMED, CLAIM, timeout=_PATIENCE)
        except BaseException:
            connection.terminate()
            raise
        self._connection, self._lost, self.trouble = connection, lost, None

    async def _look(self) -> None:
        async with self._turn:
            assert self._connection is not None
            found: Any = await self._connection.fetchval(_CLAIMED, CLAIM, timeout=_PATIENCE)
        self.is_claimed = bool(found)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=1.0)
        except (Exception, asyncio.CancelledError):
            connection.terminate()
