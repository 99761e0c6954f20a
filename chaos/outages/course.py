"""The course of a campaign: outage after outage under load, each with enough calls in flight, then
everything ends, and what was seen is judged."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from chaos.checker import check
from chaos.outages.asterisk import run_exchange
from chaos.outages.harm import Dialer, Outage, Stage, inflict
from chaos.outages.reasons import Reason, check_reasons, read_reasons
from chaos.records import Evidence
from chaos.scene import (
    LOOK,
    Options,
    Outcome,
    collect,
    finish,
    prepare,
    set_scene,
    start_ready,
)

Tell = Callable[[str], None]

LOAD: Final = Options(kills=0, channels=100, cps=15.0, talk="6", patience=400.0)
"""Calls of six seconds, most of them: some 60 in flight."""

SETTINGS: Final = {"DIALER_DRAIN_TIMEOUT": "5"}

IN_FLIGHT: Final = 30
"""Calls that are live at least when an outage begins."""

PATIENCE: Final = 60.0
"""Seconds in which enough calls must be in flight again after an outage."""

AGAIN: Final = 15.0
"""Seconds from an outage's end to the next Originate, at most: the dialer tries to connect every
10 s at least, and a breaker lets its first probe go after 5 s."""

ONE_BREAK: Final = 0.5
"""Seconds between the end of a dialer and the end of its connection, at most."""


@dataclass(frozen=True, slots=True)
class Suffered:
    """One outage. `seconds`: how long it lasted; `again`: from its end to the next Originate, None
    where other faults came between."""

    what: str
    at: float
    in_flight: int
    seconds: float
    again: float | None


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What came of a campaign. `suffered` is in order; `problems` are all that is wrong."""

    outcome: Outcome
    suffered: tuple[Suffered, ...]
    reasons: tuple[Reason, ...]
    problems: tuple[str, ...]


def deal(outages: Sequence[Outage], rounds: int, seed: int) -> list[Outage]:
    """Each one `rounds` times, in an order of the seed's. What is graceful comes first in its
    round: an Asterisk that refuses leaves an item that waits for a minute."""
    rng = random.Random(seed)
    dealt: list[Outage] = []
    for _ in range(rounds):
        hand = list(outages)
        rng.shuffle(hand)
        dealt += sorted(hand, key=lambda outage: "gracefully" not in outage.value)
    return dealt


async def run_outages(
    root: Path,
    folder: Path,
    outages: Sequence[Outage],
    options: Options = LOAD,
    tell: Tell = lambda _: None,
) -> Ordeal:
    """Inflict them one after the other, in `folder`, which is empty. Raises when an Asterisk or the
    dialer does not start, or the dialer ends though nobody asked it to."""

    async def harm(stage: Stage) -> list[Suffered]:
        return [await suffer(outage, stage, tell) for outage in outages]

    return await run_ordeal(root, folder, options, harm, tell)


async def run_ordeal(
    root: Path,
    folder: Path,
    options: Options,
    harm: Callable[[Stage], Awaitable[list[Suffered]]],
    tell: Tell,
) -> Ordeal:
    """Load calls while `harm` does what it does, and judge what came of it. `harm` leaves Asterisk
    and the dialer alive."""
    started = time.monotonic()
    async with (
        run_exchange(root, folder / "asterisk") as exchange,
        set_scene(folder, options, exchange, tell, extra=SETTINGS) as scene,
    ):
        accounts = await prepare(scene)
        dialer = Dialer(scene, await start_ready(scene))
        stop = asyncio.Event()
        loading = asyncio.get_running_loop().create_task(scene.loader.run(stop))
        try:
            suffered = await harm(Stage(exchange, dialer))
            stop.set()
            tell("letting it finish")
            probe, status = await finish(scene, dialer.life, accounts, loading)
        finally:
            loading.cancel()
        outcome = await asyncio.to_thread(collect, scene, accounts, probe, status, started)
        reasons = await asyncio.to_thread(read_reasons, scene.database)
    evidence = count_breaks(outcome.evidence, scene.stops)
    disturbed = (*evidence.disturbed, *((s.at, s.at + s.seconds) for s in suffered))
    outcome = replace(outcome, evidence=replace(evidence, disturbed=disturbed))
    problems = [*outcome.failed_batches, *check(outcome.evidence), *check_reasons(reasons)]
    problems += [
        f"{s.what}: {s.again:.1f} s until the next call"
        for s in suffered
        if s.again is not None and s.again > AGAIN
    ]
    return Ordeal(outcome, tuple(suffered), reasons, tuple(problems))


def count_breaks(evidence: Evidence, stops: Sequence[tuple[float, float]] = ()) -> Evidence:
    """With every end of a connection as a cut link, but those that a dialer's own end made. What
    ended while the dialer was stopped ended for it when it was stopped."""
    ends = [kill.at for kill in evidence.kills]
    breaks = [
        loss.at
        for loss in evidence.wire.losses
        if all(abs(loss.at - end) > ONE_BREAK for end in ends)
    ]
    cuts = tuple(_as_noticed(at, stops) for at in (*evidence.cuts, *breaks))
    return replace(evidence, cuts=cuts)


def _as_noticed(at: float, stops: Sequence[tuple[float, float]]) -> float:
    return next((begun for begun, over in stops if begun <= at <= over + ONE_BREAK), at)


async def suffer(outage: Outage, stage: Stage, tell: Tell) -> Suffered:
    """Wait for calls, do it, and see that calls are placed again."""
    scene = stage.dialer.scene
    await _until(stage, lambda: scene.in_flight() >= IN_FLIGHT, PATIENCE)
    at, began, in_flight = time.time(), time.monotonic(), scene.in_flight()
    await inflict(outage, stage)
    seconds = time.monotonic() - began
    sent = _sent(stage)
    again = await _until(stage, lambda: _sent(stage) > sent, PATIENCE)
    tell(f"{outage.value}: {in_flight} in flight, {seconds:.1f} s, calls again {again:.2f} s later")
    return Suffered(outage.value, at, in_flight, seconds, again)


def _sent(stage: Stage) -> int:
    count: int = stage.dialer.scene.wire.ask("count")[0]
    return count


async def _until(stage: Stage, holds: Callable[[], bool], seconds: float) -> float:
    """How long it took. Raises when the dialer ended or it took too long."""
    began = time.monotonic()
    log = stage.dialer.scene.log
    while not holds():
        if stage.dialer.life.ended.done():
            raise RuntimeError(f"the dialer ended by itself: see {log}")
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"no calls within {seconds:g} s: see {log}")
        await asyncio.sleep(LOOK)
    return time.monotonic() - began
