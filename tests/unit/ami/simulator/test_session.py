"""Sessions: login, lines, filters, slow readers."""

import hashlib

import pytest

from ami.simulator import AmiUser, SimulatorConfig
from tests.unit.ami.simulator.wiretap import FAST, connect, logged_in, simulated


async def test_md5_login() -> None:
    async with simulated() as (_, tap):
        response = await tap.ask("Challenge", AuthType="MD5")
        key = hashlib.md5((response.get("Challenge") + "dialer-lab").encode()).hexdigest()
        answer = await tap.ask("Login", AuthType="MD5", Username="dialer", Key=key)
        assert answer.get("Message") == "Authentication accepted"


async def test_md5_login_without_challenge_or_type() -> None:
    async with simulated() as (_, tap):
        assert (await tap.ask("Challenge", AuthType="none")).name == "Error"
        key = hashlib.md5(b"dialer-lab").hexdigest()
        answer = await tap.ask("Login", AuthType="MD5", Username="dialer", Key=key)
        assert answer.get("Message") == "Authentication failed"
        await tap.ended()


async def test_bytes_one_at_a_time_and_bare_lf() -> None:
    async with simulated() as (_, tap):
        text = b"action: LOGIN\nUsername:dialer\nsecret:  dialer-lab\n\n".replace(b":  ", b": ")
        for byte in text:
            tap.send_raw(bytes([byte]))
        await tap.first(lambda m: m.name == "FullyBooted")


async def test_an_action_behind_a_refused_login_is_never_done() -> None:
    async with simulated() as (_, tap):
        tap.send("Login", ActionID="1", Username="dialer", Secret="wrong")
        tap.send("Login", ActionID="2", Username="dialer", Secret="dialer-lab")
        await tap.ended()
        assert [m.get("Message") for m in tap.messages] == ["Authentication failed"]


async def test_events_only_for_those_who_may_and_want() -> None:
    users = (
        AmiUser(),
        AmiUser("deaf", read=frozenset({"system"})),
        AmiUser("blind", read=frozenset({"call"})),
        AmiUser("picky", events=frozenset({"Hangup"})),
    )
    async with simulated(SimulatorConfig(users=users, scale=0.01, call_ids=False)) as (
        simulator,
        tap,
    ):
        taps = {
            user.name: tap if user.name == "dialer" else await connect(simulator) for user in users
        }
        for user in users:
            await taps[user.name].login(user)
        muted = await connect(simulator)
        await muted.login()
        await muted.ask("Events", EventMask="off")
        tap.originate("call-1", "PJSIP/9001@carrier")
        await tap.event("Hangup", "call-1")
        await tap.event("OriginateResponse", "call-1")
        heard = {}
        for name, other in {**taps, "muted": muted}.items():
            await other.ask("Ping")
            heard[name] = {m.name for m in other.messages if m.kind.value == "event"}
            if other is not tap:
                await other.close()
        assert heard["dialer"] > {"FullyBooted", "Newchannel", "DialBegin", "DialEnd", "Hangup"}
        assert heard["deaf"] == {"FullyBooted"}
        assert heard["picky"] == {"Hangup"}
        assert heard["blind"] == heard["dialer"] - {"FullyBooted"}
        assert heard["muted"] == {"FullyBooted"}


async def test_originate_response_goes_to_every_session() -> None:
    async with logged_in() as (simulator, tap):
        other = await connect(simulator)
        await other.login()
        tap.originate("call-1", "PJSIP/9001@carrier")
        response = await other.event("OriginateResponse", "call-1")
        assert response.get("ActionID") == "call-1-action"
        await other.close()


async def test_too_many_lines() -> None:
    async with logged_in() as (_, tap):
        tap.send_raw(b"Action: Ping\r\n" + b"X: 1\r\n" * 128 + b"\r\n")
        message = await tap.first(lambda m: m.name == "Error")
        assert message.get("Message") == "Too many lines in message or allocation failure"


@pytest.mark.parametrize(("length", "errors"), [(1023, 2), (1024, 1), (5000, 1)])
async def test_too_long_lines(length: int, errors: int) -> None:
    async with logged_in() as (_, tap):
        tap.send_raw(b"Action: Ping\r\nActionID: a\r\nX: " + b"x" * (length - 3) + b"\r\n\r\n")
        assert (await tap.ask("Ping")).get("ActionID") in ("a", "ask")
        await tap.first(lambda m: m.get("Ping") == "Pong")
        assert sum(m.name == "Error" for m in tap.messages) == errors


async def test_a_reader_that_leaves_too_much_is_cut_off() -> None:
    config = SimulatorConfig(max_backlog=1000, scale=0.0)
    async with logged_in(config) as (simulator, tap):
        tap.send_raw(b"Action: CoreSettings\r\n\r\n" * 60_000)
        await tap.ended()
        assert simulator.counters.sessions == 0


async def test_a_half_written_action_is_not_done() -> None:
    async with simulated(FAST) as (simulator, tap):
        await tap.login()
        other = await connect(simulator)
        await other.login()
        other.send_raw(b"Action: Originate\r\nChannel: PJSIP/9001@carrier\r\nAsync: true\r\n")
        await other.close()
        await tap.ask("Ping")
        assert simulator.counters.originates == 0
