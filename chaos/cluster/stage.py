"""What stands around a cluster: two Asterisk servers with a witness each, PostgreSQL, Redis, both
sinks, the ways between them, and the client that loads calls through the API."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from chaos.cluster.database import GONE, Reader
from chaos.cluster.far_side import FarSide, open_far_sides
from chaos.cluster.members import Member, Members, Role, find_peers
from chaos.cluster.servers import PostgreSql, Redis, own_postgresql, own_redis
from chaos.cluster.switchboard import Way, Ways, serve_switchboard
from chaos.far_ends import serve_sinks
from chaos.faults.moved_clock import VARIABLE as CLOCK
from chaos.faults.moved_clock import set_clock
from chaos.lives import Nursery, clean_environment
from chaos.loading import Account, Calls, Loader
from chaos.outages.asterisk import SECRET as PASSWORD
from chaos.outages.asterisk import USER
from chaos.scene import SUPERUSER, add_account
from chaos.wire import serve as serve_wire
from chaos.witness_process import Pipe, Witness, run_witness

SECRET: Final = "CHAOS_AMI_SECRET"
SIGNING_KEY: Final = "signing-key-of-a-campaign-0123456789"

LOOK: Final = 0.1
"""Seconds between two looks of the campaign's at what changes by itself."""

PROMPT: Final = -15
"""The niceness of witnesses: what they write is when they came to see it, and the machine is
busy."""


@dataclass(frozen=True, slots=True)
class Load:
    """A client: its share of channels over all servers, and its calls a second."""

    name: str
    channels: int
    cps: float
    retry: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """`scale` makes a simulated call's length (`talk` seconds); `root`: the lab's Debian, where
    Asterisk is to be real. `max_channels` and `max_cps` are each server's. The first client is held
    by its rate, the second by its channels. `backlog` items of a client wait at least: enough for a
    server while the other has no worker. `warm` seconds of calls come first, and after each fault
    `settle` seconds, as long as calls last. The rate is taken over `measure` seconds before
    each fault and after it; `kept` of it must be left. `slack`: seconds that the machine may stand
    still, beside what recovery may take; `blur`: seconds that a witness may see a start late."""

    seed: int = 1
    apis: int = 2
    workers: int = 3
    deliverers: int = 2
    servers: tuple[str, ...] = ("pbx1", "pbx2")
    clients: tuple[Load, ...] = (Load("acme", 110, 24.0, retry=1), Load("beta", 20, 12.0))
    talk: str = "30"
    scale: float = 0.1
    max_channels: int = 70
    max_cps: float = 18.0
    drain: float = 8.0
    entry: str = "chaos.faults.moved_clock"
    root: Path | None = None
    patience: float = 300.0
    backlog: int = 300
    warm: float = 6.0
    settle: float = 4.0
    measure: float = 8.0
    kept: float = 0.95
    slack: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True, slots=True)
class SpreadCalls(Calls):
    """Calls through all servers, told by the number."""

    servers: tuple[str, ...] = ()

    def server_of(self, number: str) -> str:
        return self.servers[int(number[-3]) % len(self.servers)]


@dataclass(slots=True)
class Exchange:
    """An Asterisk: the way to it, and its witness."""

    code: str
    far: FarSide
    wire: Witness
    way: Way
    file: Path


