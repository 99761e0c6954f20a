"""What is done to the processes of a cluster, to PostgreSQL and Redis, and to the ways to them.

Lengths are drawn by the campaign's seed: some shorter than a lease, some longer.
"""

import asyncio
import random
import time
from typing import Final

from chaos.cluster.harm import Harm, Inflict, draw_driver, draw_worker
from chaos.cluster.members import Member, Role
from chaos.cluster.points import kill_other_at, points_of
from chaos.cluster.stage import Stage

SHORT: Final = (0.3, 2.0)
"""Seconds, shorter than a worker's authority lasts."""

LONG: Final = (8.0, 12.0)
"""Seconds, longer than a lease."""

TERMINATIONS: Final = 12
TERMINATE_EVERY: Final = 0.5
"""Twice a second all sessions of the dialer's are ended."""

# Processes.


async def kill_worker(stage: Stage, rng: random.Random) -> Harm:
    victim = draw_driver(stage, rng)
    servers = stage.servers_of(victim)
    at = await stage.members.kill(victim)
    await asyncio.sleep(rng.uniform(0.0, 10.0))
    await stage.members.start_ready(victim)
    left = tuple((server, at) for server in servers)
    what = f"kill -9 of a worker with {len(servers)} servers"
    return Harm(what, at, at, left, takeover=True)


def freeze_worker(bounds: tuple[float, float], *, takeover: bool) -> Inflict:
    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        victim = draw_driver(stage, rng)
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
    victim = draw_driver(stage, rng)
    servers, at = stage.servers_of(victim), time.time()
    seconds = await _ask_to_leave(stage, victim)
    await stage.members.start_ready(victim)
    left = tuple((server, at) for server in servers)
    return Harm(f"SIGTERM to a worker: over after {seconds:.1f} s", at, at, left, takeover=True)


async def _ask_to_leave(stage: Stage, victim: Member) -> float:
    """Seconds that it took; a status that says that it went wrong is told."""
    at = time.monotonic()
    status = await stage.members.ask_to_leave(victim)
    if status:
        stage.members.unasked.append(f"{victim.name} ended with {status} after SIGTERM")
    return time.monotonic() - at


def ask_other_to_leave(role: Role) -> Inflict:
    """An API or a deliverer."""

    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        victim, at = rng.choice(stage.members.of(role)), time.time()
        seconds = await _ask_to_leave(stage, victim)
        await stage.members.start_ready(victim)
        stage.aim_front()
        return Harm(f"SIGTERM to {victim.name}: over after {seconds:.1f} s", at, time.time())

    return inflict


def kill_other(role: Role) -> Inflict:
    """An API or a deliverer, every other time at a failpoint."""

    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        if rng.random() < 0.5:
            return await kill_other_at(role, rng.choice(points_of(role)), stage, rng)
        victim = rng.choice(stage.members.of(role))
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        at = await stage.members.kill(victim)
        await stage.members.start_ready(victim)
        stage.aim_front()
        return Harm(f"kill -9 of {victim.name}, at random", at, time.time())

    return inflict


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
