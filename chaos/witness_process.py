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

PATIENCE = 60.0
"""Seconds that a witness gets to start, to answer or to end."""


@dataclass(slots=True)
class Witness:
    """A witness that is running, or about to."""

    pipe: Pipe
    _hello: Any = None

    @property
    def hello(self) -> Any:  # noqa: ANN401 (each witness has its own)
        """What it said when it was ready; waits for that."""
        if self._hello is None:
            self._hello = self._receive("is not ready")
        return self._hello

    def _receive(self, otherwise: str) -> Any:  # noqa: ANN401
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError(f"a witness {otherwise}")
        return self.pipe.recv()

    def ask(self, question: object) -> Any:  # noqa: ANN401 (each question has its own answer)
        """What the witness answers. Raises when it does not."""
        assert self.hello is not None
        self.pipe.send(question)
        return self._receive(f"does not answer {question!r}")


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
        yield Witness(ours)
    finally:
        ours.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _main(pipe: Pipe, serve: Serve, arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who runs the campaign ends us
    asyncio.run(serve(pipe, *arguments))
