"""The course of a campaign with one fault: load, wait for calls, inflict it, let everything end,
and collect the evidence."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from chaos.checker import check
from chaos.far_ends import serve_simulator, serve_sinks
from chaos.lives import Life, clean_environment
from chaos.scene import (
    LOOK,
    SUPERUSER,
    Options,
    Outcome,
    Scene,
    collect,
    finish,
    prepare,
    set_scene,
    start_ready,
)
from chaos.witness_process import Serve

IN_FLIGHT: Final = 20
"""Calls that are live at least when a fault begins."""

PATIENCE: Final = 60.0
"""Seconds until that many are."""


@dataclass(slots=True)
class Ordeal:
    """A fault while it is inflicted: `life` is the dialer that is to finish, `seconds` how long the
    fault lasts. `notes` are figures for people, `problems` what should not be."""

    scene: Scene
    life: Life
    seconds: float
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.problems.append(otherwise)

    def sent(self) -> int:
        """Originates so far."""
        count: int = self.scene.wire.ask("count")[0]
        return count

    async def until(self, holds: Callable[[], object], seconds: float, what: str) -> float:
        """Wait until `holds()`; how long that took. After `seconds` it is a problem."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > seconds:
                self.problems.append(f"{what}: not within {seconds:g} s")
                break
            if self.life.ended.done():
                status = self.life.ended.result()
                raise RuntimeError(f"the dialer ended with {status}: see {self.scene.log}")
            await asyncio.sleep(LOOK)
        return time.monotonic() - began

    async def until_dialing(self, seconds: float, what: str) -> float:
        """Wait for one more Originate."""
        before = self.sent()
        return await self.until(lambda: self.sent() > before, seconds, what)

    async def ask(self, *arguments: str) -> tuple[int, str]:
        """`dialer ARGUMENTS`: exit status and standard output."""
        environment = clean_environment(self.scene.settings)
        process = await self.scene.nursery.bear(environment, arguments)
        return await process.ended, await process.output

    async def ready(self) -> httpx.Response:
        """What /readyz answers."""
        assert self.scene.loader.url is not None
        root = self.scene.loader.url.partition("/calling/")[0]
        async with httpx.AsyncClient(timeout=30.0) as http:
            return await http.get(f"{root}/readyz", headers={"X-API-KEY": SUPERUSER})


@dataclass(frozen=True, slots=True)
class Fault:
    """`brief` and `full`: seconds that it lasts in a short and in a whole campaign."""

    name: str
    what: str
    inflict: Callable[[Ordeal], Awaitable[None]]
    brief: float
    full: float
    options: Options
    sinks: Serve = serve_sinks
    extra: Callable[[Path], Mapping[str, str]] = lambda _: {}
    simulator: Callable[[Path], Serve] = lambda _: serve_simulator


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    outcome: Outcome
    notes: tuple[str, ...]
    problems: tuple[str, ...]


LOAD: Final = Options(kills=0, channels=120, cps=25.0, scale=0.1, patience=90.0)
"""Calls of three seconds."""


async def run_fault(
    fault: Fault,
    folder: Path,
    seconds: float,
    tell: Callable[[str], None] = lambda _: None,
    disk: Path | None = None,
) -> Trial:
    """Run it in `folder`, which is empty; `disk` is where the dialer keeps database and log, where
    that is another. Raises when the dialer ends though nobody asked it to."""
    started = time.monotonic()
    async with set_scene(
        *(folder, fault.options, None, tell),
        sinks=fault.sinks,
        extra=fault.extra(folder),
        disk=disk,
        simulator=fault.simulator(folder),
    ) as scene:
        accounts = await prepare(scene)
        stop = asyncio.Event()
        loading = asyncio.get_running_loop().create_task(scene.loader.run(stop))
        try:
            ordeal = Ordeal(scene, await start_ready(scene), seconds)
            await ordeal.until(lambda: scene.in_flight() >= IN_FLIGHT, PATIENCE, "calls in flight")
            await fault.inflict(ordeal)
            stop.set()
            tell("letting it finish")
            probe, status = await finish(scene, ordeal.life, accounts, loading)
        finally:
            loading.cancel()
        outcome = await asyncio.to_thread(collect, scene, accounts, probe, status, started)
    problems = [*ordeal.problems, *outcome.failed_batches, *check(outcome.evidence)]
    return Trial(outcome, tuple(ordeal.notes), tuple(problems))
