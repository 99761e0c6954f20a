"""The supervised link, against a scripted server."""

import asyncio
import logging
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from ami.actions import Originate, serialize
from ami.client import Address, AmiClient, LinkChange, Timing
from ami.errors import (
    ActionInvalid,
    ActionRejected,
    ActionTimeout,
    LinkDown,
    LinkLost,
    ProtocolBroken,
)
from ami.link import Backoff, LinkState
from ami.wire import Message
from tests.patience import PATIENCE
from tests.unit.ami.client_rig import QUIET, WANTED, rig
from tests.unit.ami.scripted_server import Peer, ScriptedServer

CALL = Originate("a-1", "call-1", "PJSIP/1@x", 30_000, application="Wait", data="1")


async def test_it_comes_up() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        login = await peer.come_up("2026-08-01 10:00:00")
        assert (login["Username"], login["Secret"]) == ("dialer", "s3cret")
        change = await made.state(LinkState.UP)
        assert change == LinkChange(LinkState.UP, 3.0, "fully booted", "2026-08-01 10:00:00")
        assert made.client.up
        assert made.client.state is LinkState.UP


async def test_the_states_on_the_way_are_told_in_order() -> None:
    async with rig() as made:
        await made.up()
        await made.stop()
    # `up` has eaten the first four.
    left = [made.changes.get_nowait().state for _ in range(made.changes.qsize())]
    assert left == [LinkState.LEAVING, LinkState.DOWN]


async def test_it_is_not_up_before_asterisk_has_booted() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        await peer.log_in(booted=False)
        await made.state(LinkState.BOOTING)
        assert not made.client.up
        with pytest.raises(LinkDown, match="booting"):
            made.client.originate(CALL)
        peer.send("Event: FullyBooted\n\n")
        await peer.report_status()
        assert (await made.state(LinkState.UP)).reason == "fully booted"


async def test_a_user_who_may_not_hear_of_booting_comes_up_with_a_reason() -> None:
    async with rig(Timing(ping_interval=PATIENCE, booted_timeout=0.01)) as made:
        peer = await made.server.accept()
        await peer.log_in(booted=False)
        await peer.report_status("2026-08-01 10:00:00")
        change = await made.state(LinkState.UP)
        assert change.reason == "no FullyBooted within 0.01 s"
        assert change.startup == "2026-08-01 10:00:00"


async def test_a_user_who_may_not_ask_for_the_status_comes_up_without_a_stamp() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        await peer.log_in()
        peer.refuse(await peer.take("CoreStatus"), "Permission denied")
        change = await made.state(LinkState.UP)
        assert (change.reason, change.startup) == ("no CoreStatus (Permission denied)", None)


async def test_an_originate_is_written_before_the_call_returns() -> None:
    async with rig() as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        call = await peer.take("Originate")
        assert (call["ActionID"], call["ChannelId"], call["Async"]) == ("a-1", "call-1", "true")
        peer.answer(call, Message="Originate successfully queued")
        assert (await answer).get("Message") == "Originate successfully queued"


async def test_an_originate_refused() -> None:
    async with rig() as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        peer.refuse(await peer.take("Originate"), "Originate Access Forbidden")
        with pytest.raises(ActionRejected, match="Access Forbidden"):
            await answer
        assert made.client.up


async def test_an_originate_that_cannot_be_sent_raises_at_once() -> None:
    async with rig() as made:
        with pytest.raises(LinkDown):
            made.client.originate(CALL)
        await made.up()
        with pytest.raises(ActionInvalid, match="ChannelId"):
            made.client.originate(Originate("a-1", "", "PJSIP/1@x", 1, application="Wait"))


async def test_an_originate_without_answer() -> None:
    async with rig(Timing(ping_interval=PATIENCE, action_timeout=0.01)) as made:
        peer = await made.server.accept()
        await peer.come_up()
        await made.state(LinkState.UP)
        with pytest.raises(ActionTimeout):
            await made.client.originate(CALL)


async def test_an_originate_in_flight_when_the_link_goes_is_lost_and_never_sent_again() -> None:
    async with rig() as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        await peer.take("Originate")
        peer.cut()
        with pytest.raises(LinkLost):
            await answer
        again = await made.up()
        made.client.originate(Originate("a-2", "call-2", "PJSIP/1@x", 1, application="Wait"))
        assert (await again.take("Originate"))["ActionID"] == "a-2"


