"""A server on 127.0.0.1 that does what a test tells it: the other end of one AMI link."""

import asyncio
import socket
import ssl
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE


class Peer:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def take(self, name: str | None = None) -> dict[str, str]:
        """The next action, as header → value; `name`: what it must be."""
        async with asyncio.timeout(PATIENCE):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        action = dict(line.split(": ", 1) for line in text.split("\r\n") if line)
        if name is not None:
            assert action["Action"] == name, f"{action['Action']} came, not {name}"
        return action

    def send(self, text: str | bytes) -> None:
        """`text` with LF for line ends, or raw bytes."""
        data = text.replace("\n", "\r\n").encode() if isinstance(text, str) else text
        self.writer.write(data)

    def answer(self, action: dict[str, str], response: str = "Success", **headers: str) -> None:
        lines = [f"Response: {response}", f"ActionID: {action['ActionID']}"]
        lines += [f"{header}: {value}" for header, value in headers.items()]
        self.send("\n".join(lines) + "\n\n")

    def refuse(self, action: dict[str, str], message: str) -> None:
        self.answer(action, "Error", Message=message)

    async def log_in(self, *, booted: bool = True) -> dict[str, str]:
        """Greets, accepts the login, and says that it has booted; returns the Login."""
        self.send("Asterisk Call Manager/11.0.0\n")
        login = await self.take("Login")
        self.answer(login, Message="Authentication accepted")
        if booted:
            self.send("Event: FullyBooted\nStatus: Fully Booted\n\n")
        return login

    async def come_up(self, startup: str = "2026-08-01 10:00:00") -> dict[str, str]:
        """The whole way to a link that is up; returns the Login."""
        login = await self.log_in()
        await self.report_status(startup)
        return login

    async def report_status(self, startup: str = "2026-08-01 10:00:00") -> None:
        date, _, time = startup.partition(" ")
        self.answer(
            await self.take("CoreStatus"),
            CoreStartupDate=date,
            CoreStartupTime=time,
            CoreCurrentCalls="3",
        )

    async def end(self) -> bytes:
        """Waits for the other side's end; returns what came before it."""
        data = bytearray()
        try:
            async with asyncio.timeout(PATIENCE):
                while chunk := await self.reader.read(65536):
                    data += chunk
        except ConnectionError:
            pass
        return bytes(data)

    def stop_reading(self) -> None:
        self._transport().pause_reading()

    def read_on(self) -> None:
        self._transport().resume_reading()

    def cut(self) -> None:
        """Ends the connection with no more words."""
        self.writer.transport.abort()

    def _transport(self) -> asyncio.Transport:
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        return transport


class ScriptedServer:
    """Listens while it is open. `narrow`: connections that hold little unread data."""

    def __init__(self, *, narrow: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        if narrow:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._tls = tls
        self.peers: list[Peer] = []
        self._waiting: asyncio.Queue[Peer] = asyncio.Queue()
        self.port: int = self._listener.getsockname()[1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._welcome, sock=self._listener, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for peer in self.peers:
            peer.cut()

    async def accept(self) -> Peer:
        """The next connection."""
        async with asyncio.timeout(PATIENCE):
            return await self._waiting.get()

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self.peers)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        self._waiting.put_nowait(peer)