@dataclass(slots=True)
class Stage:
    """All of it. `frozen` are times in which a worker, an Asterisk or the way between them was so:
    (server, since, until); `away`: PostgreSQL took no writes of somebody's; `deaths`: when an
    Asterisk, and all calls on it, was over."""

    folder: Path
    options: Options
    postgres: PostgreSql
    redis: Redis
    exchanges: tuple[Exchange, ...]
    sinks: Witness
    ways: Ways
    front: Way
    reader: Reader
    members: Members
    loader: Loader
    rng: random.Random
    tell: Callable[[str], None]
    frozen: list[tuple[str, float, float]] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)
    deaths: list[tuple[str, float]] = field(default_factory=list)
    rates_until: float = float("inf")

    @property
    def workers(self) -> list[Member]:
        return self.members.of(Role.WORKER)

    def exchange(self, code: str) -> Exchange:
        return next(exchange for exchange in self.exchanges if exchange.code == code)

    def servers_of(self, member: Member) -> list[str]:
        """The servers whose AMI a worker is connected to."""
        if not member.alive:
            return []
        try:
            peers = find_peers(member.pid)
        except FileNotFoundError:
            return []
        return [exchange.code for exchange in self.exchanges if exchange.way.port in peers]

    def owners(self) -> dict[str, Member]:
        """Who drives what, by code."""
        return {code: worker for worker in self.workers for code in self.servers_of(worker)}

    def sent(self) -> int:
        """Originates so far."""
        return sum(exchange.wire.ask("count")[0] for exchange in self.exchanges)

    def in_flight(self) -> int:
        return sum(exchange.wire.ask("count")[1] for exchange in self.exchanges)

    def add_member(self, role: Role, number: int) -> Member:
        database = self.ways.open(("127.0.0.1", self.postgres.port))
        redis = self.ways.open(("127.0.0.1", self.redis.port))
        state = self.folder / f"{role}-{number}"
        state.mkdir(exist_ok=True)
        clock = self.folder / f"{role}-{number}.clock"
        set_clock(clock, 0.0)
        settings = self.settings | {
            "DIALER_DATABASE_URL": self.postgres.url(database.port),
            "DIALER_REDIS_URL": self.redis.url(redis.port),
            "DIALER_STATE_DIR": str(state),
            CLOCK: str(clock),
        }
        log = self.folder / f"{role}-{number}.log"
        member = Member(role, number, settings, log, database, redis, state, clock)
        self.members.all.append(member)
        return member

    @property
    def settings(self) -> dict[str, str]:
        return {
            "DIALER_DATABASE_URL": self.postgres.url(),
            "DIALER_REDIS_URL": self.redis.url(),
            "DIALER_HTTP_PORT": "0",
            "DIALER_SUPERUSER_API_KEY": SUPERUSER,
            "DIALER_SIGNING_KEY": SIGNING_KEY,
            "DIALER_CALLBACK_ALLOW_PRIVATE": "true",
            "DIALER_SGAPI_URL": self.sinks.hello[1],
            "DIALER_DRAIN_TIMEOUT": str(self.options.drain),
            SECRET: PASSWORD,
            CLOCK: str(self.folder / "clock"),
        }

    async def command(self, *arguments: str) -> None:
        """`dialer ARGUMENTS`. Raises when it fails."""
        log = self.folder / "commands.log"
        environment = clean_environment(self.settings)
        process = await self.members.nursery.bear(environment, arguments, log=log)
        if await process.ended:
            raise RuntimeError(f"dialer {' '.join(arguments)}: see {log}")

    def aim_front(self) -> None:
        """New requests go to the APIs that are ready."""
        ready = [
            member.life.ready.result()
            for member in self.members.of(Role.API)
            if member.alive and member.life is not None and member.life.ready.done()
        ]
        ports = [url.partition("//")[2].partition("/")[0].rpartition(":")[2] for url in ready]
        self.front.aim(*(("127.0.0.1", int(port)) for port in ports))

    async def set_cps(self, rates: dict[str, float]) -> None:
        for name, rate in rates.items():
            await self.command("clients", "set", name, "--cps", str(rate))

    async def until_finished(self, *names: str) -> None:
        """Wait until nothing of `names` is left (`chaos.cluster.database.UNFINISHED`)."""
        said = time.monotonic()
        while left := await self.reader.count_unfinished(*names):
            if time.monotonic() - said > 10.0:
                said = time.monotonic()
                self.tell(f"left: {left}")
            await asyncio.sleep(LOOK)


async def serve_prompt_wire(pipe: Pipe, *arguments: object) -> None:
    """`chaos.wire.serve`, ahead of others where that is allowed."""
    _hurry()
    await serve_wire(pipe, *arguments)  # type: ignore[arg-type]


async def serve_prompt_switchboard(pipe: Pipe) -> None:
    """It stands between the dialer and that one."""
    _hurry()
    await serve_switchboard(pipe)


def _hurry() -> None:
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PROMPT)


