"""What is done to one of the Asterisk servers of a cluster, simulated or real."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from chaos.cluster.far_side import FarSide
from chaos.cluster.harm import Harm, Inflict
from chaos.cluster.stage import Stage

DOWN: Final = (0.0, 4.0)
"""Seconds until one that ended is started again."""

FROZEN: Final = (4.0, 14.0)
"""Seconds of SIGSTOP: some too short for a worker to notice, some not."""


def end_asterisk(how: str, end: Callable[[FarSide], Awaitable[None]]) -> Inflict:
    """One ends, and is started again."""

    async def inflict(stage: Stage, rng: random.Random) -> Harm:
        exchange, at = rng.choice(stage.exchanges), time.time()
        await end(exchange.far)
        over = time.time()
        stage.deaths.append((exchange.code, over))
        await asyncio.sleep(rng.uniform(*DOWN))
        back = time.time()
        await exchange.far.start()
        healed = time.time()
        what = f"{how}: over after {over - at:.1f} s, back after {healed - at:.1f} s"
        return Harm(what, at, healed, ((exchange.code, back),))

    return inflict


async def freeze_asterisk(stage: Stage, rng: random.Random) -> Harm:
    exchange, at, seconds = rng.choice(stage.exchanges), time.time(), rng.uniform(*FROZEN)
    exchange.far.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        exchange.far.thaw()
    healed = time.time()
    stage.frozen.append((exchange.code, at, healed))
    return Harm(f"an Asterisk was stopped (SIGSTOP) for {seconds:.1f} s", at, healed)


stop_gracefully: Final = end_asterisk("core stop gracefully", lambda far: far.stop_gracefully())
stop_now: Final = end_asterisk("core stop now", lambda far: far.stop())
kill_asterisk: Final = end_asterisk("kill -9 of an Asterisk", lambda far: far.kill())
