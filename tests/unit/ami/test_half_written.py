"""What certainly never left a connection when it ended: the rest of a half-written action."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from ami import transport
from ami.actions import Originate, Ping, serialize
from ami.errors import LinkDown, LinkLost
from ami.transport import Endpoint, Session
from ami.wire import Decoder
from tests.patience import PATIENCE
from tests.unit.ami.scripted_server import ScriptedServer
from tests.unit.ami.test_transport import WANTED, fill


class Pipe(asyncio.Transport):
    """A socket that takes `room` bytes and no more, until it is widened or breaks."""

    def __init__(self, protocol: transport._Protocol, room: int) -> None:
        super().__init__()
        self.protocol = protocol
        self.room = room
        self.taken = bytearray()
        self.waiting = bytearray()
        self.broken = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (0, 0)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.broken

    def write(self, data: Any) -> None:
        assert not self.waiting, "two actions at a time in the socket's buffer"
        self.waiting += data
        self._move()
        if self.waiting:
            self.protocol.pause_writing()

    def widen(self, room: int) -> None:
        self.room += room
        before = bool(self.waiting)
        self._move()
        if before and not self.waiting:
            self.protocol.resume_writing()

    def _move(self) -> None:
        taken = bytes(self.waiting[: self.room])
        self.taken += taken
        self.room -= len(taken)
        del self.waiting[: len(taken)]

    def abort(self) -> None:
        self.broken = True
        self.waiting.clear()

    def close(self) -> None:
        self.broken = True


def piped(room: int) -> tuple[transport._Protocol, Pipe]:
    protocol = transport._Protocol(Decoder(wanted=WANTED), Mock(), PATIENCE)
    pipe = Pipe(protocol, room)
    protocol.connection_made(pipe)
    return protocol, pipe


def short_call(number: int) -> Originate:
    return Originate(f"a-{number}", f"call-{number}", "PJSIP/1@x", 30_000, application="Wait")


SIZE = len(serialize(short_call(1)))
ENDS: dict[str, Callable[[transport._Protocol], None]] = {
    "aborted": lambda protocol: protocol.abort(LinkLost("unhealthy")),
    "reset": lambda protocol: protocol.connection_lost(ConnectionResetError("reset")),
    "closed": lambda protocol: protocol.eof_received(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_of_each_action_it_is_known_whether_its_last_byte_left(
    end: Callable[[transport._Protocol], None],
) -> None:
    """Three Originates, the connection cut after every possible number of bytes: LinkDown (it is
    dialed again) exactly for those that the other end cannot have read to their end."""
    for room in range(3 * SIZE + 1):
        protocol, pipe = piped(room)
        session = Session(protocol, PATIENCE)
        answers = [session.send(short_call(number)) for number in (1, 2, 3)]
        end(protocol)
        arrived = bytes(pipe.taken).count(b"\r\n\r\n")
        assert arrived == room // SIZE
        errors = [answer.exception() for answer in answers]
        assert [type(error) for error in errors] == [LinkLost] * arrived + [LinkDown] * (
            3 - arrived
        )
        with pytest.raises(LinkDown):
            session.send(Ping("later"))


async def test_a_slow_peer_gets_everything_in_order() -> None:
    protocol, pipe = piped(0)
    session = Session(protocol, PATIENCE)
    calls = [short_call(number) for number in range(1, 6)]
    answers = [session.send(call) for call in calls]
    for _ in range(5 * SIZE):
        pipe.widen(1)
    assert bytes(pipe.taken) == b"".join(map(serialize, calls))
    assert protocol.stalled is None
    protocol.abort(LinkLost("over"))
    assert all(isinstance(answer.exception(), LinkLost) for answer in answers)


async def test_what_nobody_waits_for_any_more_does_not_leave_late() -> None:
    protocol, pipe = piped(10)
    session = Session(protocol, PATIENCE)
    first = session.send(short_call(1))
    second = session.send(short_call(2), 0.001)
    with pytest.raises(LinkDown, match="did not read"):
        await second
    pipe.widen(10_000)
    assert b"call-2" not in pipe.taken
    assert not first.done()
    protocol.abort(LinkLost("over"))
    assert isinstance(first.exception(), LinkLost)


async def test_a_socket_that_refuses_an_action_whole_lets_nothing_leave() -> None:
    protocol, pipe = piped(0)

    def refuse(data: bytes) -> None:
        pipe.broken = True

    pipe.write = refuse  # type: ignore[method-assign]
    with pytest.raises(LinkDown, match="before it was written"):
        Session(protocol, PATIENCE).send(short_call(1))
    assert protocol.pending == {}


async def test_room_again_is_told_once() -> None:
    told = Mock()
    protocol, pipe = piped(0)
    protocol.on_room = told
    session = Session(protocol, PATIENCE)
    sent = fill(session)
    writable = [session.writable, session.flowing]
    told.assert_not_called()
    pipe.widen(10_000_000)
    writable += [session.writable, session.flowing]
    assert writable == [False, False, True, True]
    told.assert_called_once_with()
    assert len(pipe.taken) == sum(len(serialize(call)) for call in sent)
    protocol.abort(LinkLost("over"))


async def test_what_waits_in_part_does_not_flow() -> None:
    protocol, pipe = piped(0)
    session = Session(protocol, PATIENCE)
    flows = [session.flowing]
    session.send(short_call(1))
    flows.append(session.flowing)
    assert session.writable
    pipe.widen(10_000_000)
    flows.append(session.flowing)
    assert flows == [True, False, True]
    protocol.abort(LinkLost("over"))


async def test_over_tls_nothing_waits_that_the_peer_takes() -> None:
    """TLS tells of waiting bytes from the limit on, a plain socket above it."""
    pem = Path(__file__).with_name("loopback.pem")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    async with ScriptedServer(tls=server_side) as server:
        endpoint = Endpoint("127.0.0.1", server.port, ssl.create_default_context(cafile=pem))
        session = await Session.open(endpoint, Mock(), wanted=WANTED, stall_timeout=PATIENCE)
        peer = await server.accept()
        for number in range(20):
            answer = session.send(short_call(number))
            assert session._protocol.stalled is None
            peer.answer(await peer.take("Originate"))
            assert (await answer).name == "Success"
        session.abort(LinkLost("the test is over"))
