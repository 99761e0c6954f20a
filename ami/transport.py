"""One AMI connection: panoramisk's session with everything overridden that would lose, repeat or
forge something. The only importer of panoramisk.

One action at a time is handed to the socket: while a rest of it waits in the socket's buffer the
next ones wait here. So when the connection ends it is known of each action whether its last byte
may have left; one whose last byte did not is never run (docs/ami-notes.md, "Half an action").

Of panoramisk 1.4 stay the manager's connecting and the protocol's place in it. Ours are: the bytes
out (`serialize` is the only door), the bytes in (`Decoder`), the pending answers with their time
limits, and the end: a connection is never re-opened and an action never sent twice; whoever
waits is told LinkLost. docs/ami-notes.md lists each override with the test that pins it.
"""

import asyncio
import logging
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, Protocol

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from ami.actions import Action, serialize
from ami.errors import (
    ActionInvalid,
    ActionRejected,
    ActionTimeout,
    LinkDown,
    LinkLost,
    MessageTooLong,
    ProtocolBroken,
)
from ami.wire import Decoder, Kind, Message

log = logging.getLogger(__name__)

# Bytes of ours that may wait here: some 300 Originates. Past it no action is taken.
HIGH_WATER: Final = 128 * 1024
# Asterisk answers an error with one of these words.
_ERRORS: Final = frozenset({"Error", "Fail", "Failure"})
# Closing with this set throws away what the kernel has not sent yet (a reset, not an end).
_NO_LINGER: Final = struct.pack("ii", 1, 0)
# Milliseconds in which the peer must confirm what the kernel sent it (Linux; tcp(7)).
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an AMI listens. `tls`: None, or the context that judges the certificate."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Tap(Protocol):
    """Is told what passes over a connection, in its order and inside the reading and writing of
    the socket: returns at once and never raises. `sent` gets whole actions, secrets included, as
    they are handed to the socket."""

    def received(self, data: bytes) -> None: ...

    def sent(self, data: bytes) -> None: ...


