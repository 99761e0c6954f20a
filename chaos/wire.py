"""The witness between dialer and Asterisk: a TCP proxy that logs every Originate to a file, and a
session of its own on the same AMI that counts which of those calls are live."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from chaos.records import Login, Loss, Originate, Told, Wire
from chaos.witness_process import Pipe, answer

_END: Final = b"\r\n\r\n"
_HEADER: Final = {
    name: re.compile(rb"^" + name.encode() + rb": ?(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
    for name in ("ChannelId", "ActionID", "Channel", "Account", "Uniqueid", "ChannelStateDesc")
}
_NUMBER: Final = re.compile(r"[^/]+/(?P<number>[^@/]+)")


def _header(message: bytes, name: str) -> str:
    found = _HEADER[name].search(message)
    return found[1].decode(errors="replace") if found else ""


class Log:
    """Writes what is seen, one JSON object a line, before it is passed on."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8", buffering=1)
        self.sent: set[str] = set()  # ChannelIds
        self.live: set[str] = set()
        self.most_live = 0

    def close(self) -> None:
        self._file.close()

    def note(self, what: str, **fields: object) -> None:
        self._file.write(json.dumps({"what": what, "at": time.time(), **fields}) + "\n")

    def see_action(self, connection: int, block: bytes, *, whole: bool = True) -> None:
        """Bytes of the dialer's up to an empty line, or, not whole, up to the end of it all."""
        if not block.startswith(b"Action: Originate\r\n"):
            return
        channel_id = _header(block, "ChannelId")
        found = _NUMBER.match(_header(block, "Channel"))
        self.sent.add(channel_id)
        self.note(
            "originate",
            connection=connection,
            channel_id=channel_id,
            action_id=_header(block, "ActionID"),
            number=found["number"] if found else "",
            whole=whole,
            account=_header(block, "Account"),
        )

    def see_told(self, connection: int, block: bytes) -> None:
        """What Asterisk tells the dialer."""
        if block.startswith(b"Event: Newstate\r\n"):
            channel_id = _header(block, "Uniqueid")
            if channel_id in self.sent and _header(block, "ChannelStateDesc") == "Up":
                self.note("answered", connection=connection, channel_id=channel_id)
        elif block.startswith(b"Event: Hangup\r\n"):
            channel_id = _header(block, "Uniqueid")
            if channel_id in self.sent:
                self.note("ended", connection=connection, channel_id=channel_id)
        elif b"Authentication accepted" in block:
            self.note("login", connection=connection)

    def see_truth(self, block: bytes) -> None:
        """What Asterisk tells us."""
        if block.startswith(b"Event: Newchannel\r\n"):
            channel_id = _header(block, "Uniqueid")
            if channel_id in self.sent:
                self.live.add(channel_id)
                self.most_live = max(self.most_live, len(self.live))
                self.note("began", channel_id=channel_id)
        elif block.startswith(b"Event: Hangup\r\n"):
            channel_id = _header(block, "Uniqueid")
            if channel_id in self.live:
                self.live.discard(channel_id)
                self.note("gone", channel_id=channel_id)


class _Side(asyncio.Protocol):
    """One end of a connection: looks at the messages in what comes, and passes it on. What one end
    does not take is not read from the other. `end` is called when this end is the first to go."""

    def __init__(
        self,
        see: Callable[[bytes], None],
        rest: Callable[[bytes], None],
        end: Callable[["_Side"], None],
        open_: "set[_Side]",
    ) -> None:
        self._see, self._see_rest, self._end, self._open = see, rest, end, open_
        self._rest = b""
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._open.add(self)

    def join(self, other: "_Side") -> None:
        self.other, other.other = other, self
        for side in (self, other):
            early, side._early = side._early, []
            for data in early:
                side.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._early.append(data)
            return
        *messages, self._rest = (self._rest + data).split(_END)
        for message in messages:
            self._see(message + _END)
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        if self._rest:
            self._see_rest(self._rest)
        other = self.other
        if other is not None and other.transport is not None and not other.transport.is_closing():
            self._end(other)


