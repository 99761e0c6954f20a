"""Everything at once: Asterisk, the dialer and the link between them are harmed at random times,
each by a hand of its own that does not wait for the others."""

import asyncio
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from chaos.outages.course import LOAD, Ordeal, Suffered, Tell, run_ordeal
from chaos.outages.harm import Dialer, Outage, Stage, inflict
from chaos.plan import AT_RANDOM, Fate, LifePlan
from chaos.records import Kill
from chaos.scene import READY, Options, start_life

ROOMY: Final = replace(LOAD, channels=300)
"""Calls that nobody saw end hold their slots for 5 s of quiet, which there may not be."""

ASTERISK: Final = (
    Outage.STOP_GRACEFULLY,
    Outage.RESTART_GRACEFULLY,
    Outage.STOP,
    Outage.RESTART,
    Outage.KILL,
    Outage.THINK_BETTER,
    Outage.RELOAD,
    Outage.KICK,
    Outage.FREEZE,
)

POINTS: Final = {
    "link.up": 2,
    "link.down": 2,
    "event.ServerBooted": 2,
    "event.ServerShutdown": 1,
    "event.ChannelHungUp": 40,
    "reconcile.before": 3,
    "reconcile.listed": 3,
    "reconcile.adopted": 10,
    "reconcile.gone": 10,
    "worker.originate.noted": 40,
    "worker.originate.after": 40,
    "worker.withdraw.before": 2,
    "worker.withdraw.after": 2,
    "worker.settle.before": 40,
    "store.writes.commit.after": 60,
}
"""Failpoints at which lives may end, and the last hit that may be chosen."""


async def run_storm(
    root: Path,
    folder: Path,
    seconds: float,
    seed: int,
    options: Options = ROOMY,
    tell: Tell = lambda _: None,
) -> Ordeal:
    """As `run_outages`, for so many seconds."""

    async def harm(stage: Stage) -> list[Suffered]:
        return await rage(stage, seconds, seed, tell)

    return await run_ordeal(root, folder, options, harm, tell)


async def rage(stage: Stage, seconds: float, seed: int, tell: Tell) -> list[Suffered]:
    """For so many seconds; then Asterisk takes calls and a dialer lives that nobody harms."""
    until = time.monotonic() + seconds
    suffered: list[Suffered] = []
    async with asyncio.TaskGroup() as hands:
        hands.create_task(_harm_asterisk(stage, until, random.Random(seed), suffered, tell))
        hands.create_task(_harm_dialer(stage.dialer, until, random.Random(seed + 1)))
        hands.create_task(_cut_links(stage, until, random.Random(seed + 2)))
    scene = stage.dialer.scene
    tell(f"{len(suffered)} outages, {len(scene.kills)} kills, {len(scene.cuts)} cut links")
    return suffered


async def _harm_asterisk(
    stage: Stage, until: float, rng: random.Random, suffered: list[Suffered], tell: Tell
) -> None:
    while (wait := rng.uniform(2.0, 12.0)) + time.monotonic() < until:
        await asyncio.sleep(wait)
        outage = rng.choice(ASTERISK)
        at, began, in_flight = time.time(), time.monotonic(), stage.dialer.scene.in_flight()
        await inflict(outage, stage)
        seconds = time.monotonic() - began
        suffered.append(Suffered(outage.value, at, in_flight, seconds, None))
        tell(f"{outage.value}: {in_flight} in flight, {seconds:.1f} s")


async def _cut_links(stage: Stage, until: float, rng: random.Random) -> None:
    while (wait := rng.uniform(5.0, 20.0)) + time.monotonic() < until:
        await asyncio.sleep(wait)
        await inflict(Outage.CUT, stage)


async def _harm_dialer(dialer: Dialer, until: float, rng: random.Random) -> None:
    """Life after life; the last one begins after `until`, and nobody harms it."""
    while time.monotonic() < until:
        await _end(dialer, rng, until - time.monotonic())
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        dialer.life = await start_life(dialer.scene, _plan_life(rng))
        await _await_ready(dialer)
    await _end(dialer, rng, 0.0)
    await dialer.start()


def _plan_life(rng: random.Random) -> LifePlan:
    """Two of three end at a failpoint, where they come to it."""
    if rng.random() < 1 / 3:
        return LifePlan(Fate.TIME, 0.0)
    point = rng.choice(list(POINTS))
    return LifePlan(Fate.FAILPOINT, 0.0, point, rng.randint(1, POINTS[point]))


async def _await_ready(dialer: Dialer) -> None:
    life = dialer.life
    await asyncio.wait((life.ready, life.ended), timeout=READY, return_when=asyncio.FIRST_COMPLETED)
    if life.ready.done():
        dialer.scene.loader.url = life.ready.result()
    elif not life.ended.done():
        raise RuntimeError(f"a life did not get ready: see {dialer.scene.log}")


async def _end(dialer: Dialer, rng: random.Random, longest: float) -> None:
    """Let it live, and end it unless it ends itself; one in three is stopped for a while first."""
    scene, life = dialer.scene, dialer.life
    await asyncio.wait((life.ended,), timeout=min(rng.uniform(1.0, 15.0), longest))
    known_until: float | None = None
    if not life.ended.done():
        known_until = time.time()
        if rng.random() < 1 / 3:
            scene.nursery.send(life, signal.SIGSTOP)
            await asyncio.sleep(rng.uniform(0.5, 8.0))
            scene.stops.append((known_until, time.time()))
            if rng.random() < 0.5:
                scene.nursery.send(life, signal.SIGCONT)
                await asyncio.sleep(rng.uniform(0.5, 3.0))
                known_until = time.time()
        scene.nursery.send(life, signal.SIGKILL)
    in_flight = scene.in_flight()
    if await life.ended != -signal.SIGKILL:
        raise RuntimeError(f"a life ended by itself: see {scene.log}")
    scene.loader.url = None
    now = time.time()
    scene.kills.append(Kill(now, AT_RANDOM, in_flight, known_until or now))
