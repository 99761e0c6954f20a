"""The marks by which the database and a log of what left (`dialer.store.wire_log`) know each other.

Each log that is in use has one mark in `meta`. Where the database is another than the log was last
written for, because an older one was restored beside it, it does not have that mark.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, insert, select

from dialer.errors import StoreUnavailable
from dialer.store import reading
from dialer.store import tables as t
from dialer.store.rows import Raw
from dialer.store.wire_log import WireLog

log = logging.getLogger(__name__)

_PREFIX: Final = "wire/"


def kept_marks() -> Select[Any]:
    return select(t.meta.c.name).where(t.meta.c.name.startswith(_PREFIX, autoescape=True))


def replace_marks(connection: Connection, old: Iterable[str], new: str) -> None:
    gone = [_PREFIX + mark for mark in old]
    connection.execute(delete(t.meta).where(t.meta.c.name.in_(gone)))
    connection.execute(insert(t.meta).values(name=_PREFIX + new, value=b""))


class WireMarks:
    """Opens logs and renews their marks. `fetch` reads rows, `run` does something in a transaction
    of its own."""

    def __init__(
        self,
        fetch: Callable[[Select[Any]], Awaitable[list[Raw]]],
        run: Callable[[Callable[[Connection], None]], Awaitable[None]],
    ) -> None:
        self._fetch, self._run = fetch, run
        self._renewing: asyncio.Task[None] | None = None

    async def open(self, log: WireLog, distrust: Callable[[], None] = lambda: None) -> None:
        """`distrust` is called where the log was not written for this database, while that can
        still be told. Raises `StoreUnavailable` where the log cannot be written."""
        marks = [name.removeprefix(_PREFIX) for (name,) in await self._fetch(kept_marks())]
        if not log.open(await self._open_attempts(), marks):
            distrust()
        await self._renew(log)

    async def _open_attempts(self) -> set[str]:
        return {name for (name,) in await self._fetch(reading.open_channel_ids())}

    def renew_soon(self, log: WireLog) -> None:
        """It is full."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.ensure_future(self._shorten(log))

    async def _shorten(self, wire_log: WireLog) -> None:
        try:
            # Of calls that another worker took over nobody tells when they have ended.
            sent = wire_log.sent
            with wire_log.gather_sent() as again:
                ended = sent - await self._open_attempts()
            for name in ended - again:
                wire_log.forget(name)
            await self._renew(wire_log)
        except StoreUnavailable as error:
            wire_log.put_off()
            log.warning("the log of what left stays as it is", extra={"error": str(error)})

    async def _renew(self, wire_log: WireLog) -> None:
        old, new = wire_log.marks, wire_log.begin_renewal()
        try:
            await self._run(lambda connection: replace_marks(connection, old, new))
        except StoreUnavailable:  # then it goes on with all it has, and what it has stays true
            wire_log.put_off()
        else:
            wire_log.end_renewal()

    async def close(self) -> None:
        """Before the log is closed, and after the writer has stopped."""
        if self._renewing is not None:
            await asyncio.wait([self._renewing])
