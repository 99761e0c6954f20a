"""The wall clock is set an hour forward, back, an hour behind, and back, while calls run."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from chaos import database
from chaos.faults.course import LOAD, Fault, Ordeal
from chaos.faults.moved_clock import VARIABLE, serve_moved, set_clock
from chaos.records import Kill
from chaos.scene import start_ready

HOUR: Final = 3600.0
STEPS: Final = (HOUR, 0.0, -HOUR, 0.0)
"""What the clock shows more than it should, one after the other."""

SOON: Final = 3.0
"""Seconds until the next call after a step, at most."""

EXPIRED: Final = 5.0
"""Seconds until items are ended whose deadline a step went past."""

LONGEST: Final = 60
"""Seconds that no call of a campaign lasts."""

DOOMED: Final = 10
"""Items with a deadline that the first step goes past."""


def make_clock(folder: Path) -> Mapping[str, str]:
    file = _clock_of(folder)
    set_clock(file, 0.0)
    return {VARIABLE: str(file)}


def _clock_of(folder: Path) -> Path:
    return folder / "clock"


async def inflict(ordeal: Ordeal) -> None:
    await _load_doomed(ordeal)
    logins = _count_logins(ordeal)
    for moved in STEPS:
        await _set(ordeal, moved)
    ordeal.expect(_count_logins(ordeal) == logins, "a link was lost by a step of the clock")
    await _restart_behind(ordeal)
    _judge_records(ordeal)


async def _set(ordeal: Ordeal, moved: float) -> None:
    """Set the clock, and see that calls go on at their pace."""
    set_clock(_clock_of(ordeal.scene.folder), moved)
    soon = await ordeal.until_dialing(SOON, f"no call after the clock was set to {moved:+g} s")
    before, began = ordeal.sent(), time.monotonic()
    if moved == HOUR:
        gone = await ordeal.until(
            lambda: _count_doomed(ordeal) == DOOMED, EXPIRED, "items past their deadline not ended"
        )
        ordeal.notes.append(f"{DOOMED} items whose deadline was passed ended after {gone:.1f} s")
    await asyncio.sleep(max(0.0, ordeal.seconds - (time.monotonic() - began)))
    rate = (ordeal.sent() - before) / (time.monotonic() - began)
    ordeal.notes.append(
        f"clock {moved:+g} s: a call after {soon:.2f} s, then {rate:.1f} calls a second"
    )
    ordeal.expect(rate > LOAD.cps / 4, f"{rate:.1f} calls a second with the clock at {moved:+g} s")
    ordeal.expect(rate < LOAD.cps * 1.1, f"{rate:.1f} calls a second with the clock at {moved:+g}")


async def _restart_behind(ordeal: Ordeal) -> None:
    """A start after the clock was set back finds starts of calls, and calls, of the future."""
    scene = ordeal.scene
    now = time.time()
    scene.nursery.send(ordeal.life, signal.SIGKILL)
    await ordeal.life.ended
    scene.loader.url = None
    scene.kills.append(Kill(now, "before the clock was set back", scene.in_flight(), now))
    set_clock(_clock_of(scene.folder), -HOUR)
    ordeal.life = await start_ready(scene)
    soon = await ordeal.until_dialing(SOON, "no call after a start with the clock an hour behind")
    ordeal.notes.append(f"started with the clock at -3600 s: a call after {soon:.2f} s")


async def _load_doomed(ordeal: Ordeal) -> None:
    """Items of a paused queue, with a deadline in half an hour."""
    loader = ordeal.scene.loader
    account = loader.accounts[-1]
    deadline = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR / 2))
    async with httpx.AsyncClient(timeout=30.0) as http:
        await loader.load_paused(http, account, DOOMED, deadline)


def _count_doomed(ordeal: Ordeal) -> int:
    """Items that ended without an attempt."""
    return database.count_terminated(ordeal.scene.database)


def _count_logins(ordeal: Ordeal) -> int:
    with (ordeal.scene.folder / "wire.jsonl").open(encoding="utf-8") as lines:
        return sum('"what": "login"' in line for line in lines)


def _judge_records(ordeal: Ordeal) -> None:
    """Times of every CDR are in order, and no call lasted longer than it can."""
    wrong: Counter[str] = Counter()
    for record in database.read_times(ordeal.scene.database):
        wrong.update(find_disorder(record))
    ordeal.problems += [f"{count} CDRs {what}" for what, count in wrong.items()]


def find_disorder(record: Mapping[str, Any]) -> list[str]:
    """What is wrong with the times of a CDR (seconds; None: was not)."""
    times = [record[name] for name in ("started_at", "ringing_at", "answered_at", "ended_at")]
    known = [at for at in times if at is not None]
    found = []
    if known != sorted(known):
        found.append("out of order")
    if not 0 <= record["billsec"] <= record["duration"]:
        found.append("billed for longer than they lasted")
    if record["duration"] > LONGEST:
        found.append("longer than any call")
    return found


MOVED: Final = Fault(
    name="clock",
    what="the wall clock is set an hour forward, back, an hour behind, and back",
    inflict=inflict,
    brief=4.0,
    full=30.0,
    options=replace(LOAD, entry="chaos.faults.moved_clock"),
    extra=make_clock,
    simulator=lambda folder: partial(serve_moved, _clock_of(folder)),
)
