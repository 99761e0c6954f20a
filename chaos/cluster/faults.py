"""What is done to a cluster: each fault harms it, mends it, and leaves every process of it alive.

Lengths are drawn by the campaign's seed: some shorter than a lease, some longer.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chaos.cluster.members import Member, Role
from chaos.cluster.stage import Stage
from chaos.plan import FAILPOINTS

SHORT: Final = (0.3, 2.0)
"""Seconds, shorter than a worker's authority lasts."""

LONG: Final = (8.0, 12.0)
"""Seconds, longer than a lease."""

TERMINATIONS: Final = 12
TERMINATE_EVERY: Final = 0.5
"""Twice a second all sessions of the dialer's are ended."""

FAILS_WITHIN: Final = 10.0
"""Seconds that an armed process gets to come to its failpoint; then it is killed."""

MOST_HITS: Final = 25

POINTS: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.WORKER: ("start.", "store.writes.", "worker.", "link.up", "event.", "reconcile."),
    Role.API: ("store.runs.", "ingest."),
    Role.DELIVER: ("delivery.", "store.writes."),
}
"""How the names of the failpoints begin that processes of a role come to."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done: from `at` until `healed`, when all was mended. `left`: servers that lost their
    worker, and when. `takeover`: another worker must take them over."""

    what: str
    at: float
    healed: float
    left: tuple[tuple[str, float], ...] = ()
    takeover: bool = False


Inflict = Callable[[Stage, random.Random], Awaitable[Harm]]


def draw_worker(stage: Stage, rng: random.Random) -> Member:
    """Four of five times one that drives a server."""
    owners = sorted(set(stage.owners().values()), key=lambda member: member.number)
    return rng.choice(owners if owners and rng.random() < 0.8 else stage.workers)


def draw_point(role: Role, rng: random.Random) -> tuple[str, str]:
    """A failpoint, and its rule."""
    names = [name for name in FAILPOINTS if name.startswith(POINTS[role])]
    point = rng.choice(names)
    hit = rng.randint(1, min(FAILPOINTS[point][0], MOST_HITS))
    return point, f"{point}=kill@{hit}"


# Processes.


async def kill_worker(stage: Stage, rng: random.Random) -> Harm:
    victim = draw_worker(stage, rng)
    servers = stage.servers_of(victim)
    at = await stage.members.kill(victim)
    await asyncio.sleep(rng.uniform(0.0, 10.0))
    await stage.members.start_ready(victim)
    left = tuple((server, at) for server in servers)
    what = f"kill -9 of a worker with {len(servers)} servers"
    return Harm(what, at, at, left, takeover=True)


async def kill_worker_at_failpoint(stage: Stage, rng: random.Random) -> Harm:
    """The armed one takes the place of one that drives nothing; then one is killed that does, so
    that the armed one gets to work."""
    idle = [worker for worker in stage.workers if not stage.servers_of(worker)]
    armed = rng.choice(idle or stage.workers)
    await stage.members.kill(armed)
    point, rule = draw_point(Role.WORKER, rng)
    await stage.members.start(armed, rule)
    assert armed.life is not None
    await asyncio.wait(
        (armed.life.ready, armed.life.ended), timeout=5.0, return_when=asyncio.FIRST_COMPLETED
    )
    others = [worker for worker in stage.workers if worker is not armed]
    victim = max(others, key=lambda worker: len(stage.servers_of(worker)))
    at = await stage.members.kill(victim)
    await asyncio.wait((armed.life.ended,), timeout=FAILS_WITHIN + 6.0)
    reached = armed.life.ended.done()
    if not reached:
        await stage.members.kill(armed)
    healed = time.time()
    await stage.members.start_ready(victim, armed)
    return Harm(f"{point}{'' if reached else ' (not reached)'}", at, healed)


def freeze_worker(bounds: tuple[float, float], *, takeover: bool) -> Inflict:
    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        victim = draw_worker(stage, rng)
        servers = stage.servers_of(victim)
        at = stage.members.freeze(victim)
        seconds = rng.uniform(*bounds)
        await asyncio.sleep(seconds)
        healed = stage.members.thaw(victim)
        stage.frozen += [(server, at, healed) for server in servers]
        left = tuple((server, at) for server in servers) if takeover else ()
        return Harm(f"a worker was stopped for {seconds:.1f} s", at, healed, left, takeover)

    return inflict


async def ask_worker_to_leave(stage: Stage, rng: random.Random) -> Harm:
    victim = draw_worker(stage, rng)
    servers = stage.servers_of(victim)
    at = time.time()
    status = await stage.members.ask_to_leave(victim)
    if status:
        stage.members.unasked.append(f"{victim.name} ended with {status} after SIGTERM")
    seconds = time.time() - at
    await stage.members.start_ready(victim)
    left = tuple((server, at) for server in servers)
    return Harm(f"SIGTERM to a worker: over after {seconds:.1f} s", at, at, left, takeover=True)


def kill_other(role: Role) -> Inflict:
    """An API or a deliverer, every other time at a failpoint."""

    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        victim = rng.choice(stage.members.of(role))
        point = "at random"
        if rng.random() < 0.5:
            await stage.members.kill(victim)
            point, rule = draw_point(role, rng)
            await stage.members.start(victim, rule)
            await _until_over(victim, stage)
        else:
            await asyncio.sleep(rng.uniform(0.0, 1.0))
        at = await stage.members.kill(victim)
        await stage.members.start_ready(victim)
        stage.aim_front()
        return Harm(f"kill -9 of {victim.name}, {point}", at, time.time())

    return inflict


