"""One connection to Redis. The only importer of asyncio-redis (0.16, pinned).

A connection lives once: what fails on it (no answer in time, an error, the end of the socket) ends
it, and whoever wants to go on opens another. So each one stands for one server process and for one
order of requests, and reconnecting is decided in one place each (`dialer.coordination.session`,
`signals`).

Of the library stay the protocol's bytes, its pipelining and its subscriptions. Not used are its
reconnecting (it waits up to 60 s), its AUTH (it knows no user), its EVALSHA (it hides the error)
and its type checks.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, Self

from asyncio_redis import RedisProtocol
from asyncio_redis.encoders import BytesEncoder
from asyncio_redis.exceptions import Error, ErrorReply
from asyncio_redis.protocol import Subscription, _NoTransaction

from dialer.coordination.address import RedisAddress

PROBE: Final = 2.0
"""Seconds after which a listener asks whether Redis is still there."""


class RedisGone(Exception):
    """This connection is over, for the reason in its text. What was asked last may have been done,
    and may still be done later."""


class _Protocol(RedisProtocol):  # type: ignore[misc]  # the library has no types
    """The library's protocol, asked in bytes; `heard` is set by whatever arrives."""

    def __init__(self, lost: asyncio.Event) -> None:
        super().__init__(
            encoder=BytesEncoder(), connection_lost_callback=lost.set, enable_typechecking=False
        )
        self.heard = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard.set()
        super().data_received(data)

    async def ask(self, *words: bytes) -> object:
        return await self._query(_NoTransaction, *words)


class Connection:
    """`lost` is set when it is over. `timeout`: seconds for each answer."""

    def __init__(self, protocol: _Protocol, lost: asyncio.Event, timeout: float) -> None:
        self._protocol, self.lost, self._timeout = protocol, lost, timeout

    @classmethod
    async def open(cls, address: RedisAddress, timeout: float) -> Self:
        """Connect, log in and choose the database. Raises `RedisGone`."""
        lost = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                protocol = await _connect(address, lost)
        except TimeoutError:
            raise RedisGone(f"no connection within {timeout:g} s") from None
        except OSError as error:
            raise RedisGone(_reason(error)) from None
        connection = cls(protocol, lost, timeout)
        if address.password:
            user = [address.user] if address.user else []
            await connection.ask("AUTH", *user, address.password)
        if address.db:
            await connection.ask("SELECT", str(address.db))
        return connection

    async def ask(self, *words: str) -> bytes:
        """One request whose answer is one line or one text. Raises `RedisGone`, and the connection
        is over then."""
        if self.lost.is_set():
            raise RedisGone("the connection is lost")
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._protocol.ask(*(word.encode() for word in words))
        except TimeoutError:
            raise self._end(f"no answer within {self._timeout:g} s") from None
        except ErrorReply as error:
            raise self._end(f"it says {error}") from None
        except (Error, OSError) as error:
            raise self._end(_reason(error)) from None
        return answer if isinstance(answer, bytes) else str(answer).encode()

    async def listen(self, channels: Iterable[str], heard: Callable[[str], None]) -> NoReturn:
        """Subscribe, and pass on what is published there; nothing else can be asked any more.

        `heard("")` comes first: from then on nothing is missed while this lasts. Raises `RedisGone`
        when it is over, and when Redis does not confirm the subscription, which is asked for again
        and again to see that it is there."""
        names = [name.encode() for name in channels]
        reading: asyncio.Task[NoReturn] | None = None
        try:
            subscription = await self._protocol.start_subscribe()
            await self._subscribe(subscription, names)
            reading = asyncio.create_task(_pass_on(subscription, heard))
            heard("")
            while not await _is_set_within(self.lost, PROBE):
                await self._subscribe(subscription, names)
        except (Error, OSError) as error:
            raise RedisGone(_reason(error)) from None
        finally:
            if reading is not None:
                reading.cancel()
            self.close()
        raise RedisGone("the connection is lost")

    async def _subscribe(self, subscription: Subscription, names: list[bytes]) -> None:
        self._protocol.heard.clear()
        if self._protocol.transport is None:
            raise self._end("the connection is lost")
        await subscription.subscribe(names)
        if not await _is_set_within(self._protocol.heard, self._timeout):
            raise self._end(f"no answer within {self._timeout:g} s")

    def close(self) -> None:
        """End it at once; what was asked and not answered is not waited for."""
        self._end("closed")

    def _end(self, reason: str) -> RedisGone:
        """Not `transport.close`: that waits for a peer that may read nothing any more."""
        if self._protocol.transport is not None:
            self._protocol.transport.abort()
        self.lost.set()
        return RedisGone(reason)


async def _connect(address: RedisAddress, lost: asyncio.Event) -> _Protocol:
    loop = asyncio.get_running_loop()
    if address.path is not None:
        _, protocol = await loop.create_unix_connection(lambda: _Protocol(lost), address.path)
    else:
        _, protocol = await loop.create_connection(
            lambda: _Protocol(lost), address.host, address.port
        )
    return protocol


async def _pass_on(subscription: Subscription, heard: Callable[[str], None]) -> NoReturn:
    while True:
        heard((await subscription.next_published()).value.decode())


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _reason(error: Exception) -> str:
    """`OSError` without its number, and something where the library says nothing."""
    text = (error.strerror if isinstance(error, OSError) else str(error)) or ""
    return text if text and text != "None" else "the connection is lost"
