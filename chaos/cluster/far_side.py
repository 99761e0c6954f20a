"""The Asterisk servers of a cluster's campaign, which can be stopped, killed, frozen and started
again: simulated ones, each in a process of its own, or real ones, with a carrier behind them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from ami.simulator import Simulator, SimulatorConfig
from chaos.far_ends import MOST_CALLS
from chaos.outages.asterisk import Asterisk, run_asterisks
from chaos.witness_process import Pipe, Witness, answer, run_witness
from tests.lab.carrier_log import read_calls

LOOK: Final = 0.05
"""Seconds between two looks whether it is over."""

PATIENCE: Final = 60.0
"""Seconds that one gets to end in order: until its last call has ended."""


class FarSide(Protocol):
    """One Asterisk. What ends it returns when it is over; `start` when it takes calls again."""

    @property
    def port(self) -> int: ...
    async def stop_gracefully(self) -> None:
        """It refuses calls from now on, and ends with its last one."""

    async def stop(self) -> None:
        """It hangs up all calls and ends."""

    async def kill(self) -> None: ...
    async def start(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def rang(self, prefix: str) -> tuple[str, ...]:
        """Numbers that begin with `prefix`, once for every call that came."""


class SimulatedAsterisk:
    """Its process outlives its ends: only what a dialer can see of it ends."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.port, self._pid = witness.hello

    async def stop_gracefully(self) -> None:
        await self._do("stop gracefully", "down")

    async def stop(self) -> None:
        await self._do("stop", "down")

    async def kill(self) -> None:
        await self._do("kill", "down")

    async def start(self) -> None:
        await self._do("start", "up")

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def rang(self, prefix: str) -> tuple[str, ...]:
        return tuple(number for number in self._witness.ask("rang") if number.startswith(prefix))

    async def _do(self, what: str, then: str) -> None:
        self._witness.ask(what)
        async with asyncio.timeout(PATIENCE):
            while self._witness.ask("state") != then:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(LOOK)


class RealAsterisk:
    """A PBX of the lab's configuration; `carrier` has the log of what rang behind it."""

    def __init__(self, pbx: Asterisk, carrier: Asterisk) -> None:
        self._pbx, self._carrier = pbx, carrier

    @property
    def port(self) -> int:
        return self._pbx.ports.ami

    async def stop_gracefully(self) -> None:
        await self._pbx.order("core stop gracefully")
        await self._pbx.ended()

    async def stop(self) -> None:
        await self._pbx.order("core stop now")
        await self._pbx.ended()

    async def kill(self) -> None:
        self._pbx.send(signal.SIGKILL)
        await self._pbx.ended()

    async def start(self) -> None:
        await self._pbx.start()

    def freeze(self) -> None:
        self._pbx.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._pbx.send(signal.SIGCONT)

    def rang(self, prefix: str) -> tuple[str, ...]:
        """Through any of the PBXs: they share the carrier."""
        calls = read_calls(self._carrier.run_folder / "log" / "calls.log")
        return tuple(call.number for call in calls if call.number.startswith(prefix))


def find_rang(far_sides: Sequence[FarSide], prefix: str) -> tuple[str, ...]:
    """Everything that rang behind all of them: real ones share a carrier, which has one log."""
    asked = far_sides[:1] if isinstance(far_sides[0], RealAsterisk) else far_sides
    return tuple(number for far in asked for number in far.rang(prefix))


@asynccontextmanager
async def open_far_sides(
    codes: tuple[str, ...], scale: float, root: Path | None, folder: Path
) -> AsyncIterator[Mapping[str, FarSide]]:
    """One for each code, until the block is left: simulated, with times `scale` as long, or real
    ones from the lab's Debian `root`, where `codes` are names of its PBXs, below `folder`."""
    async with AsyncExitStack() as stack:
        if root is None:
            started = [
                stack.enter_context(run_witness(serve_asterisk, scale, seed))
                for seed in range(len(codes))
            ]
            yield {
                code: SimulatedAsterisk(witness)
                for code, witness in zip(codes, started, strict=True)
            }
        else:
            made = await stack.enter_async_context(run_asterisks(root, folder, "carrier", *codes))
            yield {code: RealAsterisk(made[code], made["carrier"]) for code in codes}


class _Behaviour:
    """What a simulator is told to do, which takes its time while its witness answers."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """`busy` while what it was last told is not done; else `up` or `down`."""
        if self._task is not None and not self._task.done():
            return "busy"
        return "up" if self._simulator.listening else "down"

    def begin(self, work: Coroutine[None, None, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)

    async def stop_gracefully(self) -> None:
        self._simulator.begin_shutdown()
        while self._simulator.counters.live_calls:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(LOOK)
        await self.stop()

    async def stop(self) -> None:
        await self._simulator.shutdown()
        await self._simulator.stop()

    async def start(self) -> None:
        await self._simulator.start(port=self._simulator.port)


async def serve_asterisk(pipe: Pipe, scale: float, seed: int) -> None:
    """Says its port and its process. Answers `rang` (numbers, oldest first) and `state`, and does
    what else it is told."""
    simulator = Simulator(SimulatorConfig(scale=scale, log_size=MOST_CALLS, seed=seed))
    await simulator.start()
    its = _Behaviour(simulator)
    answers: dict[str, Callable[[], object]] = {
        "rang": lambda: tuple(call.number for call in simulator.calls),
        "state": lambda: its.state,
        "stop gracefully": lambda: its.begin(its.stop_gracefully()),
        "stop": lambda: its.begin(its.stop()),
        "kill": lambda: its.begin(simulator.stop()),
        "start": lambda: its.begin(its.start()),
    }
    await answer(pipe, (simulator.port, os.getpid()), answers)
    await simulator.stop()
