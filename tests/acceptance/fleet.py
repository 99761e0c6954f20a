"""Several engines in this process, as workers of their own, over one store, one Redis and two
simulated Asterisks."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from ami import Address
from ami.simulator import Simulator, SimulatorConfig
from dialer.backends import rebuild_from
from dialer.clock import SystemClock
from dialer.coordination.address import parse_address
from dialer.coordination.local import LocalSignals
from dialer.coordination.redis import RedisCoordinator
from dialer.coordination.timing import Timing
from dialer.engine import Engine, EngineParts
from dialer.errors import StoreUnavailable
from dialer.fitness import Patience
from dialer.ids import Ids
from dialer.ownership import Tenure
from dialer.presence import Presence
from dialer.store import open_store
from dialer.store.contract import Server, Store, StoredKey
from tests import store_records as make
from tests.held_calls import HELD, answer, hang_up
from tests.patience import PATIENCE
from tests.redis_server import RedisServer

SECRET_ENV = "FLEET_SECRET"
TIMING = Timing(
    beat=0.1,
    valid=1.2,
    margin=0.1,
    dead=2.0,
    spare=1.0,
    forget=10.0,
    timeout=0.8,
    retry=0.05,
    sweep=0.5,
    warm=0.2,
    room=0.1,
)
"""Some three times as quick as in production: one loop has all workers here, and the Asterisks."""
PATIENCE_WITH = Patience(database=4.0, disk=1.0, link=1.0, rest=3600.0, longest=3600.0)
"""Of what cannot be driven. A worker speaks to the database every two seconds."""
SHORT = "08"
"""The ending of numbers whose calls last some milliseconds (docs of the lab's number table); those
that end as `HELD` last until `Fleet.hang_up`."""


class Way:
    """A worker's way to the store. `cut`: nothing gets through, but what stays on its machine.
    `full`: that alone does not."""

    def __init__(self, store: Store) -> None:
        self.cut = False
        self.full = False
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if not self.cut or name.startswith(("note_", "on_")):
            return getattr(self._store, name)
        return _fail

    def note_sent(self, channel_id: str) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self._store.note_sent(channel_id)

    def can_note(self) -> bool:
        return not self.full


async def _fail(*arguments: object) -> None:
    raise StoreUnavailable("the way to the database is cut")


class Hand:
    """One life of a worker."""

    def __init__(self, fleet: "Fleet", name: str) -> None:
        clock, ids = SystemClock(), Ids(os.urandom)
        self.name = name
        self.way = Way(fleet.store)
        store: Any = self.way
        self.coordinator = RedisCoordinator(
            parse_address(fleet.redis.url),
            rebuild_from(store, clock.now),
            worker=name,
            timing=TIMING,
        )
        self.engine = Engine(
            EngineParts(
                store=store,
                clock=clock,
                signals=fleet.signals,
                coordinator=self.coordinator,
                presence=Presence(store, clock, "worker", name),
                sgapi=None,
                new_id=lambda: ids.new(clock.now()),
                offer=lambda deliveries: None,
                wake_delivery=lambda: None,
                max_call_duration=7200,
                patience=PATIENCE_WITH,
            )
        )
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.coordinator.open()
        ready = asyncio.Event()
        self._running = asyncio.create_task(self.engine.run(ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._running

    @property
    def servers(self) -> set[int]:
        """Those that it has and is connected to."""
        return {
            server_id
            for server_id, stage in self.engine.ownership.stages.items()
            if stage is Tenure.OURS and self.engine.planner.is_up(server_id)
        }

    def lose_way_to(self, server_id: int, port: int) -> None:
        """From now on it reaches nobody there (`port`: of 127.0.0.1), but all others."""
        links = self.engine._links
        found = links.find_address

        def find(server: Server) -> Address | None:
            address = found(server)
            here = address is not None and server.id == server_id
            return replace(address, port=port) if here and address else address

        links.find_address = find  # type: ignore[method-assign]
        links.keep(self.engine.planner.server(server_id))

    async def retire(self) -> list[str]:
        """What SIGTERM does; the calls that it left to nobody."""
        left = await self.engine.drain(PATIENCE)
        await self._cut()
        await self.coordinator.close()
        return left

    async def die(self) -> None:
        """What SIGKILL does: nobody is told."""
        await self._cut()

    async def _cut(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None


@dataclass(slots=True)
class Fleet:
    """Start it as an async context manager. `scale` shortens what the far end does."""

    folder: Path
    scale: float = 0.05
    channels: int = 20
    redis: RedisServer = field(default_factory=RedisServer)
    store: Store = field(init=False)
    signals: LocalSignals = field(default_factory=LocalSignals)
    asterisks: list[Simulator] = field(default_factory=list)
    hands: list[Hand] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setenv(SECRET_ENV, "dialer-lab")
        self._stack.callback(monkeypatch.undo)
        self._stack.enter_context(self.redis)
        self.store = open_store(make.make_store_file(self.folder / "d.db"))
        await self.store.open()
        self._stack.push_async_callback(self.store.close)
        await self.store.claim()
        for code in ("pbx1", "pbx2"):
            asterisk = Simulator(SimulatorConfig(scale=self.scale, far_end=answer))
            await asterisk.start()
            self._stack.push_async_callback(asterisk.stop)
            self.asterisks.append(asterisk)
            server = Server(0, code, "127.0.0.1", asterisk.port, "dialer", secret_env=SECRET_ENV)
            await self.store.add_server(server, time.time())
        client = replace(
            make.CLIENT, allocated_channels=self.channels, max_cps=None, callback_url=None
        )
        await self.store.add_client(client, StoredKey("l", "d"), time.time())
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        for hand in self.hands:
            await hand.die()
            await hand.coordinator.close()
        await self._stack.aclose()

    async def hire(self) -> Hand:
        hand = Hand(self, f"worker-{len(self.hands) + 1}")
        self.hands.append(hand)
        await hand.start()
        return hand

    async def load(self, count: int, ending: str = SHORT) -> int:
        """So many calls for each server; the queue's id."""
        items = [
            make.item(server_id=server_id, payload_json=write_payload(number, ending))
            for number in range(count)
            for server_id in (1, 2)
        ]
        batch = replace(make.batch(*items), now=time.time())
        stored = await self.store.insert_batch(batch)
        self.signals.items_added(stored.queue_id)
        return stored.queue_id

    async def hang_up(self) -> None:
        """End all calls that are held, once all are answered."""
        await until(lambda: self.originates == sum(a.counters.answered for a in self.asterisks))
        for asterisk in self.asterisks:
            numbers = {call.number for call in asterisk.calls if call.number.endswith(HELD)}
            hang_up(asterisk, *numbers)

    @property
    def originates(self) -> int:
        return sum(asterisk.counters.originates for asterisk in self.asterisks)

    @property
    def live(self) -> int:
        return sum(asterisk.counters.live_calls for asterisk in self.asterisks)

    async def ended(self, queue_id: int | None = None) -> Counter[str]:
        """How attempts (of this queue) ended, as their records say."""
        cdrs = [cdr for _, cdr in await self.store.cdrs(None, 0, 10_000)]
        return Counter(cdr.disposition for cdr in cdrs if queue_id in (None, cdr.queue_id))

    async def until_ended(self, count: int) -> Counter[str]:
        async with asyncio.timeout(PATIENCE):
            while (ended := await self.ended()).total() < count:
                pass
        return ended


def write_payload(number: int, ending: str) -> str:
    action = {
        "Action": "Originate",
        "Channel": f"PJSIP/1{number:05}{ending}@carrier",
        "Application": "Wait",
        "Data": "36000",
    }
    return json.dumps({"action": action})


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not met():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