@asynccontextmanager
async def set_stage(
    folder: Path, options: Options, tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Stage]:
    """All but the dialer's own processes; everything is over when the block is left."""
    async with AsyncExitStack() as stack:
        set_clock(folder / "clock", 0.0)
        nursery = await stack.enter_async_context(Nursery(options.entry, folder / "nursery.log"))
        sinks = stack.enter_context(run_witness(serve_sinks))
        ways = Ways(stack.enter_context(run_witness(serve_switchboard)))
        # Of their own: what goes to the database must not hold up what a witness takes the time of.
        lines = Ways(stack.enter_context(run_witness(serve_prompt_switchboard)))
        far_sides = await stack.enter_async_context(
            open_far_sides(options.servers, options.scale, options.root, folder / "asterisk")
        )
        postgres = stack.enter_context(own_postgresql())
        redis = stack.enter_context(own_redis(folder))
        await asyncio.gather(postgres.prepare(), redis.start())
        exchanges = []
        for code, far in far_sides.items():
            file = folder / f"{code}.jsonl"
            near = ("127.0.0.1", far.port, USER, PASSWORD)
            wire = stack.enter_context(run_witness(serve_prompt_wire, str(file), *near))
            way = lines.open(("127.0.0.1", wire.hello))
            exchanges.append(Exchange(code, far, wire, way, file))
        prefix = f"7{int(time.time()) % 10_000_000:07d}"
        calls = SpreadCalls("", prefix, options.talk, servers=options.servers)
        front = ways.open()
        url = f"http://127.0.0.1:{front.port}/calling/api"
        reader = Reader(postgres)
        stack.push_async_callback(reader.close)
        yield Stage(
            folder,
            options,
            postgres,
            redis,
            tuple(exchanges),
            sinks,
            ways,
            front,
            reader,
            Members(nursery, options.seed),
            Loader(calls, (), lambda: True, options.seed, url),
            random.Random(options.seed),
            tell,
        )


async def open_cluster(stage: Stage) -> None:
    """The database, servers, clients, and every process ready."""
    options = stage.options
    await stage.command("db", "upgrade")
    for exchange in stage.exchanges:
        await stage.command(
            *("servers", "add", exchange.code, "--host", "127.0.0.1"),
            *("--port", str(exchange.way.port), "--username", USER, "--secret-env", SECRET),
            *("--max-channels", str(options.max_channels), "--max-cps", str(options.max_cps)),
        )
    counts = {
        Role.API: options.apis,
        Role.WORKER: options.workers,
        Role.DELIVER: options.deliverers,
    }
    members = [stage.add_member(role, n + 1) for role, most in counts.items() for n in range(most)]
    await stage.members.start_ready(*members)
    stage.aim_front()
    url = stage.loader.url
    assert url is not None
    for load in options.clients:
        account = Account(load.name, "", load.channels, load.retry, 1)
        stage.loader.accounts += (await add_account(url, stage.sinks.hello[0], account),)
    await stage.set_cps({load.name: load.cps for load in options.clients})


async def keep_loading(stage: Stage, stop: asyncio.Event) -> None:
    """Every client loads whenever little of its waits, until `stop`, and to the answer of its last
    batch."""
    waiting: dict[str, int] = {}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch_backlog(stage, waiting, stop))
        for place, account in enumerate(stage.loader.accounts):
            tasks.create_task(_load(stage, account, waiting, stop, stage.options.seed + place))


async def _watch_backlog(stage: Stage, waiting: dict[str, int], stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            waiting.update(await stage.reader.count_waiting())
        except GONE:
            waiting.clear()
        await asyncio.sleep(LOOK)


async def _load(
    stage: Stage, account: Account, waiting: dict[str, int], stop: asyncio.Event, seed: int
) -> None:
    rng, backlog = random.Random(seed), stage.options.backlog
    async with httpx.AsyncClient(timeout=20.0) as http:
        while not stop.is_set():
            if waiting.pop(account.name, backlog) < backlog:
                await stage.loader.load(http, account, stage.loader.draw_numbers(rng))
            else:
                await asyncio.sleep(LOOK)
