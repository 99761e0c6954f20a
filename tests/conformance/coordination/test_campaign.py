"""Workers place calls while Redis and they themselves fail in every way, in random order: never is
a cap passed, never do two write to one server, and in the end no slot is left."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from dialer.coordination.contract import Held, HeldSlot, Verdict
from dialer.errors import CoordinationUnavailable
from tests.crew import QUICK, Crew, Hands, Worker, until

pytestmark = pytest.mark.realtime

LIMITS = {1: 5, 2: 3}
SERVERS = (1, 2)
PER_SERVER = 12
DISK = (*[0.0] * 6, *[0.01] * 3, 0.9)
"""Seconds until an attempt is on disk, and then until its turn; the last is a disk that stalls."""


@dataclass
class World:
    """The store and the telephone network."""

    owner: dict[int, str] = field(default_factory=dict)
    open: dict[str, HeldSlot] = field(default_factory=dict)  # attempts on disk
    live: dict[int, set[str]] = field(default_factory=lambda: {client: set() for client in LIMITS})
    followers: dict[int, "Dialing"] = field(default_factory=dict)
    calls: int = 0
    dialing: bool = True

    def write(self, dialer: "Dialing", slot: HeldSlot) -> None:
        """An Originate on the wire: here everything must be right."""
        assert self.owner[slot.server_id] == dialer.worker.coordinator.worker
        mine = self.live[slot.client_id]
        mine.add(slot.channel_id)
        assert len(mine) <= LIMITS[slot.client_id], "a cap was passed"
        self.calls += 1
        asyncio.get_running_loop().call_later(dialer.chance.uniform(0.2, 0.8), self._end, slot)

    def _end(self, slot: HeldSlot) -> None:
        """The call ends, whoever looks."""
        self.live[slot.client_id].discard(slot.channel_id)
        follower = self.followers.get(slot.server_id)
        if follower is not None:
            follower.saw_end(slot)

    async def read(self) -> Held:
        return Held(tuple(self.open.values()), ())


class Dialing(Hands):
    """A worker's engine, in short."""

    def __init__(self, world: World, worker: Worker, seed: int) -> None:
        super().__init__(worker.coordinator)
        self.world, self.worker = world, worker
        self.chance = random.Random(seed)
        self.awake = asyncio.Event()
        self.awake.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.missed: list[HeldSlot] = []
        self.broken: list[BaseException] = []
        self._busy: dict[int, int] = dict.fromkeys(SERVERS, 0)

    def server_granted(self, server_id: int) -> None:
        super().server_granted(server_id)
        self.world.owner[server_id] = self.coordinator_name
        self.world.followers[server_id] = self
        found = [slot for slot in self.world.open.values() if slot.server_id == server_id]
        for slot in found:
            if slot.channel_id not in self.world.live[slot.client_id]:
                del self.world.open[slot.channel_id]
        self._busy[server_id] = 0
        self.coordinator.hold(
            server_id, [slot for slot in found if slot.channel_id in self.world.open]
        )
        self.plan()

    @property
    def coordinator_name(self) -> str:
        return self.worker.coordinator.worker

    def room(self) -> None:
        super().room()
        self.plan()

    def saw_end(self, slot: HeldSlot) -> None:
        if not self.awake.is_set():
            self.missed.append(slot)
            return
        if self.world.owner[slot.server_id] == self.coordinator_name:
            self.world.open.pop(slot.channel_id, None)
        self.coordinator.free(slot.channel_id)
        self._busy[slot.server_id] = max(0, self._busy[slot.server_id] - 1)
        self.plan()

    def wake(self) -> None:
        self.awake.set()
        missed, self.missed = self.missed, []
        for slot in missed:
            self.saw_end(slot)

    def plan(self) -> None:
        if not (self.world.dialing and self.awake.is_set()):
            return
        for server in self.servers:
            while self._busy[server] < PER_SERVER:
                self._busy[server] += 1
                task = asyncio.ensure_future(self._place(server))
                self.tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken.append(error)

    async def _place(self, server: int) -> None:
        client = self.chance.choice(list(LIMITS))
        verdict, name = await self.worker.take(client, server, LIMITS[client])
        await self.awake.wait()
        if verdict is not Verdict.GRANTED:
            self._busy[server] = max(0, self._busy[server] - 1)
            return
        slot = HeldSlot(client, server, name, 0.0)
        await let_pass(self.chance.choice(DISK))
        await self.awake.wait()
        if self.world.owner.get(server) == self.coordinator_name:
            self.world.open[name] = slot
            await let_pass(self.chance.choice(DISK))
            await self.awake.wait()
            if self.coordinator.may_write_until(server) > time.monotonic():
                self.world.write(self, slot)
                return
            if self.world.owner[server] == self.coordinator_name:
                self.world.open.pop(name, None)
        self.coordinator.free(name)
        self._busy[server] = max(0, self._busy[server] - 1)


