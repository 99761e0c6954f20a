"""One connection. Each test that names panoramisk pins an override: without it, it fails."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest

from ami import transport
from ami.actions import CoreShowChannels, Hangup, Login, Originate, Ping, serialize
from ami.errors import (
    ActionInvalid,
    ActionRejected,
    ActionTimeout,
    LinkDown,
    LinkLost,
    MessageTooLong,
    ProtocolBroken,
)
from ami.transport import Endpoint, Session
from ami.wire import MAX_MESSAGE, Message
from tests.patience import PATIENCE
from tests.required import skip_unless_required
from tests.unit.ami.scripted_server import Peer, ScriptedServer

WANTED = frozenset({"OriginateResponse", "Newstate", "Shutdown"})
CALL = Originate("a-1", "call-1", "PJSIP/1@x", 30_000, application="Wait", data="1")


@dataclass
class Link:
    """Both ends of a connection, and what came out of ours."""

    session: Session
    peer: Peer
    server: ScriptedServer
    events: "asyncio.Queue[Message]"

    async def event(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()

    async def end(self) -> Exception:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(self.session.lost)

    async def is_alive(self) -> bool:
        """A round trip: all that was sent before it has been dealt with."""
        answer = self.session.send(Ping("alive"))
        self.peer.answer(await self.peer.take("Ping"))
        return (await answer).name == "Success"


@asynccontextmanager
async def linked(
    *, narrow: bool = False, action_timeout: float = PATIENCE, stall_timeout: float = PATIENCE
) -> AsyncIterator[Link]:
    events: asyncio.Queue[Message] = asyncio.Queue()
    async with ScriptedServer(narrow=narrow) as server:
        session = await Session.open(
            Endpoint("127.0.0.1", server.port),
            events.put_nowait,
            wanted=WANTED,
            action_timeout=action_timeout,
            stall_timeout=stall_timeout,
        )
        try:
            yield Link(session, await server.accept(), server, events)
        finally:
            session.abort(LinkLost("the test is over"))


async def test_an_action_leaves_as_serialize_writes_it() -> None:
    async with linked() as link:
        link.session.send(CALL)
        assert await link.peer.reader.readexactly(len(serialize(CALL))) == serialize(CALL)


async def test_nothing_leaves_of_an_action_that_is_invalid() -> None:
    async with linked() as link:
        with pytest.raises(ActionInvalid):
            link.session.send(Hangup("a-1", "x\r\nAction: Logoff"))
        assert await link.is_alive()


async def test_panoramisks_own_doors_are_closed() -> None:
    manager = transport._Manager(loop=asyncio.get_running_loop())
    protocol = manager.protocol = transport._Protocol(Mock(), Mock(), 1.0)
    protocol.transport = Mock()
    doors: tuple[Callable[..., object], ...] = (manager.send_action, protocol.send)
    for send in doors:
        with pytest.raises(NotImplementedError):
            send({"Action": "Originate", "CallerID": "x\r\nAction: Command"})
    with pytest.raises(NotImplementedError):
        manager.send_command("core show version")
    protocol.transport.write.assert_not_called()


async def test_answers_find_their_actions() -> None:
    async with linked() as link:
        first, second = link.session.send(CALL), link.session.send(Ping("p-1"))
        call, ping = await link.peer.take("Originate"), await link.peer.take("Ping")
        link.peer.answer(ping, Ping="Pong")
        link.peer.refuse(call, "Extension does not exist.")
        assert (await second).get("Ping") == "Pong"
        with pytest.raises(ActionRejected, match="Extension does not exist"):
            await first


@pytest.mark.parametrize(("seconds", "milliseconds"), [(2.5, 2500), (None, 0)])
async def test_the_kernel_sends_what_nobody_confirms_for_as_long_as_it_was_told(
    seconds: float | None, milliseconds: int
) -> None:
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None:
        skip_unless_required("TCP_USER_TIMEOUT, which only Linux has")
    async with ScriptedServer() as server:
        session = await Session.open(
            Endpoint("127.0.0.1", server.port), Mock(), wanted=WANTED, delivery_timeout=seconds
        )
        assert session._protocol.transport is not None
        peer = session._protocol.transport.get_extra_info("socket")
        assert peer.getsockopt(socket.IPPROTO_TCP, option) == milliseconds
        session.abort(LinkLost("the test is over"))


async def test_an_action_id_is_not_used_twice_at_a_time() -> None:
    async with linked() as link:
        link.session.send(CALL)
        with pytest.raises(ActionInvalid, match="ActionID: is in flight already"):
            link.session.send(CALL)


async def test_every_action_has_its_time_where_panoramisk_has_none() -> None:
    async with linked(action_timeout=0.01) as link:
        answer = link.session.send(CALL)
        call = await link.peer.take("Originate")
        with pytest.raises(ActionTimeout, match="no answer to a-1"):
            await answer
        link.peer.answer(call)  # too late: for nobody
        assert not link.session.lost.done()
        link.peer.send("Event: Newstate\nChannelState: 6\n\n")
        assert (await link.event()).name == "Newstate"


async def test_a_list_has_its_time_too() -> None:
    async with linked(action_timeout=0.01) as link:
        rows = link.session.collect(
            CoreShowChannels("l-1"), "CoreShowChannel", "CoreShowChannelsComplete"
        )
        with pytest.raises(ActionTimeout):
            await rows


async def test_a_character_cut_by_a_packet_is_whole_where_panoramisk_drops_it() -> None:
    async with linked() as link:
        data = "Event: Newstate\r\nCallerIDName: Zoë 김\r\n\r\n".encode()
        protocol = link.session._protocol
        for place in range(len(data)):
            protocol.data_received(data[place : place + 1])
        assert (await link.event()).get("CallerIDName") == "Zoë 김"


async def test_an_originate_response_reaches_the_sink_where_panoramisk_swallows_it() -> None:
    async with linked() as link:
        answer = link.session.send(CALL)
        call = await link.peer.take("Originate")
        link.peer.send("Event: OriginateResponse\nActionID: a-1\nResponse: Failure\nReason: 0\n\n")
        assert (await link.event()).get("Response") == "Failure"
        assert not answer.done()
        link.peer.answer(call, Message="Originate successfully queued")
        assert (await answer).get("Message") == "Originate successfully queued"
        link.peer.send("Event: OriginateResponse\nActionID: a-1\nResponse: Success\n\n")
        assert (await link.event()).get("Response") == "Success"


async def test_an_answer_without_async_ends_no_link_where_panoramisk_raises() -> None:
    async with linked() as link:
        answer = link.session.send(Hangup("h-1", "call-1"))
        link.peer.answer(await link.peer.take("Hangup"), Message="Originate successfully queued")
        assert (await answer).name == "Success"
        assert await link.is_alive()


async def test_answers_that_nobody_waits_for_do_no_harm() -> None:
    async with linked() as link:
        link.peer.send("Response: Error\nMessage: Missing action in request\n\n")
        link.peer.send("Response: Success\nActionID: of-another\n\n")
        link.peer.send("Event: CoreShowChannel\nActionID: of-another\n\n")
        assert await link.is_alive()
        assert link.events.empty()


async def test_shutdown_is_an_event_where_panoramisk_ends_the_link() -> None:
    async with linked() as link:
        link.peer.send("Event: Shutdown\nShutdown: Cleanly\n\n")
        assert (await link.event()).name == "Shutdown"
        assert await link.is_alive()


async def test_who_waits_is_told_of_a_lost_link_where_panoramisk_says_nothing() -> None:
    async with linked() as link:
        answers = [link.session.send(CALL), link.session.send(Ping("p-1"))]
        rows = link.session.collect(
            CoreShowChannels("l-1"), "CoreShowChannel", "CoreShowChannelsComplete"
        )
        await link.peer.take("Originate")
        link.peer.cut()
        waiters: list[asyncio.Future[Any]] = [*answers, rows]
        for waiting in waiters:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(LinkLost):
                    await waiting
        assert isinstance(await link.end(), LinkLost)
        with pytest.raises(LinkDown):
            link.session.send(Ping("p-2"))


async def test_nothing_is_kept_to_be_sent_again_as_panoramisk_does() -> None:
    """Its protocol puts unanswered actions aside and its manager sends them at FullyBooted."""
    manager = transport._Manager(loop=Mock(), forgetable_actions=())
    protocol = manager.protocol = transport._Protocol(Mock(), Mock(), 1.0)
    protocol.transport, protocol.factory = Mock(), manager
    unanswered = Mock(action="Originate")
    protocol.responses = {"a-1": unanswered}
    protocol.connection_lost(None)
    protocol.close()
    assert list(manager.awaiting_actions) == []
    manager.awaiting_actions.append(unanswered)
    await manager.send_awaiting_actions()
    protocol.transport.write.assert_not_called()
    assert list(manager.awaiting_actions) == [unanswered]


def test_an_originate_is_forgotten_by_panoramisks_own_rule_too() -> None:
    assert "originate" in transport._Manager(loop=Mock()).forgetable_actions


async def test_an_originate_cut_off_is_not_sent_on_the_next_connection() -> None:
    async with linked() as link:
        answer = link.session.send(CALL)
        await link.peer.take("Originate")
        link.peer.cut()
        with pytest.raises(LinkLost):
            await answer
        again = await Session.open(
            Endpoint("127.0.0.1", link.server.port), link.events.put_nowait, wanted=WANTED
        )
        peer = await link.server.accept()
        again.send(Ping("p-1"))
        await peer.take("Ping")
        peer.send("Event: FullyBooted\n\n")
        await again.close(PATIENCE)
        assert await peer.end() == b""
        assert link.server.connections == 2


def test_panoramisk_does_not_connect_again_by_itself() -> None:
    loop = Mock()
    manager = transport._Manager(loop=loop, reconnect_timeout=0)
    refused = Mock()
    refused.result.side_effect = OSError("refused")
    manager.connection_made(refused)
    manager.connection_lost(None)
    assert loop.mock_calls == []


def test_panoramisk_neither_logs_in_nor_pings_by_itself() -> None:
    loop, protocol = Mock(), Mock()
    manager = transport._Manager(loop=loop, username="dialer", secret="s3cret")
    opened = Mock()
    opened.result.return_value = (Mock(), protocol)
    manager.connection_made(opened)
    protocol.send.assert_not_called()
    assert loop.mock_calls == []


async def test_a_message_too_long_ends_the_link_with_its_name() -> None:
    async with linked() as link:
        link.peer.send("Event: Newstate\n\n")
        link.peer.send(b"Event: Newstate\r\nA: " + b"x" * (MAX_MESSAGE + 10))
        assert isinstance(await link.end(), MessageTooLong)
        assert (await link.event()).name == "Newstate"


async def test_good_messages_in_the_same_packet_as_a_bad_one_are_given() -> None:
    async with linked() as link:
        good = b"Event: Newstate\r\n\r\n"
        link.session._protocol.data_received(good + b"Event: X" + b"x" * (MAX_MESSAGE + 10))
        assert (await link.event()).name == "Newstate"
        assert isinstance(await link.end(), MessageTooLong)


async def test_an_error_in_the_sink_is_the_reason_of_the_end() -> None:
    error = RuntimeError("a bug in the consumer")

    def fail(message: Message) -> None:
        calls.append(message.name)
        raise error

    calls: list[str] = []
    async with ScriptedServer() as server:
        endpoint = Endpoint("127.0.0.1", server.port)
        session = await Session.open(endpoint, fail, wanted=WANTED)
        peer = await server.accept()
        peer.send("Event: Newstate\n\nEvent: Newstate\n\n")
        async with asyncio.timeout(PATIENCE):
            assert await session.lost is error
        assert calls == ["Newstate"]


def long_call(number: int) -> Originate:
    """An Originate of 50 kB."""
    return Originate(
        f"a-{number}",
        f"call-{number}.",
        "PJSIP/1@x",
        30_000,
        application="Wait",
        variables=("A=" + "x" * 1000,) * 50,
    )


def fill(session: Session) -> list[Originate]:
    """Sends until no more is taken; returns what was."""
    calls: list[Originate] = []
    while True:
        call = long_call(len(calls))
        try:
            session.send(call).add_done_callback(asyncio.Future.exception)
        except LinkDown:
            return calls
        calls.append(call)
        assert len(calls) < 10_000, "no bound"


async def test_abort_leaves_nothing_in_the_kernel_that_could_ring_later() -> None:
    async with linked(narrow=True) as link:
        link.peer.stop_reading()
        answers = [link.session.send(long_call(number)) for number in range(3)]
        waiting = link.session._protocol.transport
        assert waiting is not None
        assert waiting.get_write_buffer_size() == 0
        link.session.abort(LinkLost("unhealthy"))
        link.peer.read_on()
        assert b"ChannelId: call-2." not in await link.peer.end()
        for answer in answers:
            with pytest.raises(LinkLost, match="unhealthy"):
                await answer


async def test_abort_leaves_nothing_in_our_buffer_that_could_ring_later() -> None:
    async with linked(narrow=True) as link:
        link.peer.stop_reading()
        calls = fill(link.session)
        link.session.abort(LinkLost("unhealthy"))
        waiting = link.session._protocol.transport
        assert waiting is not None
        assert waiting.get_write_buffer_size() == 0
        link.peer.read_on()
        assert f"ChannelId: {calls[-1].channel_id}\r".encode() not in await link.peer.end()


async def test_a_peer_that_does_not_read_is_given_up() -> None:
    async with linked(narrow=True, stall_timeout=0.01) as link:
        link.peer.stop_reading()
        fill(link.session)
        with pytest.raises(LinkDown, match="does not read"):
            link.session.send(Ping("one-more"))
        assert not link.session.writable
        waiting = link.session._protocol.transport
        assert waiting is not None
        assert waiting.get_write_buffer_size() < 2 * transport.HIGH_WATER
        reason = await link.end()
        assert isinstance(reason, LinkLost)
        assert "does not read" in str(reason)


async def test_a_peer_that_reads_on_is_sent_to_again() -> None:
    async with linked(narrow=True) as link:
        link.peer.stop_reading()
        total = sum(len(serialize(call)) for call in fill(link.session))
        link.peer.read_on()
        async with asyncio.timeout(PATIENCE):
            await link.peer.reader.readexactly(total)
        assert link.session.writable
        assert await link.is_alive()


async def test_no_connection() -> None:
    async with ScriptedServer() as server:
        endpoint = Endpoint("127.0.0.1", server.port)
    with pytest.raises(LinkDown):
        await Session.open(endpoint, Mock(), wanted=WANTED)
    with pytest.raises(LinkDown):
        await Session.open(Endpoint("x" * 70, 5038), Mock(), wanted=WANTED)


async def test_a_list() -> None:
    async with linked() as link:
        rows = link.session.collect(
            CoreShowChannels("l-1"), "CoreShowChannel", "CoreShowChannelsComplete"
        )
        link.peer.answer(await link.peer.take("CoreShowChannels"), EventList="start")
        link.peer.send("Event: CoreShowChannel\nActionID: l-1\nUniqueid: u-1\n\n")
        link.peer.send("Event: Newstate\nUniqueid: u-1\n\n")
        link.peer.send("Event: CoreShowChannel\nActionID: l-1\nUniqueid: u-2\n\n")
        link.peer.send("Event: CoreShowChannelsComplete\nActionID: l-1\nListItems: 2\n\n")
        assert [row.get("Uniqueid") for row in await rows] == ["u-1", "u-2"]
        assert (await link.event()).name == "Newstate"
        assert link.events.empty()


async def test_a_list_refused() -> None:
    async with linked() as link:
        rows = link.session.collect(
            CoreShowChannels("l-1"), "CoreShowChannel", "CoreShowChannelsComplete"
        )
        link.peer.refuse(await link.peer.take("CoreShowChannels"), "Permission denied")
        with pytest.raises(ActionRejected, match="Permission denied"):
            await rows


async def test_a_list_that_lacks_rows_is_no_list() -> None:
    async with linked() as link:
        rows = link.session.collect(
            CoreShowChannels("l-1"), "CoreShowChannel", "CoreShowChannelsComplete"
        )
        await link.peer.take("CoreShowChannels")
        link.peer.send("Event: CoreShowChannelsComplete\nActionID: l-1\nListItems: 2\n\n")
        with pytest.raises(ProtocolBroken, match="0 list items came of 2"):
            await rows


async def test_close_lets_the_last_words_out() -> None:
    async with linked() as link:
        link.session.send(CALL)
        await link.session.close(PATIENCE)
        assert await link.peer.end() == serialize(CALL)
        assert isinstance(await link.end(), LinkLost)


async def test_close_does_not_wait_for_ever() -> None:
    async with linked(narrow=True) as link:
        link.peer.stop_reading()
        fill(link.session)
        await link.session.close(0.01)
        assert "last words" in str(await link.end())


async def test_a_future_given_up_by_its_caller_does_no_harm() -> None:
    async with linked() as link:
        answer = link.session.send(CALL)
        call = await link.peer.take("Originate")
        answer.cancel()
        link.peer.answer(call)
        assert await link.is_alive()


async def test_the_greeting_is_kept() -> None:
    async with linked() as link:
        assert link.session.banner is None
        link.peer.send("Asterisk Call Manager/11.0.0\n")
        assert await link.is_alive()
        assert link.session.banner == "Asterisk Call Manager/11.0.0"


async def test_a_secret_is_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with linked() as link:
        answer = link.session.send(Login("l-1", "dialer", "s3cret"))
        await link.peer.take("Login")
        link.peer.cut()
        with pytest.raises(LinkLost) as caught:
            await answer
        assert "s3cret" not in str(caught.value)
    assert "s3cret" not in caplog.text
