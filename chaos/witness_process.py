"""A witness lives in a process of its own: it survives whatever is done to the dialer."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

Pipe: TypeAlias = "Connection[Any, Any]"
Serve = Callable[..., Coroutine[Any, Any, None]]

PATIENCE = 30.0
"""Seconds that a witness gets to start, to answer or to end."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A running witness; `hello` is what it said when it was ready."""

    hello: Any
    pipe: Pipe

    def ask(self, question: str) -> Any:  # noqa: ANN401 (each question has its own answer)
        """What the witness answers. Raises when it does not."""
        self.pipe.send(question)
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"the witness does not answer {question!r}")
        return self.pipe.recv()


async def answer(pipe: Pipe, hello: object, answers: Mapping[str, Callable[[], object]]) -> None:
    """In the witness: say `hello`, then answer questions until the end or until nobody asks."""
    loop = asyncio.get_running_loop()
    pipe.send(hello)
    while True:
        try:
            question = await loop.run_in_executor(None, pipe.recv)
        except EOFError:
            return
        if question == "end":
            return
        pipe.send(answers[question]())


@contextmanager
def run_witness(serve: Serve, *arguments: object) -> Iterator[Witness]:
    """Run the coroutine function `serve(pipe, *arguments)` in a process; end it on leaving."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, serve, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(PATIENCE):
            raise TimeoutError("a witness does not start")
        yield Witness(ours.recv(), ours)
    finally:
        ours.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _main(pipe: Pipe, serve: Serve, arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who runs the campaign ends us
    asyncio.run(serve(pipe, *arguments))
