"""What is done to an Asterisk in mid-campaign, and to the dialer with it."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chaos.lives import Life
from chaos.outages.asterisk import USER, Asterisk, Exchange
from chaos.plan import AT_RANDOM
from chaos.records import Kill
from chaos.scene import Scene, start_ready

FROZEN_FOR: Final = 12.0
"""Seconds of SIGSTOP: longer than it takes the dialer to notice that nobody answers."""

STAYS_DOWN: Final = 2.0
"""Seconds between the end of an Asterisk and its next start, where it does not start by itself."""

AFTERTHOUGHT: Final = 1.0
"""Seconds until a graceful stop is taken back."""


class Outage(StrEnum):
    """What is done. All but the last five end the calls, or wait for them."""

    STOP_GRACEFULLY = "core stop gracefully"
    RESTART_GRACEFULLY = "core restart gracefully"
    STOP = "core stop now"
    RESTART = "core restart now"
    KILL = "kill -9 of Asterisk"
    BOTH_KILLED = "kill -9 of Asterisk and dialer"
    BOTH_STOPPED = "core stop now, SIGTERM to the dialer"
    THINK_BETTER = "core stop gracefully, core abort shutdown"
    RELOAD = "manager reload"
    KICK = "manager kick session"
    FREEZE = "SIGSTOP of Asterisk"
    CUT = "connection reset"


@dataclass(slots=True)
class Dialer:
    """The life that is lived now."""

    scene: Scene
    life: Life

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by force, or by asking it. Raises when its status says otherwise."""
        in_flight, known_until = self.scene.in_flight(), time.time()
        self.scene.loader.url = None
        self.scene.nursery.send(self.life, number)
        status = await self.life.ended
        if status not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a life ended with {status}: see {self.scene.log}")
        self.scene.kills.append(Kill(time.time(), AT_RANDOM, in_flight, known_until))

    async def start(self) -> None:
        self.life = await start_ready(self.scene)


@dataclass(frozen=True, slots=True)
class Stage:
    """Whom it is done to."""

    exchange: Exchange
    dialer: Dialer

    @property
    def pbx(self) -> Asterisk:
        return self.exchange.pbx


async def inflict(outage: Outage, stage: Stage) -> None:
    """Do it; returns when Asterisk takes calls again and the dialer is ready."""
    await _DEEDS[outage](stage)


async def _stop_by(stage: Stage, command: str) -> None:
    await stage.pbx.order(command)
    await _start_again(stage)


async def _start_again(stage: Stage) -> None:
    await stage.pbx.ended()
    await asyncio.sleep(STAYS_DOWN)
    await stage.pbx.start()


async def _restart_by(stage: Stage, command: str) -> None:
    """It starts itself again, in the same process."""
    async with stage.pbx.watch() as gone:
        await stage.pbx.order(command)
        await gone()
    await stage.pbx.booted()


async def _kill(stage: Stage) -> None:
    stage.pbx.send(signal.SIGKILL)
    await _start_again(stage)


async def _kill_both(stage: Stage) -> None:
    stage.pbx.send(signal.SIGKILL)
    await stage.dialer.end()
    await asyncio.gather(_start_again(stage), stage.dialer.start())


async def _stop_both(stage: Stage) -> None:
    ending = asyncio.ensure_future(stage.dialer.end(signal.SIGTERM))
    await _stop_by(stage, "core stop now")
    await ending
    await stage.dialer.start()


async def _think_better(stage: Stage) -> None:
    stopping = asyncio.ensure_future(stage.pbx.order("core stop gracefully"))  # until it stopped
    await asyncio.sleep(AFTERTHOUGHT)
    with suppress(OSError):
        await stage.pbx.order("core abort shutdown")
    await stopping
    if not await _listens(stage.pbx):  # the last call ended before the afterthought
        await _start_again(stage)


async def _listens(pbx: Asterisk) -> bool:
    try:
        return bool(await pbx.order("core show uptime"))
    except OSError:
        return False


async def _reload(stage: Stage) -> None:
    await stage.pbx.order("manager reload")


async def _kick(stage: Stage) -> None:
    await stage.pbx.kick(USER)


async def _freeze(stage: Stage, seconds: float = FROZEN_FOR) -> None:
    stage.pbx.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    stage.pbx.send(signal.SIGCONT)


async def _cut(stage: Stage) -> None:
    scene = stage.dialer.scene
    scene.cuts.append(scene.wire.ask("cut"))


_DEEDS: Final[dict[Outage, Callable[[Stage], Awaitable[None]]]] = {
    Outage.STOP_GRACEFULLY: lambda stage: _stop_by(stage, "core stop gracefully"),
    Outage.RESTART_GRACEFULLY: lambda stage: _restart_by(stage, "core restart gracefully"),
    Outage.STOP: lambda stage: _stop_by(stage, "core stop now"),
    Outage.RESTART: lambda stage: _restart_by(stage, "core restart now"),
    Outage.KILL: _kill,
    Outage.BOTH_KILLED: _kill_both,
    Outage.BOTH_STOPPED: _stop_both,
    Outage.THINK_BETTER: _think_better,
    Outage.RELOAD: _reload,
    Outage.KICK: _kick,
    Outage.FREEZE: _freeze,
    Outage.CUT: _cut,
}
