"""aiohttp connectors for deliveries: the guard sits where the socket is made.

A check of the URL, or of what a name resolves to, leaves room for a name that answers differently
the next time. aiohttp's `socket_factory` is asked for every connection with the very address that
is connected to next, so nothing can change in between: literal addresses, odd spellings, names,
and every address of a name pass through it.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from dialer.delivery.address import check_address

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept; common servers close theirs after 60 or more."""

DNS_TTL: Final = 30
"""Seconds that a resolved name is believed."""

LOOKUPS: Final = 32
"""Name lookups under way at once. A name server that does not answer holds one of them for up to
half a minute; one lookup a name at a time is aiohttp's own rule."""

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
Lookup = Callable[[str, int, int], Sequence[AddressInfo]]


def open_connector(
    *, guarded: bool, write_timeout: float, lookup: Lookup | None = None
) -> TCPConnector:
    """A connector without limits of its own (the backlog has them). `guarded`: for callbacks,
    which may lead to public addresses only. `write_timeout`: seconds after which a connection ends
    whose other side does not take what is sent. Call inside the event loop."""
    make = make_guarded_socket if guarded else make_socket

    def make_limited(info: AddressInfo) -> socket.socket:
        made = make(info)
        limit_writes(made, write_timeout)
        return made

    return TCPConnector(
        limit=0,
        ttl_dns_cache=DNS_TTL,
        keepalive_timeout=KEEP_ALIVE,
        resolver=DaemonResolver(lookup or look_up),
        socket_factory=make_limited,
    )


def make_guarded_socket(info: AddressInfo) -> socket.socket:
    """The socket for a connection to `info`'s address. Raises `ForbiddenAddress`."""
    check_address(str(info[4][0]))
    return make_socket(info)


def make_socket(info: AddressInfo) -> socket.socket:
    """The socket for a connection to `info`'s address."""
    return socket.socket(*info[:3])


def limit_writes(made: socket.socket, seconds: float) -> None:
    """Have the system end a connection whose other side leaves what was sent without
    acknowledgement, or takes nothing, for so long (tcp(7), TCP_USER_TIMEOUT). aiohttp has no
    timeout for writing. Where the system does not know this, the whole try's timeout remains."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        made.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))


def look_up(host: str, port: int, family: int) -> Sequence[AddressInfo]:
    """The system's resolver. Blocks. Raises `OSError`."""
    return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)


class DaemonResolver(AbstractResolver):
    """Looks names up in daemon threads of its own.

    asyncio's default executor has few threads, is shared with everything else in the process, and
    is waited for at exit: a dead name server would hold up all three.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._room = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of `host`. Raises `OSError`."""
        async with self._room:
            infos = await self._run(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in infos
        ]

    async def close(self) -> None:
        """Nothing is held: a lookup under way ends by itself, unheard."""

    async def _run(self, host: str, port: int, family: int) -> Sequence[AddressInfo]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Sequence[AddressInfo]] = loop.create_future()

        def settle(infos: Sequence[AddressInfo], error: OSError | None) -> None:
            if result.done():
                return
            if error is None:
                result.set_result(infos)
            else:
                result.set_exception(error)

        def work() -> None:
            infos: Sequence[AddressInfo] = ()
            failure: OSError | None = None
            try:
                infos = self._lookup(host, port, family)
            except OSError as error:
                failure = error
            except UnicodeError:
                failure = OSError(f"{host!r} is not a host name")
            try:
                loop.call_soon_threadsafe(settle, infos, failure)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
                return

        threading.Thread(target=work, name=f"lookup {host}", daemon=True).start()
        return await result
