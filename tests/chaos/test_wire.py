"""The witness on the wire: what it reads of both directions, and that it passes everything on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ami.simulator import Simulator, SimulatorConfig
from chaos.wire import Log, Proxy, read_wire
from tests.patience import PATIENCE

ORIGINATE = (
    b"Action: Originate\r\nActionID: act-1\r\nChannel: PJSIP/70012@carrier\r\n"
    b"ChannelId: Call-1\r\n\r\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wire.jsonl"


@pytest.fixture
def log(file: Path) -> Iterator[Log]:
    log = Log(file)
    yield log
    log.close()


def test_originates_are_logged_whole_or_not(file: Path, log: Log) -> None:
    log.see_action(1, b"Action: Login\r\nUsername: x\r\n\r\n")
    log.see_action(1, ORIGINATE)
    log.see_action(1, ORIGINATE[:60], whole=False)
    first, second = read_wire(file, 0).originates
    assert (first.channel_id, first.action_id, first.number, first.whole, first.connection) == (
        *("Call-1", "act-1", "70012", True, 1),
    )
    assert not second.whole


def test_what_the_dialer_is_told_of_its_calls(file: Path, log: Log) -> None:
    log.see_action(1, ORIGINATE)
    log.see_told(1, b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
    for state, channel in (("Ring", "Call-1"), ("Up", "other"), ("Up", "Call-1")):
        text = f"Event: Newstate\r\nChannelStateDesc: {state}\r\nUniqueid: {channel}\r\n\r\n"
        log.see_told(1, text.encode())
    log.see_told(1, b"Event: Hangup\r\nUniqueid: Call-1\r\n\r\n")
    log.see_told(1, b"Event: Hangup\r\nUniqueid: other\r\n\r\n")
    wire = read_wire(file, 4)
    assert [login.connection for login in wire.logins] == [1]
    assert [told.channel_id for told in wire.answered] == ["Call-1"]
    assert [told.channel_id for told in wire.ended] == ["Call-1"]
    assert wire.most_live == 4


def test_live_calls_are_counted_by_their_channels(log: Log) -> None:
    log.see_action(1, ORIGINATE)
    for event in ("Newchannel", "Newchannel", "Hangup"):
        log.see_truth(f"Event: {event}\r\nUniqueid: Call-1\r\n\r\n".encode())
        log.see_truth(f"Event: {event}\r\nUniqueid: other\r\n\r\n".encode())
    assert (log.live, log.most_live) == (set(), 1)


async def test_everything_is_passed_on(file: Path, log: Log) -> None:
    simulator = Simulator(SimulatorConfig())
    await simulator.start()
    loop = asyncio.get_running_loop()
    proxy = Proxy(log, "127.0.0.1", simulator.port)
    server = await loop.create_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"Action: Login\r\nUsername: dialer\r\nSecret: dialer-lab\r\n\r\n")
    writer.write(b"Action: Ping\r\nActionID: x\r\n\r\n" + ORIGINATE[:50])
    async with asyncio.timeout(PATIENCE):
        said = await reader.readuntil(b"Ping: Pong")
    assert said.startswith(b"Asterisk Call Manager/")
    writer.close()
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() is not None
    server.close()
    await simulator.stop()
    wire = read_wire(file, 0)
    assert len(wire.logins) == 1
    assert [originate.whole for originate in wire.originates] == [False]


async def test_a_cut_ends_both_sides(log: Log) -> None:
    simulator = Simulator(SimulatorConfig())
    await simulator.start()
    proxy = Proxy(log, "127.0.0.1", simulator.port)
    server = await asyncio.get_running_loop().create_server(proxy.accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    async with asyncio.timeout(PATIENCE):
        await reader.readline()
        proxy.cut()
        assert await reader.read() == b""
    writer.close()
    server.close()
    await simulator.stop()


class TellingLog(Log):
    """Tells what it notes."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.noted: asyncio.Queue[str] = asyncio.Queue()

    def note(self, what: str, **fields: object) -> None:
        super().note(what, **fields)
        self.noted.put_nowait(what)


async def test_who_ended_a_connection_is_noted_and_what_still_left_is_read(file: Path) -> None:
    """The far end goes first; the dialer writes an Originate before it hears of it, and goes."""
    log = TellingLog(file)
    loop = asyncio.get_running_loop()
    far_ends: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n")
        far_ends.put_nowait(writer)

    asterisk = await asyncio.start_server(greet, "127.0.0.1", 0)
    proxy = Proxy(log, *asterisk.sockets[0].getsockname())
    server = await loop.create_server(proxy.accept, "127.0.0.1", 0)
    async with asyncio.timeout(PATIENCE):
        for leave in ("asterisk", "dialer"):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await reader.readline()
            far = await far_ends.get()
            if leave == "asterisk":
                far.transport.abort()
                assert await reader.read() == b""
                writer.write(ORIGINATE)
            writer.close()
            await writer.wait_closed()
            assert await log.noted.get() == "lost"
            far.close()
            if leave == "asterisk":
                assert await log.noted.get() == "originate"
    server.close()
    asterisk.close()
    log.close()
    wire = read_wire(file, 0)
    assert [(loss.connection, loss.by) for loss in wire.losses] == [(1, "asterisk"), (2, "dialer")]
    assert [originate.channel_id for originate in wire.originates] == ["Call-1"]


async def test_a_dead_asterisk_is_a_dead_connection(log: Log) -> None:
    loop = asyncio.get_running_loop()
    closed = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    server = await loop.create_server(Proxy(log, "127.0.0.1", port).accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    async with asyncio.timeout(PATIENCE):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()
    server.close()
