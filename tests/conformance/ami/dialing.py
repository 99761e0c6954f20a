"""Originates cases through our client, translation and tracker, all at once, and collects their
reports."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ami import (
    WANTED,
    Address,
    AmiClient,
    CallEffect,
    CallEnded,
    CallReport,
    CallTracker,
    LinkChange,
    LinkState,
    Message,
    Originate,
    translate,
)
from tests.conformance.ami.cases import Case, Trigger
from tests.patience import PATIENCE


class Dialing:
    """One client's link and its calls."""

    def __init__(self, address: Address) -> None:
        self.client = AmiClient(address, on_event=self._heed, on_link=self._see_link, wanted=WANTED)
        self.tracker = CallTracker()
        self.messages: list[Message] = []
        self._up = asyncio.Event()
        self._reports: dict[str, asyncio.Future[CallReport]] = {}
        self._triggers: dict[str, Trigger] = {}
        self._hangups: set[asyncio.Task[bool]] = set()

    async def up(self) -> None:
        await asyncio.wait_for(self._up.wait(), PATIENCE)

    def originate(self, case: Case, channel_id: str | None = None) -> str:
        """Start a call; its ChannelId."""
        call = channel_id or str(uuid.uuid4())
        action = f"{uuid.uuid4()}"
        self.tracker.begin(call, action, time.time(), time.monotonic())
        self._reports[call] = asyncio.get_running_loop().create_future()
        if case.hang_on is not None:
            self._triggers[call] = case.hang_on
        self.client.originate(self.request(case, call, action))
        return call

    async def report(self, call: str) -> CallReport:
        return await asyncio.wait_for(self._reports[call], PATIENCE)

    @staticmethod
    def request(case: Case, call: str, action: str) -> Originate:
        recorded = case.application is None
        return Originate(
            action_id=action,
            channel_id=call,
            channel=case.channel,
            timeout_ms=case.timeout_ms,
            application=case.application,
            data="" if recorded else case.data,
            context="dialer-recording" if recorded else None,
            exten="s" if recorded else None,
            priority=1 if recorded else None,
            caller_id='"Conformance" <5551000>',
            variables=case.variables,
        )

    def _see_link(self, change: LinkChange) -> None:
        if change.state is LinkState.UP:
            self._up.set()

    def _heed(self, message: Message) -> None:
        self.messages.append(message)
        event = translate(message, time.time())
        if event is None:
            return
        self._settle(self.tracker.apply(event, time.monotonic()))
        for call, trigger in list(self._triggers.items()):
            if trigger(event, call):
                del self._triggers[call]
                self.tracker.cancelling(call)
                task = asyncio.get_running_loop().create_task(self.client.hangup(call))
                self._hangups.add(task)
                task.add_done_callback(self._hangups.discard)

    def _settle(self, effects: list[CallEffect]) -> None:
        for effect in effects:
            if isinstance(effect, CallEnded):
                self._reports[effect.report.channel_id].set_result(effect.report)
        expiry = self.tracker.next_expiry()
        if expiry is not None:
            delay = max(0.0, expiry - time.monotonic())
            loop = asyncio.get_running_loop()
            loop.call_later(delay, lambda: self._settle(self.tracker.expire(time.monotonic())))


@asynccontextmanager
async def dialing(address: Address) -> AsyncIterator[Dialing]:
    """A client whose link is up."""
    calls = Dialing(address)
    running = asyncio.create_task(calls.client.run())
    try:
        await calls.up()
        yield calls
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
