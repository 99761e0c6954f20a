"""What others do to calls of the lab while they live: second legs send the called party on, and an
Asterisk does not end a call that lasts too long."""

import asyncio
from types import TracebackType
from typing import Self

from tests.lab.raw_ami import Message, RawAmi
from tests.lab.running_lab import Server

BLIND, ATTENDED = "58", "59"
"""How the numbers of second legs begin that transfer."""

BLINDLY, TALKED_TO = "5503008", "5503000"
"""Whom the called parties are sent to."""

UNLIMITED = "5551099"
"""Calls with this caller ID are not ended by Asterisk: the dialer has to."""


class Meddler:
    """A session of its own. Each second leg whose number begins so transfers once: as soon as it
    talks, or when the one that it called answered. An async context manager."""

    def __init__(self, server: Server) -> None:
        self.transfers = 0
        self._server = server
        self._wanted: dict[str, str] = {}  # the second leg's Uniqueid → how its number begins
        self._consulting: dict[str, str] = {}  # Linkedid → the second leg's channel

    async def __aenter__(self) -> Self:
        self._ami = await RawAmi.connect(self._server.host, self._server.port)
        await self._ami.login(self._server.username, self._server.secret)
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._ami.__aexit__(kind, error, trace)

    async def _watch(self) -> None:
        while True:
            await self._ami.until(lambda it: bool(it.messages), 3600)
            messages = list(self._ami.messages)
            self._ami.forget()
            for message in messages:
                self._take(message)

    def _take(self, message: Message) -> None:
        match message.event:
            case "DialBegin" if message["Uniqueid"]:
                self._wanted[message["DestUniqueid"]] = message["DialString"][:2]
            case "BridgeEnter":
                self._transfer(message)
            case "DialEnd" if message["DialStatus"] == "ANSWER" and not message["Uniqueid"]:
                channel = self._consulting.pop(message["DestLinkedid"], None)
                if channel is not None:
                    self._send("Hangup", channel)
            case "Newstate" if message["CallerIDNum"] == UNLIMITED:
                self._send("Setvar", message["Channel"], Variable="TIMEOUT(absolute)", Value="0")

    def _transfer(self, message: Message) -> None:
        """What a second leg does that has just begun to talk."""
        channel, begin = message["Channel"], self._wanted.pop(message["Uniqueid"], "")
        if begin == BLIND:
            self.transfers += 1
            self._send("BlindTransfer", channel, Context="lab-out", Exten=BLINDLY)
        elif begin == ATTENDED:
            self.transfers += 1
            self._consulting[message["Linkedid"]] = channel
            self._send("Atxfer", channel, Context="lab-transfer", Exten=TALKED_TO)

    def _send(self, action: str, channel: str, **headers: str) -> None:
        self._ami.send(action, {"ActionID": "meddles", "Channel": channel, **headers})
