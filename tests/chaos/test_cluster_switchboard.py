"""Routes pass everything on, until they are cut or hung."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from chaos.cluster.switchboard import Way, Ways, serve_switchboard
from chaos.witness_process import run_witness
from tests.patience import PATIENCE

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with run_witness(serve_switchboard) as witness:
        yield Ways(witness)


class Echo(asyncio.Protocol):
    """Says what it hears in capitals. `over` is done when its connection has ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heard.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


heard: list[Echo] = []
"""Every end of a connection that got through, until the test is over."""


async def listen() -> tuple[asyncio.Server, int]:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    server, port = await listen()
    yield port
    server.close()
    while heard:
        ended = heard.pop()
        ended.transport.abort()
        await ended.over


class Talk:
    """A connection through a way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, line: bytes) -> None:
        self.writer.write(line)

    async def hear(self) -> bytes:
        """One line; nothing where the connection was ended."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.readline()
            except ConnectionError:
                return b""

    async def ask(self, line: bytes) -> bytes:
        self.say(line)
        return await self.hear()

    async def end(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


Begin = Callable[[Way], Awaitable[Talk]]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    talks: list[Talk] = []

    async def connect(way: Way) -> Talk:
        talks.append(Talk(*await asyncio.open_connection("127.0.0.1", way.port)))
        return talks[-1]

    yield connect
    for talk in talks:
        await talk.end()


async def test_a_way_goes_on_to_its_target(ways: Ways, echo: int, begin: Begin) -> None:
    talk = await begin(ways.open(("127.0.0.1", echo)))
    assert await talk.ask(b"one\n") == b"ONE\n"
    talk.writer.write_eof()
    assert await talk.hear() == b""


async def test_a_cut_way_ends_connections_and_takes_none(
    ways: Ways, echo: int, begin: Begin
) -> None:
    way = ways.open(("127.0.0.1", echo))
    talk = await begin(way)
    assert await talk.ask(b"one\n") == b"ONE\n"
    way.cut()
    assert await talk.hear() == b""
    refused = await begin(way)
    assert await refused.hear() == b""
    way.heal()
    assert await (await begin(way)).ask(b"two\n") == b"TWO\n"


async def test_what_a_hung_way_held_arrives_when_it_is_healed(
    ways: Ways, echo: int, begin: Begin
) -> None:
    way = ways.open(("127.0.0.1", echo))
    talk = await begin(way)
    assert await talk.ask(b"one\n") == b"ONE\n"
    way.hang()
    talk.say(b"two\n")
    later = await begin(way)
    later.say(b"three\n")
    beside = await begin(ways.open(("127.0.0.1", echo)))
    assert await beside.ask(b"sooner\n") == b"SOONER\n"
    heard = [asyncio.ensure_future(each.hear()) for each in (talk, later)]
    done, _ = await asyncio.wait(heard, timeout=0.1)
    assert not done
    way.heal()
    assert await asyncio.gather(*heard) == [b"TWO\n", b"THREE\n"]


async def test_who_left_a_hung_way_is_missed_when_it_is_healed(
    ways: Ways, echo: int, begin: Begin
) -> None:
    way = ways.open(("127.0.0.1", echo))
    talk = await begin(way)
    assert await talk.ask(b"one\n") == b"ONE\n"
    (far,) = heard
    way.hang()
    await talk.end()
    done, _ = await asyncio.wait({far.over}, timeout=0.1)
    assert not done
    way.heal()
    await asyncio.wait_for(far.over, PATIENCE)


async def test_what_a_reset_way_held_is_lost(ways: Ways, echo: int, begin: Begin) -> None:
    way = ways.open(("127.0.0.1", echo))
    talk = await begin(way)
    assert await talk.ask(b"one\n") == b"ONE\n"
    way.hang()
    talk.say(b"two\n")
    way.reset()
    way.heal()
    assert await talk.hear() == b""


async def test_connections_go_to_the_next_target_that_takes_them(
    ways: Ways, echo: int, begin: Begin
) -> None:
    closed, port = await listen()
    closed.close()
    await closed.wait_closed()
    way = ways.open()
    assert await (await begin(way)).hear() == b""
    way.aim(("127.0.0.1", port), ("127.0.0.1", echo))
    for _ in range(3):
        assert await (await begin(way)).ask(b"one\n") == b"ONE\n"