class Campaign:
    """Three workers and what happens to them."""

    def __init__(self, crew: Crew, seed: int) -> None:
        self.crew, self.chance, self.world = crew, random.Random(seed), World()
        self.dialers: list[Dialing] = []
        crew.read = self.world.read

    async def hire(self) -> None:
        worker = self.crew.make()
        dialing = Dialing(self.world, worker, self.chance.randrange(1 << 30))
        worker.hands = dialing
        self.dialers.append(dialing)
        while True:
            try:
                await worker.start(*SERVERS)
            except CoordinationUnavailable:  # it cannot start while Redis is away
                await let_pass(0.02)
            else:
                return

    async def fail(self) -> None:
        """Redis, a worker, or both at the same time."""
        of_redis = self.chance.choice([self.flush, self.restart, self.hang])
        of_a_worker = self.chance.choice([self.stand_still, self.stand_still, self.die])
        what = self.chance.choice([(of_redis,), (of_a_worker,), (of_redis, of_a_worker)])
        await asyncio.gather(*(fault() for fault in what))

    async def flush(self) -> None:
        await let_pass(self.chance.uniform(0.0, 0.3))
        self.crew.redis.command("FLUSHALL")

    async def restart(self) -> None:
        self.crew.redis.kill()
        await let_pass(self.chance.uniform(0.0, 0.3))
        self.crew.redis.start()

    async def hang(self) -> None:
        self.crew.redis.freeze()
        await let_pass(self.chance.uniform(0.05, 1.0))
        self.crew.redis.thaw()

    async def stand_still(self) -> None:
        dialing = self.chance.choice(self.dialers)
        dialing.awake.clear()
        await dialing.worker.freeze()
        await let_pass(self.chance.uniform(0.1, 2.0))
        dialing.worker.wake()
        dialing.wake()

    async def die(self) -> None:
        dialing = self.dialers.pop(self.chance.randrange(len(self.dialers)))
        dialing.awake.clear()
        await dialing.worker.freeze()
        for task in tuple(dialing.tasks):
            task.cancel()
        await self.hire()

    async def some_calls(self, more: int) -> None:
        wanted = self.world.calls + more
        await until(lambda: self.world.calls >= wanted or any(d.broken for d in self.dialers))
        assert [error for d in self.dialers for error in d.broken] == []


async def let_pass(seconds: float) -> None:
    """The length of a fault, or of a commit."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


@pytest.mark.parametrize("seed", [1, 5])
async def test_no_cap_is_passed_and_no_slot_is_left_whatever_fails(seed: int) -> None:
    async with Crew(timing=QUICK) as crew:
        campaign = Campaign(crew, seed)
        for _ in range(3):
            await campaign.hire()
        await campaign.some_calls(10)
        for _ in range(5):
            await campaign.fail()
            await campaign.some_calls(campaign.chance.randint(0, 10))
        await campaign.some_calls(20)
        campaign.world.dialing = False
        await until(lambda: not any(campaign.world.live.values()))
        await until(lambda: not any(dialing.tasks for dialing in campaign.dialers))
        await until(lambda: crew.redis.command("HGETALL", "dialer:counts") == b"*0\r\n")
        assert [error for d in campaign.dialers for error in d.broken] == []
