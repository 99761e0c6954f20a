"""One call to each number of the carrier's table, all at once, and what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.lab.carrier_log import CarrierCall, read_calls
from tests.lab.raw_ami import Message, RawAmi
from tests.lab.running_lab import Lab, Server
from tests.patience import PATIENCE

ENDINGS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "57")
"""Every row of the table; 57 stands for `anything else`."""

SHORT_TIMEOUT_MS = 2000
"""Of the number that rings for ever."""


RUN = f"{time.time_ns() % 10**9:09d}"
"""Of this process: two runs of the tests may share a lab."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What AMI said of one call, and what the carrier noted of it."""

    events: tuple[Message, ...]
    carrier: CarrierCall

    def named(self, event: str) -> list[Message]:
        return [message for message in self.events if message.event == event]

    def only(self, event: str) -> Message:
        """The one event of that name. Raises ValueError where there are none or more."""
        (message,) = self.named(event)
        return message

    @property
    def rang(self) -> bool:
        return any(message["ChannelStateDesc"] == "Ringing" for message in self.named("Newstate"))

    @property
    def progressed(self) -> bool:
        return any(message["DialStatus"] == "PROGRESS" for message in self.named("DialState"))


def unique(name: str) -> str:
    """An ActionID and ChannelId that no other run uses."""
    return f"{name}-{RUN}"


@asynccontextmanager
async def logged_in(server: Server) -> AsyncIterator[RawAmi]:
    async with await RawAmi.connect(server.host, server.port) as ami:
        response = await ami.login(server.username, server.secret)
        assert response["Response"] == "Success"
        yield ami


def originate(ami: RawAmi, identity: str, number: str, timeout_ms: int = 20_000) -> None:
    headers = {
        "ActionID": identity,
        "Channel": f"PJSIP/{number}@carrier",
        "Application": "Wait",
        "Data": "60",
        "Timeout": str(timeout_ms),
        "CallerID": '"Lab" <5551000>',
        "ChannelId": identity,
        "Async": "true",
    }
    ami.send("Originate", headers)


def belongs(message: Message, identity: str) -> bool:
    return identity in (message["Uniqueid"], message["DestUniqueid"], message["ActionID"])


def is_over(ami: RawAmi, identities: set[str]) -> bool:
    """Are Hangup and OriginateResponse of all these calls in?"""
    ends = {(m.event, m["Uniqueid"]) for m in ami.messages}
    return all({("Hangup", i), ("OriginateResponse", i)} <= ends for i in identities)


async def await_carrier(lab: Lab, observer: RawAmi, run: str, since: float) -> list[CarrierCall]:
    """The carrier's calls of this run, once it has noted the end of each.

    Its log is written by a thread of its own: a Ping's round trip between two looks.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            calls = [c for c in read_calls(lab.carrier_log, since) if c.number.startswith(run)]
            if len(calls) >= len(ENDINGS) and all(call.ended_at for call in calls):
                return calls
            observer.forget()
            await observer.ask("Ping", {"ActionID": "look-again"})


async def call_every_number(lab: Lab) -> dict[str, list[Seen]]:
    """By ending, what was seen of the one call to it (as many as the carrier had).

    The call that talks for 30 s is hung up by us when all others are over.
    """
    since = time.time() - 1
    run = f"7{RUN}"
    identities = {ending: unique(f"table-{ending}") for ending in ENDINGS}
    async with AsyncExitStack() as stack:
        ami = await stack.enter_async_context(logged_in(lab.pbx1))
        observer = await stack.enter_async_context(logged_in(lab.carrier))
        for ending, identity in identities.items():
            timeout_ms = SHORT_TIMEOUT_MS if ending == "02" else 20_000
            originate(ami, identity, run + ending, timeout_ms)
        others = {identity for ending, identity in identities.items() if ending != "07"}
        await ami.until(lambda session: is_over(session, others))
        await ami.ask("Hangup", {"ActionID": "end-07", "Channel": identities["07"]})
        await ami.until(lambda session: is_over(session, set(identities.values())))
        calls = await await_carrier(lab, observer, run, since)
        return {
            ending: [
                Seen(tuple(m for m in ami.messages if belongs(m, identity)), call)
                for call in calls
                if call.number == run + ending
            ]
            for ending, identity in identities.items()
        }
