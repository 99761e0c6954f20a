"""What a fault of a cluster is, and how its victims are drawn. Each fault harms it, mends it, and
leaves every process of it alive."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chaos.cluster.members import Member
from chaos.cluster.stage import Stage


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done: from `at` until `healed`, when all was mended. `left`: servers that lost their
    worker, or that came back, and when. `takeover`: another worker must take them over."""

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


def draw_driver(stage: Stage, rng: random.Random) -> Member:
    """One that drives a server, where there is one."""
    owners = sorted(set(stage.owners().values()), key=lambda member: member.number)
    return rng.choice(owners or stage.workers)