async def test_a_restart_shows_in_the_stamp() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        await peer.come_up("2026-08-01 10:00:00")
        first = await made.state(LinkState.UP)
        peer.cut()
        await made.state(LinkState.DOWN)
        peer = await made.server.accept()
        await peer.come_up("2026-08-01 11:11:11")
        second = await made.state(LinkState.UP)
        assert (first.startup, second.startup) == ("2026-08-01 10:00:00", "2026-08-01 11:11:11")


async def test_waits_grow_while_nothing_can_be_reached_and_start_anew_after_a_ping() -> None:
    waits = Backoff(first=1.0, cap=8.0)
    async with rig(Timing(ping_interval=0.01, reconnect=waits)) as made:
        for _ in range(5):
            (await made.server.accept()).cut()
            await made.state(LinkState.DOWN)
        peer = await made.up()
        peer.answer(await peer.take("Ping"))
        await peer.take("Ping")  # the next one: the first has been dealt with
        peer.cut()
        await made.state(LinkState.DOWN)
        await made.server.accept()
    for wait, cap in zip(made.pauses, (1, 2, 4, 8, 8, 1), strict=False):
        assert cap / 2 <= wait <= cap


async def test_a_link_that_falls_at_once_does_not_reset_the_waits() -> None:
    waits = Backoff(first=1.0, cap=8.0)
    async with rig(Timing(ping_interval=PATIENCE, reconnect=waits)) as made:
        for _ in range(3):
            (await made.up()).cut()
        await made.server.accept()
    assert [wait > cap for wait, cap in zip(made.pauses, (0.5, 1, 2), strict=False)] == [True] * 3


async def test_a_link_that_took_a_call_resets_the_waits() -> None:
    """It fell soon after, before its first ping."""
    waits = Backoff(first=1.0, cap=8.0)
    async with rig(Timing(ping_interval=PATIENCE, reconnect=waits)) as made:
        for _ in range(3):
            peer = await made.up()
            answer = made.client.originate(CALL)
            peer.answer(await peer.take("Originate"))
            await answer
            peer.cut()
        await made.server.accept()
    assert [0.5 <= wait <= 1.0 for wait in made.pauses[:3]] == [True] * 3


async def test_a_wrong_secret_is_tried_again_slowly_where_panoramisk_hurries() -> None:
    refusals = Backoff(first=100.0, cap=400.0)
    async with rig(Timing(after_refusal=refusals)) as made:
        for _ in range(2):
            peer = await made.server.accept()
            peer.refuse(await peer.take("Login"), "Authentication failed")
            change = await made.state(LinkState.REFUSED)
            assert change.reason == "Authentication failed"
        await made.server.accept()
    assert 50 <= made.pauses[0] <= 100 <= made.pauses[1] <= 200


async def test_a_server_going_down_refuses_nobody() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        peer.refuse(await peer.take("Login"), "Asterisk is shutting down")
        change = await made.state(LinkState.DOWN)
        assert change.reason == "Asterisk is shutting down"


async def test_a_server_that_goes_down_while_it_is_asked_for_its_status() -> None:
    async with rig() as made:
        peer = await made.server.accept()
        await peer.log_in()
        peer.refuse(await peer.take("CoreStatus"), "Asterisk is shutting down")
        assert (await made.state(LinkState.DOWN)).reason == "Asterisk is shutting down"


async def test_a_login_without_answer() -> None:
    async with rig(Timing(login_timeout=0.01)) as made:
        await made.server.accept()
        await made.state(LinkState.LOGGING_IN)
        assert "no answer" in (await made.state(LinkState.DOWN)).reason


@pytest.mark.realtime
async def test_a_half_open_link_is_noticed_where_panoramisk_never_looks() -> None:
    async with rig(Timing(ping_interval=0.3, ping_timeout=0.01)) as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        await peer.take("Originate")
        await peer.take("Ping")
        change = await made.state(LinkState.DOWN)
        assert change.reason == "no answer to a ping within 0.01 s"
        with pytest.raises(LinkLost):
            await answer


