"""Both sinks in a process of their own, so that their CPU is not counted as the dialer's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from dialer.sinks import CallbackSink, SgapiSink


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where they listen. `collect` returns callbacks and SGAPI CDRs by cdr_id, and how many came
    twice."""

    callback_url: str
    sgapi_url: str
    pipe: Any

    def collect(self) -> tuple[dict[str, Any], dict[str, Any], int]:
        self.pipe.send("collect")
        answer: tuple[dict[str, Any], dict[str, Any], int] = self.pipe.recv()
        return answer


async def _serve(pipe: "Connection[Any, Any]") -> None:
    loop = asyncio.get_running_loop()
    async with CallbackSink() as callbacks, SgapiSink() as sgapi:
        pipe.send((callbacks.origin, sgapi.origin))
        while await loop.run_in_executor(None, pipe.recv) == "collect":
            twice = callbacks.duplicates.total() + sgapi.duplicates.total()
            pipe.send((callbacks.bodies, sgapi.cdrs, twice))


def _main(pipe: "Connection[Any, Any]") -> None:
    asyncio.run(_serve(pipe))


@contextmanager
def run_sinks() -> Iterator[Sinks]:
    """Start the sinks; end them on leaving."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs,), daemon=True)
    process.start()
    callback_url, sgapi_url = ours.recv()
    try:
        yield Sinks(callback_url, sgapi_url, ours)
    finally:
        ours.send("end")
        process.join(5)
        if process.is_alive():
            process.kill()
