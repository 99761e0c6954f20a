"""A TCP proxy in front of an AMI, in a process of its own: notes when slots are freed and taken.

A slot is free from the last byte of a Hangup of one of our channels (its Uniqueid is a ChannelId
that an Originate named) until the first byte of the next Originate.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

_CHANNEL_ID = re.compile(rb"^ChannelId: ?(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_UNIQUEID = re.compile(rb"^Uniqueid: ?(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Slots:
    """Seconds that each freed slot was idle: the one freed first is taken first."""

    idle: list[float] = field(default_factory=list)
    _ours: set[bytes] = field(default_factory=set)
    _freed: deque[float] = field(default_factory=deque)

    def see_action(self, action: bytes, at: float) -> None:
        if not action.startswith(b"Action: Originate"):
            return
        named = _CHANNEL_ID.search(action)
        if named is not None:
            self._ours.add(named[1])
        if self._freed:
            self.idle.append(at - self._freed.popleft())

    def see_event(self, event: bytes, at: float) -> None:
        if not event.startswith(b"Event: Hangup\r"):
            return
        channel = _UNIQUEID.search(event)
        if channel is not None and channel[1] in self._ours:
            self._ours.discard(channel[1])
            self._freed.append(at)


class _Side(asyncio.Protocol):
    """One end of a tapped connection: passes bytes on, then looks at the messages in them."""

    def __init__(self, see: Any) -> None:  # noqa: ANN401
        self._see = see
        self._rest = b""
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def join(self, other: "_Side") -> None:
        self.other, other.other = other, self
        for side in (self, other):
            early, side._early = side._early, []
            for data in early:
                side.data_received(data)

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        if self.other is None or self.other.transport is None:
            self._early.append(data)
            return
        self.other.transport.write(data)
        *messages, self._rest = (self._rest + data).split(_END)
        for message in messages:
            self._see(message, at)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def _serve(pipe: "Connection[Any, Any]", port: int) -> None:
    loop = asyncio.get_running_loop()
    slots = Slots()
    joining: set[asyncio.Task[None]] = set()

    async def join(near: _Side) -> None:
        far = _Side(lambda message, at: slots.see_event(message, at))
        await loop.create_connection(lambda: far, "127.0.0.1", port)
        near.join(far)

    def accept() -> _Side:
        near = _Side(lambda message, at: slots.see_action(message, at))
        joining.add(loop.create_task(join(near)))
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    while await loop.run_in_executor(None, pipe.recv) == "collect":
        pipe.send(slots.idle)
        slots = Slots()
    server.close()


def _main(pipe: "Connection[Any, Any]", port: int) -> None:
    asyncio.run(_serve(pipe, port))


@dataclass(frozen=True, slots=True)
class Tap:
    """Where it listens. `collect` gives the idle times since the last time, in seconds, sorted."""

    port: int
    pipe: "Connection[Any, Any]"

    def collect(self) -> list[float]:
        self.pipe.send("collect")
        return sorted(self.pipe.recv())


@contextmanager
def run_tap(port: int) -> Iterator[Tap]:
    """A tap in front of the AMI at 127.0.0.1:`port`."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, port), daemon=True)
    process.start()
    try:
        yield Tap(ours.recv(), ours)
    finally:
        ours.send("end")
        process.join(5)
        if process.is_alive():
            process.kill()