async def test_every_wanted_event_comes_in_order_and_no_other() -> None:
    async with rig() as made:
        peer = await made.up()
        assert (await made.event()).name == "FullyBooted"
        peer.send(
            "Event: Newstate\nChannelState: 5\n\nEvent: VarSet\n\n"
            "Event: OriginateResponse\nActionID: of-another-client\n\n"
            "Event: Newstate\nChannelState: 6\n\nEvent: Shutdown\n\n"
        )
        names = [(await made.event()).name for _ in range(4)]
        assert names == ["Newstate", "OriginateResponse", "Newstate", "Shutdown"]
        assert made.events.empty()


async def test_shutdown_stops_new_calls_and_nothing_else() -> None:
    async with rig() as made:
        peer = await made.up()
        peer.send("Event: Shutdown\nShutdown: Cleanly\n\n")
        change = await made.state(LinkState.SHUTTING_DOWN)
        assert change.reason == "Event: Shutdown"
        assert not made.client.up
        with pytest.raises(LinkDown, match="shutting-down"):
            made.client.originate(CALL)
        peer.cut()
        await made.state(LinkState.DOWN)


async def test_a_graceful_stop_shows_in_an_answer_and_its_abort_in_a_ping() -> None:
    async with rig(Timing(ping_interval=0.01)) as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        while (action := await peer.take())["Action"] != "Originate":
            peer.answer(action)
        peer.refuse(action, "Asterisk is shutting down")
        with pytest.raises(ActionRejected):
            await answer
        await made.state(LinkState.SHUTTING_DOWN)
        peer.refuse(await peer.take("Ping"), "Asterisk is shutting down")
        peer.answer(await peer.take("Ping"))
        change = await made.state(LinkState.UP)
        assert change.reason == "takes actions again"
        assert change.startup == "2026-08-01 10:00:00"
        assert made.client.up


async def test_a_ping_refused_is_a_sign_of_life() -> None:
    async with rig(Timing(ping_interval=0.01)) as made:
        peer = await made.up()
        peer.refuse(await peer.take("Ping"), "Asterisk is shutting down")
        assert (await made.state(LinkState.SHUTTING_DOWN)).reason == "Asterisk is shutting down"
        await peer.take("Ping")


async def test_hangup() -> None:
    async with rig() as made:
        peer = await made.up()
        asked = asyncio.create_task(made.client.hangup("call-1", cause=16))
        action = await peer.take("Hangup")
        assert (action["Channel"], action["Cause"]) == ("call-1", "16")
        peer.answer(action, Message="Channel Hungup")
        assert await asked is True
        for message, outcome in (("No such channel", False), ("Permission denied", None)):
            asked = asyncio.create_task(made.client.hangup("call-1"))
            peer.refuse(await peer.take("Hangup"), message)
            if outcome is None:
                with pytest.raises(ActionRejected, match=message):
                    await asked
            else:
                assert await asked is outcome


async def test_a_hangup_never_names_a_pattern() -> None:
    async with rig() as made:
        await made.up()
        with pytest.raises(ActionInvalid):
            await made.client.hangup("/.*/")


async def test_channels() -> None:
    async with rig() as made:
        peer = await made.up()
        asked = asyncio.create_task(made.client.channels())
        action = await peer.take("CoreShowChannels")
        peer.answer(action, EventList="start")
        number = action["ActionID"]
        peer.send(f"Event: CoreShowChannel\nActionID: {number}\nUniqueid: call-1\n\n")
        peer.send(f"Event: CoreShowChannelsComplete\nActionID: {number}\nListItems: 1\n\n")
        assert [row.get("Uniqueid") for row in await asked] == ["call-1"]


async def test_channels_cut_short() -> None:
    async with rig() as made:
        peer = await made.up()
        asked = asyncio.create_task(made.client.channels())
        number = (await peer.take("CoreShowChannels"))["ActionID"]
        peer.send(f"Event: CoreShowChannelsComplete\nActionID: {number}\nListItems: 1\n\n")
        with pytest.raises(ProtocolBroken):
            await asked


