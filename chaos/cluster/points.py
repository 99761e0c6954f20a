"""Processes of a cluster that are killed at named places of their own code."""

import asyncio
import random
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from chaos.cluster.harm import Harm, Inflict
from chaos.cluster.members import Member, Role
from chaos.cluster.stage import LOOK, Stage
from chaos.plan import FAILPOINTS

FAILS_WITHIN: Final = 10.0
"""Seconds that an armed process gets to come to its failpoint; then it is killed."""

TAKES_OVER: Final = 8.0
"""Seconds that an armed worker gets to drive a server, before that server's link is harmed."""

MOST_HITS: Final = 25

NEEDS_CUT: Final = ("link.down", "worker.withdraw.")
NEEDS_STOP: Final = ("event.ServerShutdown",)
"""How the names of failpoints begin to which a worker comes whose link ends, or whose Asterisk is
stopped."""

CUTS: Final = 12
CUT_EVERY: Final = 0.7

MORE: Final = ("event.CallIdTold", "event.ServerBooted", "event.ServerShutdown")
"""Failpoints beside those of `chaos.plan`, of which the first hit is chosen."""

POINTS: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.WORKER: ("start.", "store.writes.", "worker.", "link.", "event.", "reconcile."),
    Role.API: ("store.runs.", "ingest."),
    Role.DELIVER: ("delivery.", "store.writes."),
}
"""How the names of the failpoints begin that processes of a role come to."""


def points_of(role: Role) -> list[str]:
    return [name for name in (*FAILPOINTS, *MORE) if name.startswith(POINTS[role])]


def draw_rule(point: str, rng: random.Random) -> str:
    most = FAILPOINTS[point][0] if point in FAILPOINTS else 1
    return f"{point}=kill@{rng.randint(1, min(most, MOST_HITS))}"


async def kill_worker_at_any(stage: Stage, rng: random.Random) -> Harm:
    points = [point for point in points_of(Role.WORKER) if point not in MORE]
    return await kill_worker_at(rng.choice(points), stage, rng)


async def kill_worker_at(point: str, stage: Stage, rng: random.Random) -> Harm:
    """The armed one takes the place of one that drives nothing; then one is killed that does, so
    that the armed one gets to work."""
    idle = [worker for worker in stage.workers if not stage.servers_of(worker)]
    armed = rng.choice(idle or stage.workers)
    await stage.members.kill(armed)
    await stage.members.start(armed, draw_rule(point, rng))
    assert armed.life is not None
    await asyncio.wait(
        (armed.life.ready, armed.life.ended), timeout=5.0, return_when=asyncio.FIRST_COMPLETED
    )
    others = [worker for worker in stage.workers if worker is not armed]
    victim = max(others, key=lambda worker: len(stage.servers_of(worker)))
    at = await stage.members.kill(victim)
    if point.startswith((*NEEDS_CUT, *NEEDS_STOP)):
        await _harm_link(point, stage, armed)
    await asyncio.wait((armed.life.ended,), timeout=FAILS_WITHIN + 6.0)
    reached = armed.life.ended.done()
    if not reached:
        await stage.members.kill(armed)
    healed = time.time()
    await stage.members.start_ready(victim, armed)
    return Harm(f"{point}{'' if reached else ' (not reached)'}", at, healed)


async def _harm_link(point: str, stage: Stage, armed: Member) -> None:
    """To the servers that the armed worker drives, or has driven, until it has ended."""
    until = time.monotonic() + TAKES_OVER
    codes: list[str] = []
    while armed.alive and not codes and time.monotonic() < until:
        await asyncio.sleep(LOOK)
        codes = stage.servers_of(armed)
    if point.startswith(NEEDS_STOP):
        for code in codes:
            far = stage.exchange(code).far
            await far.stop()
            stage.deaths.append((code, time.time()))
            await far.start()
        return
    for _ in range(CUTS):
        if not armed.alive:
            return
        for code in codes:
            stage.exchange(code).way.cut()
            stage.exchange(code).way.heal()
        await asyncio.sleep(CUT_EVERY)


async def kill_other_at(role: Role, point: str, stage: Stage, rng: random.Random) -> Harm:
    """An API or a deliverer."""
    victim = rng.choice(stage.members.of(role))
    await stage.members.kill(victim)
    await stage.members.start(victim, draw_rule(point, rng))
    reached = await _until_over(victim, stage)
    at = await stage.members.kill(victim)
    await stage.members.start_ready(victim)
    stage.aim_front()
    what = f"kill -9 of {victim.name}, {point}{'' if reached else ' (not reached)'}"
    return Harm(what, at, time.time())


async def _until_over(victim: Member, stage: Stage) -> bool:
    life = victim.life
    assert life is not None
    await asyncio.wait((life.ready, life.ended), timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
    stage.aim_front()
    await asyncio.wait((life.ended,), timeout=FAILS_WITHIN)
    return life.ended.done()


def _at(role: Role, point: str) -> Inflict:
    if role is Role.WORKER:
        return partial(kill_worker_at, point)
    return partial(kill_other_at, role, point)


AT_POINTS: Final[Mapping[str, Inflict]] = {
    f"{role}-at-{point}": _at(role, point) for role in POINTS for point in points_of(role)
}
"""Every failpoint that the calls of a campaign come to, by itself."""
