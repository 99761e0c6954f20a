"""A supervised client, the server that it connects to, and all that it says."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from ami.client import Address, AmiClient, LinkChange, LinkTap, Timing
from ami.link import LinkState
from ami.wire import Message
from tests.patience import PATIENCE
from tests.unit.ami.scripted_server import Peer, ScriptedServer

WANTED = frozenset({"Newstate"})
QUIET = Timing(ping_interval=PATIENCE, logoff_timeout=0.01)  # no ping gets in a test's way


@dataclass
class Rig:
    """A client, the server that it connects to, and all that it said."""

    server: ScriptedServer
    client: AmiClient
    running: "asyncio.Task[None]"
    events: "asyncio.Queue[Message]"
    changes: "asyncio.Queue[LinkChange]"
    pauses: list[float] = field(default_factory=list)

    async def state(self, wanted: LinkState) -> LinkChange:
        """The next change to `wanted`; others before it are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                change = await self.changes.get()
                if change.state is wanted:
                    return change

    async def event(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()

    async def up(self) -> Peer:
        peer = await self.server.accept()
        await peer.come_up()
        await self.state(LinkState.UP)
        return peer

    async def stop(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running


@asynccontextmanager
async def rig(timing: Timing = QUIET, tap: LinkTap | None = None) -> AsyncIterator[Rig]:
    events: asyncio.Queue[Message] = asyncio.Queue()
    changes: asyncio.Queue[LinkChange] = asyncio.Queue()
    pauses: list[float] = []

    async def note_pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    ticks = iter(range(1_000_000))
    async with ScriptedServer() as server:
        client = AmiClient(
            Address("127.0.0.1", server.port, "dialer", "s3cret"),
            on_event=events.put_nowait,
            on_link=changes.put_nowait,
            wanted=WANTED,
            timing=timing,
            rng=random.Random(1),
            clock=lambda: float(next(ticks)),
            sleep=note_pause,
            tap=tap,
        )
        running = asyncio.create_task(client.run())
        made = Rig(server, client, running, events, changes, pauses)
        try:
            yield made
        finally:
            for peer in server.peers:
                peer.cut()  # nobody answers a Logoff now
            await made.stop()