async def test_status_settings_and_ping() -> None:
    async with rig() as made:
        peer = await made.up()
        asked = asyncio.create_task(made.client.core_status())
        await peer.report_status("2026-08-01 10:00:00")
        status = await asked
        assert (status.startup, status.channels) == ("2026-08-01 10:00:00", 3)
        settings = asyncio.create_task(made.client.core_settings())
        peer.answer(await peer.take("CoreSettings"), AsteriskVersion="22.10.1")
        assert (await settings).get("AsteriskVersion") == "22.10.1"
        ping = asyncio.create_task(made.client.ping())
        peer.answer(await peer.take("Ping"))
        assert await ping == 1.0  # one tick of the test's clock


async def test_nothing_is_asked_of_a_link_that_is_not_there() -> None:
    async with rig() as made:
        for ask in (made.client.channels, made.client.core_status, made.client.ping):
            with pytest.raises(LinkDown):
                await ask()


async def test_cancelled_it_logs_off_and_closes() -> None:
    async with rig() as made:
        peer = await made.up()
        made.running.cancel()
        peer.answer(await peer.take("Logoff"), "Goodbye", Message="Thanks for all the fish.")
        assert await peer.end() == b""
        with pytest.raises(asyncio.CancelledError):
            await made.running
        assert made.client.state is LinkState.DOWN
        assert not made.client.up


async def test_cancelled_it_does_not_wait_for_a_dead_peer() -> None:
    async with rig(Timing(ping_interval=PATIENCE, logoff_timeout=0.01)) as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        made.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made.running
        with pytest.raises(LinkLost):
            await answer
        await peer.end()


@pytest.mark.parametrize("when", ["connecting", "refused", "down"])
async def test_cancelled_at_any_time_it_ends_down(when: str) -> None:
    async with rig() as made:
        peer = await made.server.accept()
        if when == "refused":
            peer.refuse(await peer.take("Login"), "Authentication failed")
            await made.state(LinkState.REFUSED)
        elif when == "down":
            peer.cut()
            await made.state(LinkState.DOWN)
        await made.stop()
        assert made.client.state is LinkState.DOWN


class Bug(Exception):
    """What a consumer's own mistake raises."""


async def run_with_a_bug(where: str) -> None:
    def on_event(message: Message) -> None:
        if where == message.name:
            raise Bug

    def on_link(change: LinkChange) -> None:
        if where == change.state.value:
            raise Bug

    async with ScriptedServer() as server:
        client = AmiClient(
            Address("127.0.0.1", server.port, "dialer", "s3cret"),
            on_event=on_event,
            on_link=on_link,
            wanted=WANTED,
            timing=Timing(ping_interval=PATIENCE, logoff_timeout=0.01),
        )
        running = asyncio.create_task(client.run())
        peer = await server.accept()
        script = asyncio.create_task(_misfortune(peer))
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({running})
        script.cancel()
        await asyncio.wait({script})
        await running


async def test_a_consumers_bug_that_an_answer_brings_out_ends_run_too() -> None:
    def on_link(change: LinkChange) -> None:
        if change.state is LinkState.UP:
            up.set()
        if change.state is LinkState.SHUTTING_DOWN:
            raise Bug

    up = asyncio.Event()
    async with ScriptedServer() as server:
        client = AmiClient(
            Address("127.0.0.1", server.port, "dialer", "s3cret"),
            on_event=lambda message: None,
            on_link=on_link,
            wanted=WANTED,
            timing=QUIET,
        )
        running = asyncio.create_task(client.run())
        peer = await server.accept()
        await peer.come_up()
        async with asyncio.timeout(PATIENCE):
            await up.wait()
            answer = client.originate(CALL)
            peer.refuse(await peer.take("Originate"), "Asterisk is shutting down")
            with pytest.raises(ActionRejected):
                await answer
            with pytest.raises(Bug):
                await running


async def _misfortune(peer: Peer) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await peer.come_up()
        peer.send("Event: Newstate\n\nEvent: Shutdown\n\n")


@pytest.mark.parametrize(
    "where", ["FullyBooted", "Newstate", "Shutdown", "logging-in", "up", "shutting-down"]
)
async def test_a_consumers_bug_ends_run_with_that_bug(where: str) -> None:
    with pytest.raises(Bug):
        await run_with_a_bug(where)


