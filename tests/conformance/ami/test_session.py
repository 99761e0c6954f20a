"""The session itself: what each peer answers, word for word, to a bare AMI client."""

import asyncio
import re
import time

import pytest

from ami import Address
from tests.conformance.ami.conftest import Peer
from tests.lab.raw_ami import Message, RawAmi

LONG_ID = "i" * 150
ANSWERS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    # name: action, its headers, the answer's headers
    "ping": ("Ping", {}, {"Response": "Success", "Ping": "Pong"}),
    "any case": ("pInG", {}, {"Response": "Success", "Ping": "Pong"}),
    "unknown": (
        "NoSuchAction",
        {},
        {
            "Response": "Error",
            "Message": "Invalid/unknown command: NoSuchAction. Use Action: ListCommands to show"
            " available commands.",
        },
    ),
    "no privilege": (
        "Command",
        {"Command": "core show version"},
        {"Response": "Error", "Message": "Permission denied"},
    ),
    "filter": (
        "Filter",
        {"Operation": "Add", "Filter": "x"},
        {"Response": "Error", "Message": "Permission denied"},
    ),
    "hangup of nobody": (
        "Hangup",
        {"Channel": "no-such-channel"},
        {"Response": "Error", "Message": "No such channel"},
    ),
    "hangup without channel": (
        "Hangup",
        {},
        {"Response": "Error", "Message": "No channel specified"},
    ),
    "no channel": ("Originate", {}, {"Response": "Error", "Message": "Channel not specified"}),
    "odd channel": (
        "Originate",
        {"Channel": "PJSIP", "Application": "Wait", "Async": "true"},
        {"Response": "Error", "Message": "Invalid channel"},
    ),
    "odd timeout": (
        "Originate",
        {"Channel": "PJSIP/1@carrier", "Timeout": "soon", "Async": "true"},
        {"Response": "Error", "Message": "Invalid timeout"},
    ),
    "odd priority": (
        "Originate",
        {"Channel": "PJSIP/1@carrier", "Priority": "x y", "Async": "true"},
        {"Response": "Error", "Message": "Invalid priority"},
    ),
    "no such extension": (
        "Originate",
        {"Channel": "PJSIP/1@carrier", "Context": "nowhere", "Exten": "s", "Priority": "1"},
        {"Response": "Error", "Message": "Extension does not exist."},
    ),
    "forbidden application": (
        "Originate",
        {"Channel": "PJSIP/1@carrier", "Application": "System", "Data": "x", "Async": "true"},
        {"Response": "Error", "Message": "Originate Access Forbidden: app or data blacklisted"},
    ),
    "forbidden data": (
        "Originate",
        {"Channel": "PJSIP/1@carrier", "Application": "Playback", "Data": "aDBb", "Async": "true"},
        {"Response": "Error", "Message": "Originate Access Forbidden: app or data blacklisted"},
    ),
    "events off": ("Events", {"EventMask": "off"}, {"Response": "Success", "Events": "Off"}),
    "events on": ("Events", {"EventMask": "on"}, {"Response": "Success", "Events": "On"}),
    "1022 bytes": ("Ping", {"X": "x" * 1019}, {"Response": "Success", "Ping": "Pong"}),
    "1040 bytes": (
        "Ping",
        {"X": "x" * 1037},
        {"Response": "Error", "Message": "Failed to parse message: line too long"},
    ),
    "logged in already": (
        "Login",
        {"Username": "dialer", "Secret": "dialer-lab"},
        {"Response": "Success", "Message": "Already authenticated"},
    ),
}


async def connect(address: Address) -> RawAmi:
    return await RawAmi.connect(address.host, address.port)


@pytest.fixture(scope="module")
def answers(peer: Peer) -> dict[str, Message]:
    """What the peer answers to each action, in one session."""

    async def ask_all() -> dict[str, Message]:
        async with peer() as address, await connect(address) as ami:
            await ami.login(address.username, address.secret)
            return {
                name: await ami.ask(action, {"ActionID": name.replace(" ", "-"), **headers})
                for name, (action, headers, _) in ANSWERS.items()
            }

    return asyncio.run(ask_all())


@pytest.mark.parametrize("name", ANSWERS)
def test_answer(answers: dict[str, Message], name: str) -> None:
    headers = dict(answers[name].headers)
    assert headers.pop("ActionID") == name.replace(" ", "-")
    headers.pop("Timestamp", None)
    assert headers == ANSWERS[name][2]


