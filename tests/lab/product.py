"""The product as its users have it: the `dialer` command in processes of its own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.patience import PATIENCE

SUPERUSER = "superuser-key-of-a-test"
READY = re.compile(rb"dialer is ready: (http://\S+)")


@dataclass(slots=True)
class RunningDialer:
    """`dialer run` over a database in `folder`. An async context manager; leaving it drains."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    process: asyncio.subprocess.Process | None = None
    _log: Any = None

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: v for name, v in os.environ.items() if not name.startswith("DIALER_")}
        return clean | {
            "DIALER_DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'dialer.db'}",
            "DIALER_HTTP_PORT": "0",
            "DIALER_SUPERUSER_API_KEY": SUPERUSER,
            "DIALER_CALLBACK_ALLOW_PRIVATE": "true",
            "DIALER_LAB_SECRET": "dialer-lab",
            **self.settings,
        }

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Returns when the API listens. Raises with the log when it does not."""
        log = (self.folder / "dialer.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dialer",
            "run",
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        log.close()
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self.process.stdout.readline():
                if found := READY.search(line):
                    self.url = found[1].decode().rstrip("/")
                    return
        raise AssertionError((self.folder / "dialer.log").read_text())

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode

    async def command(self, *arguments: str) -> str:
        """Run `dialer ARGUMENTS` beside the running product; its output. Raises when it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dialer",
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"dialer {' '.join(arguments)}: {err.decode()}"
        return out.decode()

    def http(self, key: str = SUPERUSER) -> httpx.AsyncClient:
        """An HTTP client of the API that presents `key`."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
        )
