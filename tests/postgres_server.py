"""A real PostgreSQL for tests: the programs that pgserver carries, on a socket of their own.

The server is this process's child and ends with it, however it ends: the system is told to. It
does not run as root (PostgreSQL refuses to), so as root it runs as `nobody`.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg

from dialer.store import upgrade_database
from tests.patience import PATIENCE

_PR_SET_PDEATHSIG: Final = 1
_USER: Final = "nobody" if os.geteuid() == 0 else None
_SETTINGS: Final = (
    "listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200",
    "shared_buffers=64MB", "autovacuum=off", "logging_collector=off",
)  # fmt: skip
_TEMPLATE: Final = "template_dialer"
_numbers = count(1)


@cache
def find_programs() -> Path:
    """The folder of `initdb` and `postgres`."""
    spec = find_spec("pgserver")
    for place in (spec and spec.submodule_search_locations) or ():
        return Path(place) / "pginstall" / "bin"
    found = shutil.which("postgres")
    assert found is not None, "the package pgserver is not installed"
    return Path(found).parent


class PostgresServer:
    """Databases on one server; its socket and its data are in `folder`."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = _SETTINGS) -> None:
        self.folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on a new cluster where there is none yet, and wait until it answers."""
        data = self.folder / "data"
        if not data.exists():
            self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", data)
        options = [f"-c{setting}" for setting in self._settings]
        server = str(find_programs() / "postgres")
        command = [server, "-D", str(data), "-k", str(self.folder), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=_USER, preexec_fn=_end_with_parent
            )
        in_thread(lambda: asyncio.run(self._wait()))

    async def _wait(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    connection = await asyncpg.connect(self.dsn())
                except (OSError, asyncpg.CannotConnectNowError):
                    assert self._process is not None
                    assert self._process.poll() is None, (self.folder / "log").read_text()
                    await asyncio.sleep(0)
                else:
                    await connection.close()
                    return

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [find_programs() / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, user=_USER, cwd=self.folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once, but orderly; SIGQUIT: as if it had crashed."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def url(self, database: str) -> str:
        """As the dialer is told it."""
        return self.dsn(database).replace("postgresql://", "postgresql+asyncpg://")

    def execute(self, sql: str, database: str = "postgres") -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.dsn(database))
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        in_thread(lambda: asyncio.run(run()))

    def make_empty(self) -> str:
        """A new database without a table; its URL."""
        name = f"empty_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def make_database(self) -> str:
        """A migrated, empty database of its own; its URL. Quicker than migrating each."""
        if not self._has_template:
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            in_thread(lambda: upgrade_database(self.url(_TEMPLATE)))
            self._has_template = True
        name = f"dialer_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    _has_template = False


def in_thread(call: Callable[[], object]) -> None:
    """Outside the loop that a test may be running in."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def run_postgres(settings: tuple[str, ...] = _SETTINGS) -> Iterator[PostgresServer]:
    """A server of its own. What an earlier one that was killed left is removed."""
    _remove_stale()
    folder = Path(tempfile.mkdtemp(prefix=f"dialer-pg-{os.getpid()}-"))
    if _USER is not None:
        shutil.chown(folder, _USER)
    folder.chmod(0o711)
    server = PostgresServer(folder, settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale() -> None:
    for folder in Path(tempfile.gettempdir()).glob("dialer-pg-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