async def _until_over(victim: Member, stage: Stage) -> None:
    life = victim.life
    assert life is not None
    await asyncio.wait((life.ready, life.ended), timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
    stage.aim_front()
    await asyncio.wait((life.ended,), timeout=FAILS_WITHIN)


# PostgreSQL.


def restart_postgres(*, kill: bool) -> Inflict:
    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        at = time.time()
        await (stage.postgres.kill() if kill else stage.postgres.stop())
        await asyncio.sleep(rng.uniform(0.0, 4.0))
        await stage.postgres.start()
        healed = time.time()
        stage.away.append((at, healed))
        how = "killed" if kill else "stopped"
        return Harm(f"PostgreSQL {how}, back after {healed - at:.1f} s", at, healed)

    return inflict


async def terminate_sessions(stage: Stage, rng: random.Random) -> Harm:
    at, ended = time.time(), 0
    for _ in range(TERMINATIONS):
        ended += await stage.postgres.terminate_sessions()
        await asyncio.sleep(TERMINATE_EVERY)
    healed = time.time()
    stage.away.append((at, healed))
    what = f"{ended} sessions ended, {TERMINATIONS} times twice a second"
    return Harm(what, at, healed)


async def freeze_postgres(stage: Stage, rng: random.Random) -> Harm:
    at, seconds = time.time(), rng.uniform(1.0, 6.0)
    stage.postgres.freeze()
    await asyncio.sleep(seconds)
    stage.postgres.thaw()
    stage.away.append((at, time.time()))
    return Harm(f"PostgreSQL stopped (SIGSTOP) for {seconds:.1f} s", at, time.time())


# Redis.


def restart_redis(*, kill: bool) -> Inflict:
    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        at = time.time()
        await (stage.redis.kill() if kill else stage.redis.stop())
        await asyncio.sleep(rng.uniform(0.0, 4.0))
        await stage.redis.start()
        healed = time.time()
        how = "killed" if kill else "stopped"
        return Harm(f"Redis {how}, back and empty after {healed - at:.1f} s", at, healed)

    return inflict


async def flush_redis(stage: Stage, rng: random.Random) -> Harm:
    at = time.time()
    await stage.redis.ask("FLUSHALL")
    return Harm("FLUSHALL", at, at)


async def freeze_redis(stage: Stage, rng: random.Random) -> Harm:
    at, seconds = time.time(), rng.uniform(0.5, 8.0)
    stage.redis.freeze()
    await asyncio.sleep(seconds)
    stage.redis.thaw()
    return Harm(f"Redis stopped (SIGSTOP) for {seconds:.1f} s", at, time.time())


# The network.


def part_from(what: str, *, hang: bool) -> Inflict:
    """One worker is parted from `what`: PostgreSQL, Redis, or both."""

    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        victim = draw_worker(stage, rng)
        servers = stage.servers_of(victim)
        ways = {"PostgreSQL": [victim.database], "Redis": [victim.redis]}.get(
            what, [victim.database, victim.redis]
        )
        seconds = rng.uniform(0.5, 12.0)
        at = time.time()
        for way in ways:
            way.hang() if hang else way.cut()
        await asyncio.sleep(seconds)
        for way in ways:
            way.heal()
        healed = time.time()
        if victim.database in ways:
            stage.away.append((at, healed))
        left = tuple((server, at) for server in servers)
        how = "nothing got through" if hang else "cut"
        return Harm(f"a worker and {what}: {how} for {seconds:.1f} s", at, healed, left)

    return inflict


async def cut_ami(stage: Stage, rng: random.Random) -> Harm:
    exchange, at = rng.choice(stage.exchanges), time.time()
    seconds = rng.uniform(0.0, 4.0)
    exchange.way.cut()
    await asyncio.sleep(seconds)
    exchange.way.heal()
    what = f"the link to one Asterisk cut, refused for {seconds:.1f} s"
    return Harm(what, at, time.time(), ((exchange.code, at),))


async def hang_ami(stage: Stage, rng: random.Random) -> Harm:
    """What was sent meanwhile never arrives."""
    exchange, at = rng.choice(stage.exchanges), time.time()
    seconds = rng.uniform(1.0, 12.0)
    exchange.way.hang()
    await asyncio.sleep(seconds)
    exchange.way.reset()
    exchange.way.heal()
    stage.frozen.append((exchange.code, at, time.time()))
    what = f"the link to one Asterisk hung for {seconds:.1f} s, then lost"
    return Harm(what, at, time.time(), ((exchange.code, at),))


FAULTS: Final[Mapping[str, Inflict]] = {
    "worker-kill": kill_worker,
    "worker-failpoint": kill_worker_at_failpoint,
    "worker-freeze-short": freeze_worker(SHORT, takeover=False),
    "worker-freeze-long": freeze_worker(LONG, takeover=True),
    "worker-term": ask_worker_to_leave,
    "api-kill": kill_other(Role.API),
    "deliver-kill": kill_other(Role.DELIVER),
    "pg-restart": restart_postgres(kill=False),
    "pg-kill": restart_postgres(kill=True),
    "pg-terminate": terminate_sessions,
    "pg-freeze": freeze_postgres,
    "redis-restart": restart_redis(kill=False),
    "redis-kill": restart_redis(kill=True),
    "redis-flush": flush_redis,
    "redis-freeze": freeze_redis,
    "cut-pg": part_from("PostgreSQL", hang=False),
    "hang-pg": part_from("PostgreSQL", hang=True),
    "cut-redis": part_from("Redis", hang=False),
    "hang-redis": part_from("Redis", hang=True),
    "hang-both": part_from("PostgreSQL and Redis", hang=True),
    "cut-ami": cut_ami,
    "hang-ami": hang_ami,
}
"""By name."""
