"""Lives of the dialer, as the campaign holds them: born by the nursery, ended by a signal."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from chaos.nursery import LARGEST

READY: Final = re.compile(rb"dialer(?: \w+)? is ready(?:: (\S+))?\n")
ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 60.0


class _Output(asyncio.Protocol):
    """Reads a life's standard output."""

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._said = b""

    def data_received(self, data: bytes) -> None:
        self._said += data
        found = READY.search(self._said)
        if found is not None and not self._life.ready.done():
            self._life.ready.set_result((found[1] or b"").decode().rstrip("/"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._life.output.done():
            self._life.output.set_result(self._said.decode(errors="replace"))


@dataclass(slots=True, eq=False)
class Life:
    """One process. `ready` gives the API's URL (empty where it has none), `ended` the exit status
    (minus a signal), `output` what it wrote to its standard output, once that is closed."""

    pid: int
    ready: "asyncio.Future[str]" = field(default_factory=lambda: _future())
    ended: "asyncio.Future[int]" = field(default_factory=lambda: _future())
    output: "asyncio.Future[str]" = field(default_factory=lambda: _future())


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


class Nursery:
    """The process of `chaos.nursery`. An async context manager; on leaving every life is over."""

    def __init__(self, entry: str, log: Path) -> None:
        self._entry, self._log = entry, log
        self._lives: dict[int, Life] = {}
        self._born: asyncio.Queue[int] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (returns at once)
                [sys.executable, "-m", "chaos.nursery", self._entry, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        theirs.close()
        self._link.setblocking(False)
        asyncio.get_running_loop().add_reader(self._link, self._hear)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._link)
        self._link.close()
        await asyncio.to_thread(self._process.wait, PATIENCE)

    async def bear(
        self,
        environment: Mapping[str, str],
        arguments: Sequence[str] = ("run",),
        *,
        fresh: bool = False,
        log: Path | None = None,
    ) -> Life:
        """Start a life; it is not ready yet. Its log goes to the nursery's, or to `log`."""
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        order = json.dumps(
            {"birth": dict(environment), "arguments": list(arguments), "fresh": fresh}
        ).encode()
        with (log or self._log).open("ab") as errors:
            socket.send_fds(self._link, [order], [writing, errors.fileno()])
        os.close(writing)
        async with asyncio.timeout(PATIENCE):
            life = Life(await self._born.get())
        self._lives[life.pid] = life
        await loop.connect_read_pipe(lambda: _Output(life), os.fdopen(reading, "rb"))
        return life

    def send(self, life: Life, number: signal.Signals) -> None:
        """Signal a life; nothing happens when it is over."""
        if not life.ended.done():
            self._link.send(json.dumps({"pid": life.pid, "signal": int(number)}).encode())

    def _hear(self) -> None:
        try:
            data = self._link.recv(LARGEST)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._link)
            for life in self._lives.values():
                life.ended.set_exception(RuntimeError(f"the nursery ended: see {self._log}"))
            return
        told = json.loads(data)
        if "born" in told:
            self._born.put_nowait(told["born"])
        else:
            self._ended(told["ended"], told["status"])

    def _ended(self, pid: int, status: int) -> None:
        life = self._lives.pop(pid, None)
        if life is None:
            # It ended before `bear` came to know it: told again when it does.
            asyncio.get_running_loop().call_soon(self._ended, pid, status)
        else:
            life.ended.set_result(status)


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of the dialer's, and `settings`."""
    clean: dict[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith("DIALER_")
    }
    return clean | dict(settings)