async def test_before_the_login_nothing_is_allowed(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        assert (await ami.ask("Ping", {"ActionID": "1"}))["Message"] == "Permission denied"
        assert ami.received.startswith(b"Asterisk Call Manager/11.0.0\r\n")


async def test_login_tells_that_it_is_booted(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        response = await ami.login(address.username, address.secret)
        assert response["Message"] == "Authentication accepted"
        booted = next(message for message in ami.messages if message.event == "FullyBooted")
        assert [name for name, _ in booted.headers] == [
            "Event",
            "Privilege",
            "Uptime",
            "LastReload",
            "Status",
        ]


@pytest.mark.realtime
@pytest.mark.parametrize("user", ["dialer", "nobody"])
async def test_a_refused_login_waits_and_closes(peer: Peer, user: str) -> None:
    async with peer() as address, await connect(address) as ami:
        begun = time.monotonic()
        response = await ami.ask("Login", {"ActionID": "1", "Username": user, "Secret": "wrong"})
        assert (response["Response"], response["Message"]) == ("Error", "Authentication failed")
        await ami.until(lambda session: session.closed)
        assert 0.9 < time.monotonic() - begun < 3.0


async def test_logoff_closes(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        await ami.login(address.username, address.secret)
        response = await ami.ask("Logoff", {"ActionID": "1"})
        assert response["Response"] == "Goodbye"
        assert response["Message"] == "Thanks for all the fish."
        await ami.until(lambda session: session.closed)


async def test_a_line_of_1023_bytes_gives_two_errors(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        await ami.login(address.username, address.secret)
        ami.forget()
        ami.send("Ping", {"ActionID": "odd", "X": "x" * 1020})
        await ami.until(lambda session: len(session.messages) == 2)
        assert [(message["ActionID"], message["Message"]) for message in ami.messages] == [
            ("odd", "Failed to parse message: line too long"),
            ("", "Missing action in request"),
        ]
        assert (await ami.ask("Ping", {"ActionID": "after"}))["Ping"] == "Pong"


@pytest.mark.parametrize(("lines", "word"), [(126, "Success"), (127, "Error")])
async def test_128_headers_and_no_more(peer: Peer, lines: int, word: str) -> None:
    async with peer() as address, await connect(address) as ami:
        await ami.login(address.username, address.secret)
        ami.send("Ping", [("ActionID", "many"), *[("X", "1")] * lines])
        response = await ami.first(lambda message: message["ActionID"] == "many")
        assert response["Response"] == word


async def test_a_too_long_id_is_refused(peer: Peer) -> None:
    """The text ends in a bare LF, inside the message."""
    async with peer() as address, await connect(address) as ami:
        await ami.login(address.username, address.secret)
        headers = {"ActionID": "1", "Channel": "PJSIP/1@carrier", "ChannelId": LONG_ID}
        response = await ami.ask("Originate", headers)
        assert response["Message"] == "Uniqueid length exceeds maximum of 149"
        assert b"maximum of 149\n\r\n" in ami.received


async def test_md5_challenge(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        response = await ami.ask("Challenge", {"ActionID": "1", "AuthType": "MD5"})
        assert re.fullmatch(r"\d+", response["Challenge"])


async def test_status_and_settings(peer: Peer) -> None:
    async with peer() as address, await connect(address) as ami:
        await ami.login(address.username, address.secret)
        status = await ami.ask("CoreStatus", {"ActionID": "1"})
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", status["CoreStartupDate"])
        assert re.fullmatch(r"\d\d:\d\d:\d\d", status["CoreStartupTime"])
        names = [name for name, _ in status.headers]
        assert names[2:] == [
            "CoreStartupDate",
            "CoreStartupTime",
            "CoreReloadDate",
            "CoreReloadTime",
            "CoreCurrentCalls",
            "CoreProcessedCalls",
        ]
        settings = await ami.ask("CoreSettings", {"ActionID": "2"})
        assert settings["AsteriskVersion"].startswith("22.")
        assert settings["AMIversion"] == "11.0.0"
        listed = await ami.ask("ListCommands", {"ActionID": "3"})
        assert listed["Hangup"] == "Hangup channel.  (Priv: system,call,all)"
        assert listed["Command"] == ""
