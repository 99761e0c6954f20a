"""The parts of the product as processes of their own, over one PostgreSQL and one Redis."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

READY = re.compile(rb"dialer(?: (\w+))? is ready(?:: (\S+))?")


@dataclass(slots=True)
class Part:
    """One process; `url` of the API where it serves that."""

    role: str
    process: asyncio.subprocess.Process
    log: Path
    url: str = ""

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@dataclass(slots=True)
class Parts:
    """Starts them, and ends what is left of them. An async context manager."""

    folder: Path
    settings: Mapping[str, str]
    running: list[Part] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: v for name, v in os.environ.items() if not name.startswith("DIALER_")}
        return clean | dict(self.settings)

    async def __aenter__(self) -> "Parts":
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        for part in self.running:
            if part.process.returncode is None:
                part.process.kill()
                await part.process.wait()

    async def start(self, role: str) -> Part:
        """Returns when it is ready; raises with its log where it ends instead."""
        log = self.folder / f"{role}-{next(self._numbers)}.log"
        with log.open("wb") as errors:
            process = await self._run(role, stdout=asyncio.subprocess.PIPE, stderr=errors)
        part = Part(role, process, log)
        self.running.append(part)
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await process.stdout.readline():
                if found := READY.search(line):
                    part.url = (found[2] or b"").decode().rstrip("/")
                    return part
        raise AssertionError(log.read_text())

    async def command(self, *arguments: str) -> str:
        """A command's output; fails where it fails."""
        pipe = asyncio.subprocess.PIPE
        process = await self._run(*arguments, stdout=pipe, stderr=pipe)
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode()

    async def _run(self, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dialer",
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            **streams,
        )
