"""The course of a campaign with several workers: faults one by one, each with the rate of calls
before and after it; then all at once; then everything ends, and the evidence is collected.

Nothing here judges: that is `chaos.cluster.checker`.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chaos.cluster.catalogue import ALL, FAULTS, HANDS
from chaos.cluster.census import merge_wires
from chaos.cluster.database import set_right
from chaos.cluster.far_side import find_rang
from chaos.cluster.harm import Harm
from chaos.cluster.points import AT_POINTS
from chaos.cluster.records import Limit, Round, Sighting
from chaos.cluster.stage import (
    LOOK,
    Options,
    Stage,
    keep_loading,
    open_cluster,
    set_stage,
)
from chaos.records import Evidence, Probe, Wire
from chaos.wire import read_wire

FLOWING: Final = 0.9
"""Of the rate at the beginning, what 1.5 s must have for a fault to be over."""

WITHIN: Final = 40.0
"""Seconds that this may take."""

PROBE: Final = 5.0
"""Seconds without one more call at a time, after which no more will come."""


async def run_campaign(
    folder: Path,
    options: Options,
    faults: Sequence[str] = tuple(FAULTS),
    rounds: int = 1,
    seconds: float = 0.0,
    storm: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Sighting:
    """Run it in `folder`, which is empty: each of `faults` so many `rounds`, and on for `seconds`,
    then a storm of them (of all, where none are named). Raises when the cluster does not start, or
    does not finish."""
    began = time.time()
    async with set_stage(folder, options, tell) as stage:
        await open_cluster(stage)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            loading = tasks.create_task(keep_loading(stage, stop))
            baseline, rate = await _measure_first(stage)
            until = time.monotonic() + seconds
            each = await _inflict_each(stage, faults, rounds, rate, until)
            suffered = await _rage(stage, faults or tuple(FAULTS), storm) if storm else []
            stop.set()
            try:
                async with asyncio.timeout(options.patience):
                    probe, statuses = await _finish(stage, loading)
            except TimeoutError:  # what is wrong is told all the same
                probe, statuses = Probe(0, 0), (("all, in time", 124),)
                loading.cancel()
        return await _collect(stage, each, suffered, baseline, probe, statuses, began)


# One by one.


async def _measure_first(stage: Stage) -> tuple[tuple[float, float], float]:
    """From when to when, and the calls a second."""
    before = time.monotonic()
    while stage.sent() < 20:
        if time.monotonic() - before > WITHIN:
            raise RuntimeError(f"no calls: see {stage.folder}")
        await asyncio.sleep(LOOK)
    await asyncio.sleep(stage.options.warm)
    sent = stage.sent()
    since, until = await _measure(stage)
    return (since, until), (stage.sent() - sent) / (until - since)


async def _measure(stage: Stage) -> tuple[float, float]:
    since = time.time()
    await asyncio.sleep(stage.options.measure)
    return since, time.time()


async def _inflict_each(
    stage: Stage, faults: Sequence[str], rounds: int, rate: float, until: float
) -> list[Round]:
    """In random order, each as often as the others, until the monotonic time `until`, and so many
    `rounds` at least."""
    rng = random.Random(stage.options.seed)
    done: list[Round] = []
    while faults and (len(done) < rounds * len(faults) or time.monotonic() < until):
        deck = list(faults)
        rng.shuffle(deck)
        done += [await _inflict(stage, name, rng, rate) for name in deck]
    return done


async def _inflict(stage: Stage, name: str, rng: random.Random, rate: float) -> Round:
    """`rate`: calls a second where nothing is measured before."""
    before = after = None
    if name not in AT_POINTS:
        sent = stage.sent()
        before = await _measure(stage)
        rate = (stage.sent() - sent) / (before[1] - before[0])
    harm = await ALL[name](stage, rng)
    flowing = await _until_flowing(stage, FLOWING * rate)
    if before is not None:
        await asyncio.sleep(stage.options.settle)
        after = await _measure(stage)
    lasted = "never" if flowing is None else f"{flowing - harm.healed:.1f} s later"
    stage.tell(f"{name}: {harm.what}; calls go again {lasted}; {stage.in_flight()} in flight")
    return Round(name, harm, flowing, before, after, time.time())


async def _until_flowing(stage: Stage, rate: float) -> float | None:
    """When 1.5 s had so many calls a second, and every server a worker; None: not in time."""
    until = time.monotonic() + WITHIN
    seen: deque[tuple[float, int]] = deque()
    while (now := time.monotonic()) < until:
        seen.append((now, stage.sent()))
        while now - seen[0][0] > 1.5:
            (at, before), rest = seen[0], seen[-1][1]
            if rest - before >= rate * (now - at) and len(stage.owners()) == len(stage.exchanges):
                return time.time()
            seen.popleft()
        await asyncio.sleep(LOOK)
    return None


# All at once.


async def _rage(stage: Stage, faults: Sequence[str], seconds: float) -> list[tuple[str, Harm]]:
    until = time.monotonic() + seconds
    suffered: list[tuple[str, Harm]] = []
    async with asyncio.TaskGroup() as tasks:
        for number, (names, pauses) in enumerate(HANDS):
            chosen = [name for name in names if name in faults]
            if chosen:
                rng = random.Random(stage.options.seed * 100 + number)
                tasks.create_task(_harm(stage, chosen, pauses, rng, until, suffered))
    await stage.members.start_ready(*stage.members.all)
    stage.aim_front()
    return suffered


async def _harm(
    stage: Stage,
    names: Sequence[str],
    pauses: tuple[float, float],
    rng: random.Random,
    until: float,
    suffered: list[tuple[str, Harm]],
) -> None:
    while (pause := rng.uniform(*pauses)) + time.monotonic() < until:
        await asyncio.sleep(pause)
        name = rng.choice(names)
        harm = await ALL[name](stage, rng)
        suffered.append((name, harm))
        stage.tell(f"{name}: {harm.what}; {stage.in_flight()} in flight")


# The end.


async def _finish(
    stage: Stage, loading: "asyncio.Task[None]"
) -> tuple[Probe, tuple[tuple[str, int], ...]]:
    """Everything ends, then every slot is used at once, then the processes are asked to end."""
    stage.tell("letting it finish")
    await loading
    stage.rates_until = time.time()
    await stage.set_cps({load.name: 1000.0 for load in stage.options.clients})
    for exchange in stage.exchanges:
        await stage.command("servers", "set", exchange.code, "--max-cps", "0")
    await stage.until_finished("items", "attempts")
    probe = await _probe_slots(stage)
    await stage.until_finished("items", "attempts", "deliveries")
    members = stage.members.all
    statuses = await asyncio.gather(*(stage.members.ask_to_leave(member) for member in members))
    return probe, tuple(zip((member.name for member in members), statuses, strict=True))


async def _probe_slots(stage: Stage) -> Probe:
    """Give every client as many calls as it has channels: how many were live at once."""
    wanted = sum(load.channels for load in stage.options.clients)
    for account in stage.loader.accounts:
        await stage.loader.load_talk(account, account.channels)
    most, until = 0, time.monotonic() + PROBE
    while most < wanted and time.monotonic() < until:
        if (live := stage.in_flight()) > most:
            most, until = live, time.monotonic() + PROBE
        await asyncio.sleep(LOOK / 5)
    return Probe(wanted, most)


async def _collect(
    stage: Stage,
    rounds: Sequence[Round],
    suffered: Sequence[tuple[str, Harm]],
    baseline: tuple[float, float],
    probe: Probe,
    statuses: tuple[tuple[str, int], ...],
    began: float,
) -> Sighting:
    options = stage.options
    wires: dict[str, Wire] = {
        exchange.code: read_wire(exchange.file, exchange.wire.ask("most live"))
        for exchange in stage.exchanges
    }
    stored = await stage.reader.read()
    rang = find_rang([exchange.far for exchange in stage.exchanges], stage.loader.calls.prefix)
    whole = Evidence(
        accepted=tuple(stage.loader.accepted),
        wire=merge_wires(wires, stage.deaths),
        rang=rang,
        callbacks=stage.sinks.ask("callbacks"),
        sgapi=stage.sinks.ask("sgapi"),
        rows=stored.rows,
        kills=(),
        cuts=(),
        probe=probe,
        live_at_end=stage.in_flight(),
        cap=sum(load.channels for load in options.clients),
        exit_status=0,
    )
    return Sighting(
        whole=whole,
        wires=wires,
        lifetimes={
            name: set_right(life, began, time.time()) for name, life in stored.lifetimes.items()
        },
        reasons=stored.reasons,
        clients={load.name: Limit(load.channels, load.cps) for load in options.clients},
        servers={
            exchange.code: Limit(options.max_channels, options.max_cps)
            for exchange in stage.exchanges
        },
        rounds=tuple(rounds),
        storm=tuple(suffered),
        frozen=tuple(stage.frozen),
        away=tuple(stage.away),
        deaths=tuple(stage.deaths),
        disorders=stored.disorders,
        baseline=baseline,
        rates_until=stage.rates_until,
        kept=options.kept,
        slack=options.slack,
        blur=options.blur,
        unasked=tuple(stage.members.unasked),
        refused=tuple(stage.loader.failed),
        false_starts=stage.members.false_starts,
        statuses=statuses,
        seconds=time.time() - began,
    )
