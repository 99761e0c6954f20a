"""What is done to the machine that one worker of a cluster is on: its disk, and its clock."""

import asyncio
import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chaos.cluster.harm import Harm, draw_driver
from chaos.cluster.members import Member
from chaos.cluster.stage import Stage
from chaos.faults.clock import HOUR
from chaos.faults.disk import keep_full
from chaos.faults.moved_clock import set_clock

ILL: Final = (6.0, 12.0)
"""Seconds that a disk takes nothing."""

MOVED_FOR: Final = 4.0
"""Seconds between two steps of a clock."""

STEPS: Final = (HOUR, 0.0, -HOUR, 0.0)

NOTHING: Final = 1
"""Bytes that a file may have."""


@contextmanager
def forbid_growth(worker: Member) -> Iterator[None]:
    """No file of the worker's grows, until the block is left."""
    _, hard = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (NOTHING, hard))
    try:
        yield
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def limit_growth(stage: Stage, rng: random.Random) -> Harm:
    victim, seconds = draw_driver(stage, rng), rng.uniform(*ILL)
    at, left = time.time(), _left(stage, victim)
    with forbid_growth(victim):
        await asyncio.sleep(seconds)
    return Harm(f"no file of a worker grew for {seconds:.1f} s", at, time.time(), left)


async def fill_disk(stage: Stage, rng: random.Random) -> Harm:
    """Of the file system of a few megabytes that every worker's state has, one is full."""
    victim, seconds = draw_driver(stage, rng), rng.uniform(*ILL)
    at, left = time.time(), _left(stage, victim)
    with keep_full(victim.state / "ballast"):
        await asyncio.sleep(seconds)
    return Harm(f"a worker's disk was full for {seconds:.1f} s", at, time.time(), left)


async def move_clock(stage: Stage, rng: random.Random) -> Harm:
    """A worker's own: the others', PostgreSQL's and Asterisk's are right."""
    victim, at = draw_driver(stage, rng), time.time()
    for by in STEPS:
        set_clock(victim.clock, by)
        await asyncio.sleep(MOVED_FOR)
    return Harm("a worker's clock was set +1 h, back, -1 h, back", at, time.time())


def _left(stage: Stage, worker: Member) -> tuple[tuple[str, float], ...]:
    now = time.time()
    return tuple((server, now) for server in stage.servers_of(worker))
