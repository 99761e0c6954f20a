"""The ways between the parts: TCP routes through a process of their own, each of which can be cut,
hung and healed.

A route has one or more targets: a new connection goes to the next of those that take one, as a
load balancer does it. Cut: connections are reset, and new ones as soon as they come. Hung: nothing
gets through and nobody is told, as when cables are pulled; healed, what was sent meanwhile
arrives, as TCP's repetitions do. Reset ends the connections that are there, and what they held
is gone.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable, Sequence
from typing import Final

from chaos.witness_process import Pipe, Witness

LIMIT: Final = 1 << 20
"""Bytes that wait for a peer before its other side is not read any more."""


class Half(asyncio.Protocol):
    """One end of a connection through a route. `begun` is called when it is there."""

    def __init__(self, route: "Route", begun: Callable[["Half"], None] = lambda _: None) -> None:
        self._route, self._begun = route, begun
        self._waiting: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(LIMIT)
        self._route.halves.add(self)
        self._begun(self)

    def data_received(self, data: bytes) -> None:
        self._waiting.append(data)
        self.pass_on()

    def pass_on(self) -> None:
        """All that may go on goes on. What waits while the route is hung waits in order."""
        if self._route.hung or self.other is None or self.other.transport is None:
            return
        waiting, self._waiting = self._waiting, []
        if not self.other.transport.is_closing():
            self.other.transport.write(b"".join(waiting))

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._route.halves.discard(self)
        self.close_other()

    def close_other(self) -> None:
        """The other side hears of it, unless nothing gets through."""
        other = self.other
        if other is None or other.transport is None or self._route.hung:
            return
        self.pass_on()
        other.transport.close()


class Route:
    """One way. `targets` may be changed at any time; connections that are there stay."""

    def __init__(self, targets: Sequence[tuple[str, int]]) -> None:
        self.targets = tuple(targets)
        self.cut = self.hung = False
        self.halves: set[Half] = set()
        self._turn = itertools.count()
        self._joining: set[asyncio.Task[None]] = set()
        self._held: list[Half] = []

    def accept(self) -> Half:
        return Half(self, self._begin)

    def _begin(self, near: Half) -> None:
        task = asyncio.get_running_loop().create_task(self._join(near))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, near: Half) -> None:
        if self.hung and not self.cut:
            self._held.append(near)
            return
        far = None if self.cut else await self._reach()
        if near.transport is None or near.transport.is_closing() or far is None or self.cut:
            for half in (near, far):
                if half is not None and half.transport is not None:
                    half.transport.abort()
            return
        near.other, far.other = far, near
        near.pass_on()
        far.pass_on()

    async def _reach(self) -> Half | None:
        targets = self.targets
        first = next(self._turn)
        for number in range(len(targets)):
            host, port = targets[(first + number) % len(targets)]
            try:
                _, far = await asyncio.get_running_loop().create_connection(
                    lambda: Half(self), host, port
                )
            except OSError:
                continue
            return far
        return None

    def reset(self) -> None:
        for half in tuple(self.halves):
            if half.transport is not None:
                half.transport.abort()
        self._held.clear()

    def set(self, *, cut: bool = False, hung: bool = False) -> None:
        """How it is from now on."""
        was_hung, self.cut, self.hung = self.hung, cut, hung
        if cut:
            self.reset()
        elif was_hung and not hung:
            self._resume()

    def _resume(self) -> None:
        for half in tuple(self.halves):
            half.pass_on()
            # One whose peer left meanwhile is told so now.
            if half.other is not None and half.other not in self.halves:
                assert half.transport is not None
                half.other.close_other()
        held, self._held = self._held, []
        for near in held:
            self._begin(near)


class Switchboard:
    """All routes. Orders are tuples: see `Ways`."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._servers: list[asyncio.Server] = []

    async def obey(self, order: tuple[object, ...]) -> object:
        """Raises `LookupError` for what nobody could mean."""
        match order:
            case ("open", tuple() as targets):
                return await self._open(targets)
            case ("aim", int() as number, tuple() as targets):
                self._routes[number].targets = targets
            case ("cut", int() as number):
                self._routes[number].set(cut=True)
            case ("hang", int() as number):
                self._routes[number].set(hung=True)
            case ("heal", int() as number):
                self._routes[number].set()
            case ("reset", int() as number):
                self._routes[number].reset()
            case _:
                raise LookupError(order)
        return None

    async def _open(self, targets: tuple[tuple[str, int], ...]) -> tuple[int, int]:
        route = Route(targets)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(route.accept, "127.0.0.1", 0, family=socket.AF_INET)
        self._routes.append(route)
        self._servers.append(server)
        return len(self._routes) - 1, server.sockets[0].getsockname()[1]


async def serve_switchboard(pipe: Pipe) -> None:
    """In its process: obeys orders until whoever gives them is gone."""
    loop = asyncio.get_running_loop()
    board = Switchboard()
    pipe.send("ready")
    while True:
        try:
            order = await loop.run_in_executor(None, pipe.recv)
        except EOFError:
            return
        pipe.send(await board.obey(order))


class Way:
    """A route, as the campaign holds it: `port` is where it begins."""

    def __init__(self, order: Callable[..., None], number: int, port: int) -> None:
        self._order, self._number, self.port = order, number, port

    def aim(self, *targets: tuple[str, int]) -> None:
        self._order("aim", self._number, targets)

    def cut(self) -> None:
        self._order("cut", self._number)

    def hang(self) -> None:
        self._order("hang", self._number)

    def heal(self) -> None:
        self._order("heal", self._number)

    def reset(self) -> None:
        self._order("reset", self._number)


class Ways:
    """The switchboard's process, as the campaign holds it."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def open(self, *targets: tuple[str, int]) -> Way:
        number, port = self._witness.ask(("open", targets))
        return Way(self._order, number, port)

    def _order(self, *order: object) -> None:
        self._witness.ask(order)
