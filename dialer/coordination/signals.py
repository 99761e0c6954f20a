"""Wake-ups between processes, published over Redis.

The listeners of the own process are called at once, the others' within a round trip. What could not
be published is kept until it can be; whoever could not listen for a while is told
`configuration_changed`, for nobody knows what did.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from dialer.coordination.address import RedisAddress
from dialer.coordination.connection import Connection, RedisGone
from dialer.coordination.contract import Listener
from dialer.coordination.local import LocalSignals
from dialer.coordination.session import name_channel
from dialer.coordination.timing import Timing
from dialer.errors import CoordinationUnavailable

MOST = 5_000
"""Queues named in one message; more are told as a changed configuration."""


@dataclass(slots=True)
class News:
    """What is to be told: each thing once, however often it happened."""

    items: set[int] = field(default_factory=set)
    queues: set[int] = field(default_factory=set)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.items or self.queues or self.everything)

    def write(self) -> str:
        if self.everything or len(self.items) + len(self.queues) > MOST:
            return "*"
        words = [f"i{queue}" for queue in sorted(self.items)]
        return " ".join(words + [f"q{queue}" for queue in sorted(self.queues)])

    def add(self, other: "News") -> None:
        self.items |= other.items
        self.queues |= other.queues
        self.everything = self.everything or other.everything


def pass_on(message: str, signals: LocalSignals) -> None:
    """Tell what `News.write` wrote; a word of a newer version may mean anything."""
    for word in message.split():
        kind, queue = word[0], word[1:]
        if kind == "i" and queue.isdigit():
            signals.items_added(int(queue))
        elif kind == "q" and queue.isdigit():
            signals.queue_changed(int(queue))
        else:
            signals.clients_changed()


class RedisSignals:
    """`dialer.coordination.contract.Signals`. `run` publishes and listens until it is cancelled;
    `close` publishes what is left, also where nothing ran (a command)."""

    def __init__(self, address: RedisAddress, timing: Timing | None = None) -> None:
        self._address, self._timing = address, timing or Timing()
        self._channel = name_channel(address, "signals")
        self._sender = uuid4().hex
        self._local = LocalSignals()
        self._news = News()
        self._told = asyncio.Event()
        self._connection: Connection | None = None
        self.listening = asyncio.Event()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._local.subscribe(listener)

    def items_added(self, queue_id: int) -> None:
        self._local.items_added(queue_id)
        self._news.items.add(queue_id)
        self._told.set()

    def queue_changed(self, queue_id: int) -> None:
        self._local.queue_changed(queue_id)
        self._news.queues.add(queue_id)
        self._told.set()

    def clients_changed(self) -> None:
        self._local.clients_changed()
        self._news.everything = True
        self._told.set()

    async def open(self) -> None:
        """Raises `CoordinationUnavailable` when Redis cannot be reached at the start."""
        try:
            self._connection = await Connection.open(self._address, self._timing.timeout)
        except RedisGone as error:
            raise CoordinationUnavailable(
                f"Redis at {self._address} cannot be used: {error}"
            ) from None

    async def run(self) -> None:
        """Until cancelled; never raises for a Redis that is gone."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_all())
            tasks.create_task(self._listen())

    async def close(self) -> None:
        """What is left is published if that is possible now."""
        with contextlib.suppress(RedisGone):
            await self._publish()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _publish_all(self) -> None:
        while True:
            await self._told.wait()
            try:
                await self._publish()
            except RedisGone:
                await asyncio.sleep(self._timing.retry)

    async def _publish(self) -> None:
        """Raises `RedisGone`: nothing is forgotten then."""
        if not self._news:
            self._told.clear()
            return
        if self._connection is None or self._connection.lost.is_set():
            self._connection = await Connection.open(self._address, self._timing.timeout)
        news, self._news = self._news, News()
        self._told.clear()
        try:
            await self._connection.ask("PUBLISH", self._channel, f"{self._sender} {news.write()}")
        except BaseException:
            self._news.add(news)
            self._told.set()
            raise

    async def _listen(self) -> None:
        while True:
            try:
                connection = await Connection.open(self._address, self._timing.timeout)
                await connection.listen([self._channel], self._hear)
            except RedisGone:
                self.listening.clear()
                await asyncio.sleep(self._timing.retry)

    def _hear(self, message: str) -> None:
        sender, _, news = message.partition(" ")
        if not message:
            self.listening.set()
        if sender == self._sender:
            return
        pass_on(news or "*", self._local)
