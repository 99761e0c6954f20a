"""A tiny AMI client on a bare socket, independent of the product: the tests' own eyes."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE

Fields = Iterable[tuple[str, str]]

"""Seconds that anything in the lab may take (but for what a caller says itself)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One AMI message: its headers in order, names as Asterisk spells them."""

    headers: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """The first header of that name, "" where there is none."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def event(self) -> str:
        return self["Event"]


def serialize_action(name: str, headers: Fields) -> bytes:
    """The action's bytes, in the order given, with the empty line at the end."""
    lines = [("Action", name), *headers]
    return "".join(f"{key}: {value}\r\n" for key, value in lines).encode() + b"\r\n"


def parse_message(block: bytes) -> Message:
    """A block without its empty line; lines without a colon (a banner) are dropped."""
    pairs = (line.partition(":") for line in block.decode().split("\r\n"))
    return Message(tuple((key, value.strip()) for key, colon, value in pairs if colon))


@dataclass(slots=True)
class RawAmi:
    """One logged-in (or not) session. `received` and `sent` hold every byte since `forget()`;
    `recorder` is told of all bytes as they come (True) and as they are written (False)."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    messages: list[Message] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    closed: bool = False
    recorder: Callable[[bool, bytes], None] | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _pump: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, host: str, port: int, recorder: Callable[[bool, bytes], None] | None = None
    ) -> Self:
        """Raises OSError where nobody listens."""
        session = cls(*await asyncio.open_connection(host, port), recorder=recorder)
        session._pump = asyncio.create_task(session._read())
        return session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])

    async def _read(self) -> None:
        tail = b""
        while chunk := await self.reader.read(65536):
            self.received += chunk
            if self.recorder is not None:
                self.recorder(True, chunk)
            *blocks, tail = (tail + chunk).split(b"\r\n\r\n")
            async with self._changed:
                self.messages += [parse_message(block) for block in blocks]
                self._changed.notify_all()
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    def send(self, name: str, headers: Mapping[str, str] | Fields) -> None:
        """Writes an action and waits for nothing."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        data = serialize_action(name, pairs)
        self.sent += data
        if self.recorder is not None:
            self.recorder(False, data)
        self.writer.write(data)

    async def until(self, met: Callable[[Self], bool], patience: float = PATIENCE) -> None:
        """Waits until `met(self)`, asked after every chunk. Raises TimeoutError."""
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(lambda: met(self))

    async def first(self, met: Callable[[Message], bool], patience: float = PATIENCE) -> Message:
        """The first message, past or to come, that meets the condition. Raises TimeoutError."""
        await self.until(lambda session: any(map(met, session.messages)), patience)
        return next(filter(met, self.messages))

    async def ask(self, name: str, headers: Mapping[str, str]) -> Message:
        """Sends an action that carries an ActionID and gives its response."""
        self.send(name, headers)
        wanted = headers["ActionID"]
        return await self.first(lambda m: bool(m["Response"]) and m["ActionID"] == wanted)

    async def login(self, username: str, secret: str) -> Message:
        """Logs in and waits for FullyBooted where that worked; gives the login's response."""
        headers = {"ActionID": "login", "Username": username, "Secret": secret}
        response = await self.ask("Login", headers)
        if response["Response"] == "Success":
            await self.first(lambda m: m.event == "FullyBooted")
        return response

    def forget(self) -> None:
        """Empties `messages`, `received` and `sent`."""
        self.messages.clear()
        self.received.clear()
        self.sent.clear()
