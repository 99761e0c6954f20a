"""What an operator is told of an Asterisk, against a scripted server."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from ami.client import Address, Timing
from ami.errors import LinkDown, LinkLost, LoginRefused
from ami.inspection import (
    CALL_EVENTS,
    FULLY_BOOTED,
    ServerReport,
    inspect_server,
    judge_version,
)
from tests.unit.ami.scripted_server import Peer, ScriptedServer

LEAST = ("Originate", "Hangup", "CoreShowChannels", "CoreStatus", "CoreSettings", "Ping")


@dataclass(frozen=True)
class Script:
    """What the server is and allows."""

    allows: tuple[str, ...] = LEAST
    version: str = "22.10.1"
    booted: bool = True
    hears_calls: bool = True
    takes_calls: bool = True
    context_refusal: str = ""
    stamp: str = "Timestamp: 1000000.250000\n"
    clock: str = "1000000.250000"


async def play(peer: Peer, script: Script) -> None:
    """Answers everything that an inspection asks, until the connection ends."""
    await peer.log_in(booted=script.booted)
    while True:
        try:
            action = await peer.take()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        name = action["Action"]
        if name == "ListCommands":
            listed = {allowed: f"{allowed}.  (Priv: all)" for allowed in script.allows}
            peer.answer(action, **listed)
        elif name not in script.allows:
            peer.refuse(action, "Permission denied")
        elif name == "Originate" and not script.takes_calls:
            peer.refuse(action, "Originate Access Forbidden: app or data blacklisted")
        elif action.get("Context") and script.context_refusal:
            peer.refuse(action, script.context_refusal)
        elif name == "Originate":
            # The event goes first, which is rare but allowed: no test then waits for it.
            if script.hears_calls:
                head = "Event: OriginateResponse\nResponse: Failure\nReason: 0\n"
                peer.send(f"{head}ActionID: of-another-client\n\n")
                peer.send(f"{head}{script.stamp}ActionID: {action['ActionID']}\n\n")
            peer.answer(action, Message="Originate successfully queued")
        else:
            peer.answer(
                action,
                Timestamp=script.clock,
                AsteriskVersion=script.version,
                SystemName="pbx1",
                CoreStartupDate="2026-08-01",
                CoreStartupTime="10:00:00",
            )


async def inspect(script: Script, *contexts: str) -> ServerReport:
    all_comes = script.booted and script.hears_calls and script.takes_calls
    ticks = iter((1_000_000.0, 1_000_000.5))
    async with ScriptedServer() as server:
        inspecting = asyncio.create_task(
            inspect_server(
                Address("127.0.0.1", server.port, "dialer", "s3cret"),
                contexts=contexts,
                wall=lambda: next(ticks),
                event_wait=5.0 if all_comes else 0.02,
            )
        )
        playing = asyncio.create_task(play(await server.accept(), script))
        report = await inspecting
        await playing
        return report


async def test_a_server_as_it_should_be() -> None:
    assert await inspect(Script()) == ServerReport(
        ami_version="11.0.0",
        asterisk_version="22.10.1",
        system_name="pbx1",
        startup="2026-08-01 10:00:00",
        round_trip=0.5,
        skew=0.0,
        timestamps=True,
        privileges={
            "Originate (write originate)": True,
            "Hangup (write call)": True,
            "CoreShowChannels (write reporting)": True,
            "CoreStatus (write reporting)": True,
            "Filter (write system)": False,
            "Command (write command)": False,
            FULLY_BOOTED: True,
            CALL_EVENTS: True,
        },
        warnings=(),
    )


@pytest.mark.parametrize(
    ("script", "warning"),
    [
        (Script(booted=False), f"lacks {FULLY_BOOTED}"),
        (Script(hears_calls=False), f"lacks {CALL_EVENTS}"),
        (Script(takes_calls=False), f"lacks {CALL_EVENTS}"),
        (
            Script(allows=(*LEAST, "Command")),
            "may Command (write command): take it away, a client's data could run programs",
        ),
        (
            Script(allows=(*LEAST, "Filter")),
            "may Filter (write system): take it away, a client's data could run programs",
        ),
        (
            Script(stamp=""),
            "timestampevents is off: call times will be those of arrival here",
        ),
        (Script(clock="1000010.25"), "its clock is +10.0 s from ours"),
        (Script(clock="999990.25"), "its clock is -10.0 s from ours"),
        (
            Script(version="22.9.0"),
            "Asterisk 22.9.0: has known faults that stop or corrupt calls; use 22.10.1 or later",
        ),
    ],
)
async def test_one_thing_wrong(script: Script, warning: str) -> None:
    assert (await inspect(script)).warnings == (warning,)


@pytest.mark.parametrize(
    ("refusal", "found"),
    [("", True), ("Extension does not exist.", False), ("Permission denied", None)],
)
async def test_a_context_that_was_asked_for(refusal: str, found: bool | None) -> None:
    report = await inspect(Script(context_refusal=refusal), "recording", "call-id")
    assert (report.contexts, report.warnings) == ({"recording": found, "call-id": found}, ())
    assert (await inspect(Script(context_refusal=refusal))).contexts == {}


async def test_a_user_who_may_do_nothing() -> None:
    report = await inspect(Script(allows=("Ping",), hears_calls=False))
    assert report.asterisk_version == ""
    assert report.startup == ""
    assert report.warnings[0] == "Asterisk of unknown version: not a release that can be judged"
    assert "lacks Originate (write originate)" in report.warnings


async def test_a_clock_that_does_not_tell() -> None:
    assert (await inspect(replace(Script(), clock="noon"))).skew is None


async def test_a_wrong_secret() -> None:
    async with ScriptedServer() as server:
        address = Address("127.0.0.1", server.port, "dialer", "s3cret")
        inspecting = asyncio.create_task(inspect_server(address))
        peer = await server.accept()
        peer.refuse(await peer.take("Login"), "Authentication failed")
        with pytest.raises(LoginRefused, match="Authentication failed"):
            await inspecting


async def test_nobody_there() -> None:
    async with ScriptedServer() as server:
        address = Address("127.0.0.1", server.port, "dialer", "s3cret")
    with pytest.raises(LinkDown):
        await inspect_server(address)
    with pytest.raises(LinkDown, match="tls_ca"):
        await inspect_server(replace(address, tls=True, tls_ca="/nonexistent/ca.pem"))


async def test_a_server_that_hangs_up() -> None:
    async with ScriptedServer() as server:
        address = Address("127.0.0.1", server.port, "dialer", "s3cret")
        inspecting = asyncio.create_task(inspect_server(address, Timing()))
        (await server.accept()).cut()
        with pytest.raises(LinkLost):
            await inspecting


@pytest.mark.parametrize(
    "version",
    [
        "20.20.1",
        "20.21.0",
        "22.10.1",
        "22.10.1+dfsg+~cs6.17.60671434-1",
        "22.11.0-rc1",
        "23.4.1",
        "24.0.0",
    ],
)
def test_versions_to_dial_with(version: str) -> None:
    assert judge_version(version) is None


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("18.26.4", "not supported"),
        ("21.12.0", "not supported"),
        ("20.19.0", "use 20.20.1 or later"),
        ("20.20.0", "use 20.20.1 or later"),
        ("22.8.2", "use 22.10.1 or later"),
        ("23.3.0", "use 23.4.1 or later"),
        ("22.10", "use 22.10.1 or later"),
        ("GIT-master-1a2b3c", "not a release"),
        ("", "of unknown version"),
    ],
)
def test_versions_not_to_dial_with(version: str, said: str) -> None:
    assert said in (judge_version(version) or "")
