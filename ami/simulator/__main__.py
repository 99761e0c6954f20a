"""`python -m ami.simulator`: runs a simulated Asterisk until it is interrupted."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ami.simulator.config import SimulatorConfig
from ami.simulator.server import Simulator


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, read."""

    host: str
    port: int
    config: SimulatorConfig


def read_options(arguments: Sequence[str]) -> Options:
    """`SystemExit` with one sentence where an argument is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m ami.simulator",
        description="A fake Asterisk that speaks AMI; user dialer, secret dialer-lab.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5038, help="0 takes a free one")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every delay")
    parser.add_argument("--max-calls", type=int, help="the carrier answers 503 above it")
    parser.add_argument("--max-cps", type=int, help="the carrier answers 503 above it")
    read = parser.parse_args(arguments)
    config = SimulatorConfig(scale=read.scale, max_calls=read.max_calls, max_cps=read.max_cps)
    return Options(read.host, read.port, config)


async def serve(options: Options, stop: asyncio.Event, tell: Callable[[str], None]) -> None:
    """Run until `stop`; where it listens is told once it does."""
    simulator = Simulator(options.config)
    await simulator.start(options.host, options.port)
    tell(f"simulated Asterisk on {options.host}:{simulator.port}")
    try:
        await stop.wait()
    finally:
        await simulator.stop()


async def run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(options, stop, lambda line: print(line, flush=True))


def main() -> None:
    asyncio.run(run(read_options(sys.argv[1:])))


if __name__ == "__main__":
    main()