async def test_an_unreadable_authority_file_is_a_link_that_is_down() -> None:
    changes: asyncio.Queue[LinkChange] = asyncio.Queue()
    client = AmiClient(
        Address("127.0.0.1", 5039, "dialer", "s3cret", tls=True, tls_ca="/nonexistent/ca.pem"),
        on_event=lambda message: None,
        on_link=changes.put_nowait,
        wanted=WANTED,
    )
    running = asyncio.create_task(client.run())
    async with asyncio.timeout(PATIENCE):
        assert (await changes.get()).state is LinkState.CONNECTING
        change = await changes.get()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert change.state is LinkState.DOWN
    assert change.reason.startswith("tls_ca: ")


LOOPBACK = Path(__file__).with_name("loopback.pem")  # a key and certificate of 127.0.0.1


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls(trusted: bool) -> None:
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_cert_chain(LOOPBACK)
    changes: asyncio.Queue[LinkChange] = asyncio.Queue()
    async with ScriptedServer(tls=certificate) as server:
        authority = str(LOOPBACK) if trusted else None
        client = AmiClient(
            Address("127.0.0.1", server.port, "dialer", "s3cret", tls=True, tls_ca=authority),
            on_event=lambda message: None,
            on_link=changes.put_nowait,
            wanted=WANTED,
            timing=QUIET,
        )
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(PATIENCE):
            if trusted:
                await (await server.accept()).come_up()
            while (change := await changes.get()).state not in (LinkState.UP, LinkState.DOWN):
                pass
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert change.state is (LinkState.UP if trusted else LinkState.DOWN)
    assert trusted or "self-signed certificate" in change.reason


def test_tls_checks_who_answers() -> None:
    plain = Address("pbx", 5038, "dialer", "s3cret").endpoint()
    assert plain.tls is None
    context = Address("pbx", 5039, "dialer", "s3cret", tls=True).endpoint().tls
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


async def test_a_peer_without_tls_is_given_up_in_time() -> None:
    changes: asyncio.Queue[LinkChange] = asyncio.Queue()
    async with ScriptedServer() as server:
        client = AmiClient(
            Address("127.0.0.1", server.port, "dialer", "s3cret", tls=True),
            on_event=lambda message: None,
            on_link=changes.put_nowait,
            wanted=WANTED,
            timing=Timing(connect_timeout=0.02),
        )
        running = asyncio.create_task(client.run())
        await server.accept()
        async with asyncio.timeout(PATIENCE):
            while (change := await changes.get()).state is not LinkState.DOWN:
                pass
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert change.reason == "no connection within 0.02 s"


async def test_a_secret_is_said_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with rig() as made:
        peer = await made.server.accept()
        peer.refuse(await peer.take("Login"), "Authentication failed")
        change = await made.state(LinkState.REFUSED)
        assert "s3cret" not in repr((change, made.client.address))
    said = repr([vars(record) for record in caplog.records])
    assert "Authentication failed" in said
    assert "s3cret" not in said


class Overheard:
    """A tap: what passed, in order."""

    def __init__(self) -> None:
        self.received_data = b""
        self.sent_data = b""
        self.states: list[LinkState] = []

    def received(self, data: bytes) -> None:
        self.received_data += data

    def sent(self, data: bytes) -> None:
        self.sent_data += data

    def moved(self, state: LinkState, reason: str) -> None:
        self.states.append(state)


async def test_a_tap_sees_all_bytes_of_every_connection_and_the_moves() -> None:
    tap = Overheard()
    async with rig(tap=tap) as made:
        first = await made.up()
        first.send("Event: Unwanted\n\nEvent: Newstate\nUniqueid: 1\n\n")
        await made.event()  # FullyBooted
        await made.event()
        made.client.originate(CALL)
        await first.take("Originate")
        first.cut()
        await made.state(LinkState.DOWN)
        await made.up()
    assert tap.received_data.startswith(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n")
    assert b"Event: Unwanted\r\n\r\nEvent: Newstate\r\nUniqueid: 1\r\n\r\n" in tap.received_data
    assert tap.received_data.count(b"Asterisk Call Manager") == 2
    assert tap.sent_data.startswith(b"Action: Login\r\n")
    assert tap.sent_data.count(serialize(CALL)) == 1
    up = [LinkState.CONNECTING, LinkState.LOGGING_IN, LinkState.BOOTING, LinkState.UP]
    assert tap.states[:9] == [*up, LinkState.DOWN, *up]
