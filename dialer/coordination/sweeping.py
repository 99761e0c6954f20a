"""What Redis holds of this worker's servers is compared with what it holds itself, beside the signs
of life: a hundred servers on a slow way would make it look dead."""

import asyncio
from collections.abc import Iterable
from itertools import islice

from dialer.coordination.connection import RedisGone
from dialer.coordination.exchange import Exchange
from dialer.coordination.ledger import Ledger
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session

_AT_ONCE = 10
"""Servers that are read without waiting for one another."""


class Sweeper:
    """All that waits is swept once, also what is asked for while it sweeps."""

    def __init__(self, ledger: Ledger, exchange: Exchange) -> None:
        self._ledger, self._exchange = ledger, exchange
        self._waiting: dict[int, None] = {}
        self._task: asyncio.Task[None] | None = None

    def sweep(self, session: Session, server_ids: Iterable[int]) -> None:
        """Begin, over this session; with it a sweep ends. Raises what went wrong in the last one,
        our own bug."""
        self._waiting.update(dict.fromkeys(server_ids))
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._run(session))

    def stop(self) -> None:
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, session: Session) -> None:
        while self._waiting:
            servers = list(islice(self._waiting, _AT_ONCE))
            for server in servers:
                del self._waiting[server]
            try:
                await asyncio.gather(*(self._sweep(session, server) for server in servers))
            except RedisGone:
                return  # the session's keeper notices by itself; the next session sweeps all

    async def _sweep(self, session: Session, server: int) -> None:
        found = await session.run(Script.READ, f"on:{server}")
        if server not in self._ledger.adopted:
            return  # another's by now: what is counted there is not ours to judge
        listed = {channel: int(client) for channel, client in read_pairs(found)}
        difference = self._ledger.compare(server, listed, self._exchange.asking)
        for channel in difference.strays:
            self._ledger.doubt(channel, server)
            self._exchange.free(server, channel)
        for channel, slot in difference.missing.items():
            self._exchange.put(channel, slot)


def read_pairs(answer: str) -> list[tuple[str, str]]:
    """The lines of `lua/read.lua`, behind the state."""
    lines = answer.split("\n")[1:]
    return list(zip(lines[::2], lines[1::2], strict=False))
