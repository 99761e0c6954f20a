"""Several workers of one Redis in one process, and drivers that note what they are told."""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self

from dialer.coordination.address import parse_address
from dialer.coordination.contract import Coordinator, Held, HeldSlot, SlotWish, Turn, Verdict
from dialer.coordination.redis import RedisCoordinator
from dialer.coordination.timing import Timing
from tests.patience import PATIENCE
from tests.redis_server import RedisServer

QUICK = Timing(
    beat=0.04,
    valid=0.4,
    margin=0.05,
    dead=0.8,
    spare=0.4,
    forget=2.0,
    timeout=0.3,
    retry=0.03,
    sweep=0.3,
    warm=0.1,
    room=0.05,
)
"""As in production, some six times as quick."""


async def until(condition: Callable[[], object]) -> None:
    """Returns as soon as it holds; looks again with every few turns of the loop."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        while not condition():
            turned = loop.create_future()
            loop.call_later(0.002, turned.set_result, None)
            await turned


class Hands:
    """A driver that adopts nothing, gives up what is wanted at once, and notes the rest."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.log: list[tuple[str, int]] = []
        self.granted_at: dict[int, float] = {}
        self.rooms = 0
        self.calls: tuple[HeldSlot, ...] = ()
        self.wanted: list[int] = []
        self.prompt = True
        self._giving: set[asyncio.Task[None]] = set()

    @property
    def servers(self) -> set[int]:
        """What this driver believes to have."""
        found: set[int] = set()
        for word, server in self.log:
            (found.add if word == "granted" else found.discard)(server)
        return found

    def server_granted(self, server_id: int) -> None:
        self.log.append(("granted", server_id))
        self.granted_at[server_id] = time.monotonic()
        live = [call for call in self.calls if call.server_id == server_id]
        self.coordinator.hold(server_id, live)

    def server_wanted(self, server_id: int) -> None:
        self.wanted.append(server_id)
        if self.prompt:
            self.log.append(("given", server_id))
            task = asyncio.ensure_future(self.coordinator.give_up(server_id))
            self._giving.add(task)
            task.add_done_callback(self._giving.discard)

    def server_lost(self, server_id: int) -> None:
        self.log.append(("lost", server_id))

    def room(self) -> None:
        self.rooms += 1


class Worker:
    """One life of a worker."""

    def __init__(self, coordinator: RedisCoordinator) -> None:
        self.coordinator = coordinator
        self.hands: Hands = Hands(coordinator)
        self._running: asyncio.Task[None] | None = None
        self._names = count()

    async def start(self, *servers: int) -> Self:
        await self.coordinator.open()
        self.coordinator.offer(servers)
        self.wake()
        return self

    def wake(self) -> None:
        """Begin, or go on after `freeze`."""
        self._running = asyncio.ensure_future(self.coordinator.run(self.hands))

    async def freeze(self) -> None:
        """It shows no sign of life any more; to the others the same as dying."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self._running = None

    def may_write(self, server: int) -> bool:
        return self.coordinator.may_write_until(server) > time.monotonic()

    async def take(
        self,
        client: int,
        server: int = 1,
        limit: int = 100,
        cps: float | None = None,
        channel: str | None = None,
    ) -> tuple[Verdict, str]:
        name = channel or f"{self.coordinator.worker}-{next(self._names)}"
        wish = SlotWish(client, server, name, limit, cps)
        return await self.coordinator.take(wish), name

    async def turn(self, client: int, cps: float | None) -> Turn | None:
        return await self.coordinator.turn(client, cps)


class Crew:
    """A Redis with workers that end with the test. `stored`: what the store says is held."""

    def __init__(self, *options: str, timing: Timing = QUICK) -> None:
        self.redis = RedisServer(*options)
        self.stored = Held((), ())
        self.read = self.read_stored
        self.rebuilds = 0
        self.unreadable: Exception | None = None
        self._timing = timing
        self._workers: list[Worker] = []

    async def rebuild(self) -> Held:
        self.rebuilds += 1
        if self.unreadable is not None:
            raise self.unreadable
        return await self.read()

    async def read_stored(self) -> Held:
        return self.stored

    def make(self, url: str | None = None) -> Worker:
        """`url`: another way to the same Redis."""
        address = parse_address(url or self.redis.url)
        name = f"w{len(self._workers)}"
        worker = Worker(RedisCoordinator(address, self.rebuild, worker=name, timing=self._timing))
        self._workers.append(worker)
        return worker

    async def hire(self, *servers: int, url: str | None = None) -> Worker:
        return await self.make(url).start(*servers)

    def writers(self, server: int) -> list[Worker]:
        """Who may write to it now."""
        return [worker for worker in self._workers if worker.may_write(server)]

    async def __aenter__(self) -> Self:
        self.redis.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            await worker.freeze()
        self.redis.kill()
        for worker in self._workers:
            await worker.coordinator.close()
        self.redis.__exit__(None, None, None)
