"""The other witnesses: the simulated Asterisk with its own log of calls, and both sinks, each in a
process of its own."""

import time
from collections.abc import Callable

from ami.simulator import Simulator, SimulatorConfig
from chaos.records import Sink
from chaos.witness_process import Pipe, answer
from dialer.sinks import CallbackSink, SgapiSink

MOST_CALLS = 2_000_000
"""Calls that the simulator's log keeps: more than any campaign makes."""


async def serve_simulator(pipe: Pipe, scale: float, clock: Callable[[], float] = time.time) -> None:
    """Says its port. Answers `rang` (numbers, oldest first) and `live` (calls)."""
    simulator = Simulator(SimulatorConfig(scale=scale, log_size=MOST_CALLS, clock=clock))
    await simulator.start()
    await answer(
        pipe,
        simulator.port,
        {
            "rang": lambda: tuple(call.number for call in simulator.calls),
            "live": lambda: simulator.counters.live_calls,
        },
    )
    await simulator.stop()


def describe_sinks(callbacks: CallbackSink, sgapi: SgapiSink) -> dict[str, Callable[[], object]]:
    """What their witness answers: `callbacks` and `sgapi`."""

    def tell_callbacks() -> Sink:
        counts = {cdr_id: 1 + callbacks.duplicates[cdr_id] for cdr_id in callbacks.bodies}
        return Sink(counts, len(callbacks.closings))

    def tell_sgapi() -> Sink:
        return Sink({uuid: 1 + sgapi.duplicates[uuid] for uuid in sgapi.cdrs})

    return {"callbacks": tell_callbacks, "sgapi": tell_sgapi}


async def serve_sinks(pipe: Pipe) -> None:
    """Says where callbacks and where CDRs for SGAPI go. Answers `callbacks` and `sgapi`."""
    async with CallbackSink() as callbacks, SgapiSink() as sgapi:
        await answer(pipe, (callbacks.origin, sgapi.origin), describe_sinks(callbacks, sgapi))
