"""SIGTERM under load: once, with calls left at the end of the drain, twice, and while starting."""

import asyncio
import signal
import time
from typing import Final

from chaos.faults.course import LOAD, Fault, Ordeal
from chaos.plan import Fate, LifePlan
from chaos.records import Kill
from chaos.scene import start_life, start_ready

DRAIN: Final = 20
"""Seconds that the scene's settings give live calls (DIALER_DRAIN_TIMEOUT)."""

BESIDE: Final = 12.0
"""Seconds that docs/reliability.md allows for deliveries and requests after that, and a bit."""

AT_ONCE: Final = 3.0
"""Seconds in which a second signal ends it."""

STARTING: Final = 0.1
"""Seconds after which a life is on its way and not ready yet."""

LAST: Final = 0.3
"""Seconds after the signal in which what was on its way to the wire may still arrive."""


async def inflict(ordeal: Ordeal) -> None:
    await stop(ordeal, "one SIGTERM", DRAIN + BESIDE, left=False)
    ordeal.scene.extra = {"DIALER_DRAIN_TIMEOUT": "1"}
    await start_again(ordeal)
    await stop(ordeal, "one SIGTERM, drain of 1 s", 1.0 + BESIDE, left=True)
    ordeal.scene.extra = {}
    await start_again(ordeal)
    await stop(ordeal, "two SIGTERMs", AT_ONCE, left=True, twice=True)
    early = await start_life(ordeal.scene, LifePlan(Fate.TIME, 0.0))
    await asyncio.sleep(STARTING)
    began, asked = time.monotonic(), time.time()
    ordeal.scene.nursery.send(early, signal.SIGTERM)
    status = await early.ended
    # Where it came as far as a login, it follows the calls that were left, and starts none.
    ordeal.scene.stops.append((asked, time.time()))
    ordeal.notes.append(
        f"SIGTERM while starting: {time.monotonic() - began:.2f} s, status {status}"
    )
    ordeal.expect(status in (0, -signal.SIGTERM), f"SIGTERM while starting ended with {status}")
    await start_again(ordeal)


async def stop(
    ordeal: Ordeal, what: str, within: float, *, left: bool, twice: bool = False
) -> None:
    """Ask the dialer to end. `left`: calls may be left to the next start."""
    scene, life = ordeal.scene, ordeal.life
    live = scene.in_flight()
    began = time.monotonic()
    scene.nursery.send(life, signal.SIGTERM)
    await asyncio.sleep(LAST)
    before = ordeal.sent()
    if twice:
        scene.nursery.send(life, signal.SIGTERM)
        began = time.monotonic()
    status = await life.ended
    scene.loader.url = None
    took, now = time.monotonic() - began, time.time()
    remaining = scene.in_flight()
    ordeal.notes.append(
        f"{what}: {live} calls in flight, ended after {took:.2f} s with status {status},"
        f" {remaining} calls left"
    )
    ordeal.expect(status == 0, f"{what}: ended with {status}")
    ordeal.expect(took <= within, f"{what}: took {took:.1f} s, not {within:g}")
    ordeal.expect(ordeal.sent() == before, f"{what}: calls were started after it")
    ordeal.expect(left or not remaining, f"{what}: {remaining} calls were left though they end")
    if left:
        scene.kills.append(Kill(now, what, remaining, now))


async def start_again(ordeal: Ordeal) -> None:
    ordeal.life = await start_ready(ordeal.scene)
    before = ordeal.sent()
    await ordeal.until(lambda: ordeal.sent() > before + 20, 30.0, "calls after a new start")


STOPPED: Final = Fault(
    name="sigterm",
    what="SIGTERM under load, twice, and while starting",
    inflict=inflict,
    brief=0.0,
    full=0.0,
    options=LOAD,
)
