"""How soon the dialer dials again after a kill with many calls in flight: from its login to its
next Originate, and until it has found all calls that are live."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from chaos.checker import check
from chaos.outages.asterisk import run_exchange
from chaos.outages.course import SETTINGS, Tell, count_breaks
from chaos.outages.harm import Dialer
from chaos.records import Evidence
from chaos.scene import (
    LOOK,
    Options,
    Outcome,
    Scene,
    collect,
    finish,
    prepare,
    set_scene,
    start_ready,
)

WANTED: Final = 1000
TALK: Final = 21.0
"""Seconds that a call of the client's mix lasts on average, most of them 30."""

PATIENCE: Final = 120.0
"""Seconds in which so many calls must be in flight."""

RESTED: Final = 8.0
"""Seconds that a life is given to follow its calls, until it is killed."""

_COMPARED: Final = re.compile(
    r"^(?P<at>\S+)Z .*open calls compared.* gone=\d+ live=(?P<live>\d+) missing=(?P<missing>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A life after a kill. Seconds from its login: `dialed` to its first Originate, `adopted` until
    it had found `live` calls; `missing` were not there any more."""

    dialed: float
    adopted: float
    live: int
    missing: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """`in_flight`: calls at each kill."""

    outcome: Outcome
    in_flight: tuple[int, ...]
    lives: tuple[Recovered, ...]
    problems: tuple[str, ...]


def plan_load(wanted: int, kills: int) -> Options:
    """Some more than so many calls in flight, and room for more: a life must find a free slot while
    calls that ended unseen keep theirs."""
    cps = 1.15 * wanted / TALK
    return Options(
        kills=kills, channels=wanted * 6 // 5, cps=cps, talk="60", scale=1.0, patience=400.0
    )


async def measure_recovery(
    root: Path | None,
    folder: Path,
    wanted: int = WANTED,
    kills: int = 3,
    tell: Tell = lambda _: None,
) -> Recovery:
    """Kill the dialer with `wanted` calls in flight, so often, in `folder`, which is empty. On an
    Asterisk from `root`, or, without, on the simulator. Raises when there are not so many calls."""
    started = time.monotonic()
    async with _serve(root, folder, plan_load(wanted, kills), tell) as scene:
        accounts = await prepare(scene)
        dialer = Dialer(scene, await start_ready(scene))
        stop = asyncio.Event()
        loading = asyncio.get_running_loop().create_task(scene.loader.run(stop))
        try:
            for _ in range(kills):
                await _until_in_flight(scene, wanted)
                await dialer.end()
                await dialer.start()
                tell(f"killed with {scene.kills[-1].in_flight} calls in flight")
                await asyncio.sleep(RESTED)
            stop.set()
            tell("letting it finish")
            probe, status = await finish(scene, dialer.life, accounts, loading)
        finally:
            loading.cancel()
        outcome = await asyncio.to_thread(collect, scene, accounts, probe, status, started)
        log = await asyncio.to_thread(scene.log.read_text)
    outcome = replace(outcome, evidence=count_breaks(outcome.evidence))
    lives = find_lives(outcome.evidence, log)
    problems = [*outcome.failed_batches, *check(outcome.evidence)]
    if len(lives) < kills:
        problems.append(f"{len(lives)} of {kills} lives told what was left of the calls before")
    in_flight = tuple(kill.in_flight for kill in outcome.evidence.kills)
    return Recovery(outcome, in_flight, lives, tuple(problems))


@asynccontextmanager
async def _serve(
    root: Path | None, folder: Path, options: Options, tell: Tell
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        exchange = None
        if root is not None:
            exchange = await stack.enter_async_context(run_exchange(root, folder / "asterisk"))
        scene = set_scene(folder, options, exchange, tell, extra=SETTINGS)
        yield await stack.enter_async_context(scene)


async def _until_in_flight(scene: Scene, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while scene.in_flight() < wanted:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(LOOK)


def find_lives(evidence: Evidence, log: str) -> tuple[Recovered, ...]:
    """The first login after each kill, with its first Originate, and what its life said that it
    found; lives that did neither are left out."""
    first: dict[int, float] = {}
    for originate in evidence.wire.originates:
        first.setdefault(originate.connection, originate.at)
    told = [(_epoch(found["at"]), found) for found in _COMPARED.finditer(log)]
    lives: list[Recovered] = []
    for kill in evidence.kills:
        login = next((each for each in evidence.wire.logins if each.at > kill.at), None)
        if login is None or login.connection not in first:
            continue
        found = next(((at, it) for at, it in told if at > login.at), None)
        if found is not None:
            at, it = found
            dialed, adopted = first[login.connection] - login.at, at - login.at
            lives.append(Recovered(dialed, adopted, int(it["live"]), int(it["missing"])))
    return tuple(lives)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()