class _Reply:
    """Waits for one response."""

    __slots__ = ("future", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Message] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None

    def take(self, message: Message) -> bool:
        """Whether nothing more is awaited after `message`."""
        if message.kind is not Kind.RESPONSE:
            return False
        if not self.future.done():
            if message.name in _ERRORS:
                self.future.set_exception(ActionRejected(message.get("message")))
            else:
                self.future.set_result(message)
        return True

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Listing:
    """Waits for a response and the list of events that follows it."""

    __slots__ = ("complete", "future", "item", "rows", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, item: str, complete: str) -> None:
        self.future: asyncio.Future[tuple[Message, ...]] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.item = item
        self.complete = complete
        self.rows: list[Message] = []

    def take(self, message: Message) -> bool:
        """Whether nothing more is awaited after `message`."""
        if message.name == self.item:
            self.rows.append(message)
            return False
        if message.name == self.complete:
            self._finish(message.get("listitems"))
            return True
        if message.kind is Kind.RESPONSE and message.name in _ERRORS:
            self.fail(ActionRejected(message.get("message")))
            return True
        return False

    def _finish(self, announced: str) -> None:
        if announced.isdecimal() and int(announced) != len(self.rows):
            # A list that lacks rows would make living channels look dead.
            self.fail(ProtocolBroken(f"{len(self.rows)} list items came of {int(announced)}"))
        elif not self.future.done():
            self.future.set_result(tuple(self.rows))

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk is untyped
    """Bytes of one connection. Everything of panoramisk's that acts by itself is replaced."""

    def __init__(
        self,
        decoder: Decoder,
        on_event: Callable[[Message], None],
        stall_timeout: float,
        on_room: Callable[[], None] | None = None,
        tap: Tap | None = None,
        delivery_timeout: float | None = None,
    ) -> None:
        super().__init__()
        self.tap = tap
        self.decoder = decoder
        self.on_event = on_event
        self.on_room = on_room
        self.stall_timeout = stall_timeout
        self.delivery_timeout = delivery_timeout
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[Exception] = self.loop.create_future()
        self.transport: asyncio.Transport | None = None
        self.pending: dict[str, _Reply | _Listing] = {}
        self.stalled: asyncio.TimerHandle | None = None  # while a rest of `handed` waits
        self.handed = ""  # the ActionID that was last handed to the socket
        self.backlog: deque[tuple[str, bytes]] = deque()
        self.backlog_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        # Tell of the first byte that waits: TLS tells from `high` on, a plain socket above it.
        encrypted = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=1 if encrypted else 0, low=0)
        peer, timeout = transport.get_extra_info("socket"), self.delivery_timeout
        if peer is not None and timeout is not None and _USER_TIMEOUT is not None:
            peer.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, round(timeout * 1000))

    def send(self, data: Action, as_list: object = None) -> NoReturn:
        """Closed: panoramisk's own serialization lets line breaks in values through."""
        raise NotImplementedError("actions leave through Session.send and Session.collect alone")

    def write(self, action: Action, waiter: _Reply | _Listing, timeout: float) -> None:
        """Writes the action, or has it wait its turn, and remembers who waits. Raises
        ActionInvalid or LinkDown: then nothing was written."""
        data = serialize(action)
        if self.transport is None or self.lost.done() or self.transport.is_closing():
            raise LinkDown("not connected")
        if self.full:
            raise LinkDown("the peer does not read what it is sent")
        if action.action_id in self.pending:
            raise ActionInvalid("ActionID", "is in flight already")
        self.pending[action.action_id] = waiter
        if self.stalled is not None:
            self.backlog.append((action.action_id, data))
            self.backlog_size += len(data)
        else:
            self._hand_over(action.action_id, data)
            if self.transport.is_closing():  # the socket refused it whole
                del self.pending[action.action_id]
                raise LinkDown("the connection broke before it was written")
        waiter.timer = self.loop.call_later(timeout, self._expire, action.action_id)

    @property
    def full(self) -> bool:
        return self.backlog_size >= HIGH_WATER

    def _hand_over(self, action_id: str, data: bytes) -> None:
        assert self.transport is not None
        self.handed = action_id
        if self.tap is not None:
            self.tap.sent(data)
        self.transport.write(data)

    def _expire(self, action_id: str) -> None:
        waiter = self.pending.pop(action_id, None)
        if waiter is None:
            return
        for place, (waiting, data) in enumerate(self.backlog):
            if waiting == action_id:  # it must not leave when nobody waits for it any more
                del self.backlog[place]
                self.backlog_size -= len(data)
                waiter.fail(LinkDown("the peer did not read what was sent before it"))
                return
        waiter.fail(ActionTimeout(f"no answer to {action_id}"))

    def data_received(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.received(data)
        try:
            for message in self.decoder.feed(data):
                self.handle_message(message)
        except MessageTooLong as broken:
            for message in broken.messages:
                self.handle_message(message)
            self.abort(broken)

    def handle_message(self, message: Message) -> None:
        """An answer goes to who waits for it; every other event, OriginateResponse always, goes to
        the one sink. An error in the sink ends the connection and is its reason."""
        if message.kind is Kind.RESPONSE or message.name.startswith("CoreShowChannel"):
            self._answer(message)
        elif not self.lost.done():
            try:
                self.on_event(message)
            except Exception as error:
                self.abort(error)

    def _answer(self, message: Message) -> None:
        action_id = message.action_id
        waiter = self.pending.get(action_id)
        if waiter is None:
            # Late (its time had passed) or without ActionID: nobody can be told.
            log.debug("an answer that nobody waits for", extra={"answer": message.name})
        elif waiter.take(message):
            del self.pending[action_id]
            if waiter.timer is not None:
                waiter.timer.cancel()

    def pause_writing(self) -> None:
        self.stalled = self.loop.call_later(
            self.stall_timeout, self.abort, LinkLost("the peer does not read what it is sent")
        )

    def resume_writing(self) -> None:
        """The socket took the rest: the next ones follow until it takes one in part only."""
        self._stop_watching()
        while self.backlog and self.stalled is None:
            action_id, data = self.backlog.popleft()
            self.backlog_size -= len(data)
            self._hand_over(action_id, data)
        if self.stalled is None and self.on_room is not None:
            self.on_room()

    def _stop_watching(self) -> None:
        if self.stalled is not None:
            self.stalled.cancel()
            self.stalled = None

    def eof_received(self) -> None:
        """The peer sends nothing more: it must not be sent what still waits here."""
        self.abort(LinkLost("closed by the peer"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LinkLost(str(exc) or repr(exc)) if exc else LinkLost("closed by the peer"))

    def close(self) -> None:
        """Closes after what is written has left."""
        if self.transport is None:
            return
        while self.backlog:
            self._hand_over(*self.backlog.popleft())
        self.backlog_size = 0
        self.transport.close()

    def abort(self, reason: Exception) -> None:
        """Closes at once: nothing that still waits here or in the kernel leaves later."""
        if self.transport is not None:
            peer = self.transport.get_extra_info("socket")
            if peer is not None and peer.fileno() >= 0:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
        self._end(reason)

    def _end(self, reason: Exception) -> None:
        if self.lost.done():
            return
        self.lost.set_result(reason)
        unsent = {action_id for action_id, _ in self.backlog}
        if self.stalled is not None:
            unsent.add(self.handed)  # its last bytes never left: half an action is not run
        self._stop_watching()
        self.backlog.clear()
        self.backlog_size = 0
        waiting, self.pending = self.pending, {}
        for action_id, waiter in waiting.items():
            if waiter.timer is not None:
                waiter.timer.cancel()
            lost = LinkDown if action_id in unsent else LinkLost
            waiter.fail(lost(str(reason)))


class _Manager(Manager):  # type: ignore[misc]  # panoramisk is untyped
    """panoramisk's manager without a will of its own: it opens one connection, once."""

    # What its protocol would not put aside for later: everything that it could ever see.
    defaults: ClassVar[dict[str, object]] = {
        **Manager.defaults,
        "forgetable_actions": ("ping", "login", "originate"),
    }

    def connection_made(self, f: "asyncio.Task[Any]") -> None:
        """Neither logs in nor pings nor tries again: Session.open hears how it went."""

    def connection_lost(self, exc: object) -> None:
        """Does not connect again: the client decides when, and what is still wanted."""

    async def send_awaiting_actions(self, *_: object) -> None:
        """Sends nothing: an Originate sent twice is a phone that rings twice."""


class Session:
    """An open connection, not logged in. `lost` is done when it has ended, with the reason: an
    AmiError, or what the event sink raised."""

    def __init__(self, protocol: _Protocol, action_timeout: float) -> None:
        self._protocol = protocol
        self._action_timeout = action_timeout

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        on_event: Callable[[Message], None],
        *,
        wanted: frozenset[str],
        connect_timeout: float = 5.0,
        action_timeout: float = 10.0,
        stall_timeout: float = 5.0,
        on_room: Callable[[], None] | None = None,
        tap: Tap | None = None,
        delivery_timeout: float | None = None,
    ) -> "Session":
        """Connects. `on_event` is called in the order received, inside the reading of the socket,
        for every event of `wanted` except the items of a list. `stall_timeout`: seconds in which
        the peer may take nothing of what it is sent. `on_room`: called when the peer took all that
        had waited. `tap` sees all bytes. `delivery_timeout`: seconds after which the kernel sends
        nothing again that the peer's has not confirmed, and the connection ends (where it can be
        told so); that holds when this process has ended, too; None: the kernel's own. Raises
        LinkDown."""
        listed = frozenset({"CoreShowChannel", "CoreShowChannelsComplete"})
        decoder = Decoder(wanted=wanted | listed)
        protocol = _Protocol(decoder, on_event, stall_timeout, on_room, tap, delivery_timeout)
        manager = _Manager(
            host=endpoint.host,
            port=endpoint.port,
            ssl=endpoint.tls or False,
            loop=asyncio.get_running_loop(),
            protocol_factory=lambda: protocol,
        )
        connecting = manager.connect()
        try:
            async with asyncio.timeout(connect_timeout):
                await connecting
        except TimeoutError:
            protocol.abort(LinkDown("no connection in time"))
            raise LinkDown(f"no connection within {connect_timeout:g} s") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
            raise LinkDown(str(error)) from error
        except asyncio.CancelledError:
            protocol.abort(LinkDown("cancelled"))
            raise
        return cls(protocol, action_timeout)

    @property
    def lost(self) -> "asyncio.Future[Exception]":
        return self._protocol.lost

    @property
    def banner(self) -> str | None:
        """The peer's greeting ("Asterisk Call Manager/11.0.0"), None before or without one."""
        return self._protocol.decoder.banner

    @property
    def writable(self) -> bool:
        """Whether an action would be taken now."""
        return not self._protocol.lost.done() and not self._protocol.full

    @property
    def flowing(self) -> bool:
        """Whether an action would leave this process at once: the peer took all before it."""
        return self.writable and self._protocol.stalled is None

    def send(self, action: Action, timeout: float | None = None) -> "asyncio.Future[Message]":
        """Writes before it returns, or as soon as the peer has taken what was written before.
        Raises ActionInvalid or LinkDown (nothing was written). The future gives the response, or
        ActionRejected, ActionTimeout, LinkLost, or LinkDown where it certainly was not run."""
        reply = _Reply(self._protocol.loop)
        self._protocol.write(action, reply, timeout or self._action_timeout)
        return reply.future

    def collect(
        self, action: Action, item: str, complete: str
    ) -> "asyncio.Future[tuple[Message, ...]]":
        """As `send`, for an action answered by a list: the events named `item`, ended by one named
        `complete`. Also ProtocolBroken, when rows are missing."""
        listing = _Listing(self._protocol.loop, item, complete)
        self._protocol.write(action, listing, self._action_timeout)
        return listing.future

    def abort(self, reason: Exception) -> None:
        """Ends the connection at once, so that nothing written leaves later."""
        self._protocol.abort(reason)

    async def close(self, timeout: float) -> None:
        """Ends it after what is written has left, or after `timeout` seconds at once."""
        self._protocol.close()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._protocol.lost)
        except TimeoutError:
            self._protocol.abort(LinkLost("the peer did not take our last words"))
