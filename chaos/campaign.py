"""A campaign: load calls, kill the dialer again and again, let it finish, and collect the evidence.

Nothing here judges: that is `chaos.checker`.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chaos import database
from chaos.lives import Life
from chaos.plan import AT_RANDOM, Fate, LifePlan, Planner, settling_life
from chaos.records import Kill
from chaos.scene import (
    LOOK,
    READY,
    FarEnd,
    Options,
    Outcome,
    Scene,
    collect,
    finish,
    prepare,
    set_scene,
    start_life,
    start_ready,
)

SETTLE: Final = 9.0
"""Seconds that calls of which the end was not seen need to be settled: two lists 5 s apart."""

CUT_AFTER: Final = 0.4
"""Seconds after which the link of a life is cut, where its plan says so."""


async def run_campaign(
    folder: Path,
    options: Options,
    far_end: FarEnd | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run it in `folder`, which is empty. No `far_end`: on the simulator. `tell` gets lines about
    its progress. Raises when the dialer does not start."""
    started = time.monotonic()
    async with set_scene(folder, options, far_end, tell) as scene:
        async with asyncio.timeout(options.longest + options.patience):
            accounts = await prepare(scene)
            stop = asyncio.Event()
            loading = asyncio.get_running_loop().create_task(scene.loader.run(stop))
            try:
                await _kill_lives(scene, started + options.longest)
                stop.set()
                scene.tell(f"{scene.counted} kills; letting it finish")
                life = await start_ready(scene)
                probe, status = await finish(scene, life, accounts, loading)
            finally:
                loading.cancel()
        return await asyncio.to_thread(collect, scene, accounts, probe, status, started)


# Killing.


async def _kill_lives(scene: Scene, until: float) -> None:
    """Life after life, until enough kills count or until the monotonic time `until`."""
    options = scene.options
    planner = Planner(
        options.seed,
        **({} if options.points is None else {"points": options.points}),
        stop_every=options.stop_every,
        longest_stop=options.longest_stop,
        cut_every=options.cut_every,
        fresh_every=options.fresh_every,
    )
    plan = LifePlan(Fate.TIME, 0.0)
    while scene.counted < options.kills and time.monotonic() < until:
        crowded = await _live_and_die(scene, plan)
        # Calls that ended between two lives hold their slots until a life has lasted long enough.
        plan = settling_life(SETTLE) if crowded else planner.next_life()
        if scene.lives % 10 == 0:
            scene.tell(
                f"{scene.counted} of {options.kills} kills, {scene.lives} lives, "
                f"{len(scene.loader.accepted)} items, {scene.in_flight()} calls in flight"
            )


async def _live_and_die(scene: Scene, plan: LifePlan) -> bool:
    """One life from birth to kill; whether slots are running out."""
    born = time.monotonic()
    life = await start_life(scene, plan)
    await asyncio.wait((life.ready, life.ended), timeout=READY, return_when=asyncio.FIRST_COMPLETED)
    crowded = False
    if life.ready.done():
        scene.starts.append(time.monotonic() - born)
        scene.loader.url = life.ready.result()
        crowded = await _hold(scene, life, plan)
    elif not life.ended.done():
        raise RuntimeError(f"a life is not ready after {READY:g} s: see {scene.folder}/dialer.log")
    known_until = await _end(scene, life, plan)
    status = await life.ended
    scene.loader.url = None
    if status != -signal.SIGKILL:
        raise RuntimeError(f"a life ended with {status}: see {scene.folder}/dialer.log")
    _count(scene, plan.where if known_until is None else AT_RANDOM, known_until)
    return crowded


async def _hold(scene: Scene, life: Life, plan: LifePlan) -> bool:
    """Let a life live its time; whether many slots are held by calls that are over."""
    await asyncio.wait((life.ended,), timeout=CUT_AFTER if plan.cut else plan.seconds)
    if plan.cut and not life.ended.done():
        scene.cuts.append(scene.wire.ask("cut"))
        await asyncio.wait((life.ended,), timeout=plan.seconds)
    until = time.monotonic() + READY
    while not life.ended.done() and scene.in_flight() < scene.options.in_flight:
        if time.monotonic() > until:
            raise RuntimeError(f"no calls in flight: see {scene.folder}/dialer.log")
        await asyncio.wait((life.ended,), timeout=LOOK)
    if life.ended.done():
        return False
    held = await asyncio.to_thread(database.count_open, scene.database)
    return held - scene.in_flight() > scene.options.channels // 4


async def _end(scene: Scene, life: Life, plan: LifePlan) -> float | None:
    """End a life that has not ended by itself; until when it may know what it was told. None: it
    killed itself."""
    if life.ended.done():
        return None
    known_until = time.time()
    if plan.stopped:
        scene.nursery.send(life, signal.SIGSTOP)
        await asyncio.sleep(plan.stopped)
        scene.stops.append((known_until, time.time()))
        if plan.fate is Fate.STOPPED:
            scene.nursery.send(life, signal.SIGCONT)
            await asyncio.sleep(plan.seconds)
            known_until = time.time()
    scene.nursery.send(life, signal.SIGKILL)
    return known_until


def _count(scene: Scene, where: str, known_until: float | None) -> None:
    in_flight, now = scene.in_flight(), time.time()
    scene.kills.append(Kill(now, where, in_flight, known_until or now))
    if in_flight >= scene.options.in_flight:
        scene.counted += 1