class Proxy:
    """Accepts the dialer's connections and joins each with one to the AMI."""

    def __init__(self, log: Log, host: str, port: int) -> None:
        self._log, self._host, self._port = log, host, port
        self._count = 0
        self._open: set[_Side] = set()
        self._joining: set[asyncio.Task[None]] = set()

    def accept(self) -> _Side:
        self._count += 1
        number, log = self._count, self._log
        near = _Side(
            lambda block: log.see_action(number, block),
            lambda rest: log.see_action(number, rest, whole=False),
            lambda far: self._dialer_left(far, number),
            self._open,
        )
        task = asyncio.get_running_loop().create_task(self._join(near, number))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)
        return near

    def cut(self) -> float:
        """End every connection at once, on both sides; when that was."""
        for side in tuple(self._open):
            if side.transport is not None:
                side.transport.abort()
        return time.time()

    def _dialer_left(self, far: _Side, number: int) -> None:
        self._log.note("lost", connection=number, by="dialer")
        if far.transport is not None:
            far.transport.close()  # after what was passed on has left

    def _asterisk_left(self, near: _Side, number: int) -> None:
        """What the dialer wrote before it hears of that is still read: it left."""
        self._log.note("lost", connection=number, by="asterisk")
        if near.transport is not None:
            near.transport.resume_reading()
            near.transport.write_eof()

    async def _join(self, near: _Side, number: int) -> None:
        far = _Side(
            lambda block: self._log.see_told(number, block),
            lambda _: None,
            lambda near: self._asterisk_left(near, number),
            self._open,
        )
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: far, self._host, self._port)
        except OSError:
            if near.transport is not None:
                near.transport.abort()
            return
        near.join(far)


async def observe(log: Log, host: str, port: int, username: str, secret: str) -> None:
    """A session that only listens; comes back when the AMI does."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 24)
            login = f"Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\n\r\n"
            writer.write(login.encode())
            while block := await reader.readuntil(_END):
                log.see_truth(block)
        except (OSError, asyncio.IncompleteReadError):
            log.live.clear()
            await asyncio.sleep(0.2)


async def serve(pipe: Pipe, file: str, host: str, port: int, username: str, secret: str) -> None:
    """In the witness's process. Says the port that it listens on."""
    loop = asyncio.get_running_loop()
    log = Log(Path(file))
    proxy = Proxy(log, host, port)
    server = await loop.create_server(proxy.accept, "127.0.0.1", 0)
    observer = loop.create_task(observe(log, host, port, username, secret))
    answers: dict[str, Callable[[], object]] = {
        "count": lambda: (len(log.sent), len(log.live)),
        "most live": lambda: log.most_live,
        "cut": proxy.cut,
    }
    await answer(pipe, server.sockets[0].getsockname()[1], answers)
    observer.cancel()
    server.close()
    log.close()


def read_wire(file: Path, most_live: int) -> Wire:
    """What the log says."""
    seen: dict[str, list[dict[str, Any]]] = {
        what: [] for what in ("originate", "answered", "ended", "login", "lost", "began", "gone")
    }
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            seen[record.pop("what")].append(record)
    for record in seen["answered"] + seen["ended"]:
        del record["connection"]
    return Wire(
        originates=tuple(Originate(**record) for record in seen["originate"]),
        answered=tuple(Told(**record) for record in seen["answered"]),
        ended=tuple(Told(**record) for record in seen["ended"]),
        logins=tuple(Login(**record) for record in seen["login"]),
        most_live=most_live,
        losses=tuple(Loss(**record) for record in seen["lost"]),
        began=tuple(Told(**record) for record in seen["began"]),
        gone=tuple(Told(**record) for record in seen["gone"]),
    )
