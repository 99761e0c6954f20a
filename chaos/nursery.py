"""Where lives of the dialer are born: a process that has imported the product and forks it, so that
a life costs its own start and not a second of Python's imports.

It is the parent of every life: it alone signals them, so no signal ever reaches another process
that got the same number. When whoever asks is gone it kills what it started and ends.

`python -m chaos.nursery ENTRY FD`: `ENTRY.main(arguments)` is a life; FD is a Unix socket of
packets: {"birth": environment, "arguments": […], "fresh": bool} with two descriptors (standard
output and error) → {"born": pid}; {"signal": number, "pid": pid}; it tells {"ended": pid,
"status": status}.
"""

import gc
import json
import os
import random
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NoReturn

LARGEST: Final = 64 * 1024
FRESH: Final = "import sys; from {} import main; sys.exit(main(sys.argv[1:]))"
LATE: Final = (
    "aiosqlite",
    "alembic.command",
    "mako.template",
    "uvicorn.protocols.http.httptools_impl",
)
"""What a starting dialer imports on its way."""


class Nursery:
    """Serves one socket until it is closed."""

    def __init__(self, entry: str, link: socket.socket) -> None:
        self._entry = entry
        self._main: Callable[[list[str]], int] = import_module(entry).main
        import_module("dialer.cli.run")
        for name in LATE:
            import_module(name)
        self._link = link
        self._lives: set[int] = set()

    def serve(self) -> None:
        link = self._link.fileno()
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.collect()
        gc.freeze()
        try:
            while True:
                ready, _, _ = select.select([link, woken], [], [])
                if woken in ready:
                    os.read(woken, 4096)
                    self._reap()
                if link in ready and not self._take_order():
                    return
        finally:
            for pid in self._lives:
                os.kill(pid, signal.SIGKILL)

    def _take_order(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._link, LARGEST, 2)
        if not data:
            return False
        order = json.loads(data)
        if "birth" in order:
            self._bear(order, descriptors)
        elif order["pid"] in self._lives:  # else it has ended, and was told
            os.kill(order["pid"], order["signal"])
        return True

    def _bear(self, order: dict[str, Any], descriptors: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._live(order, descriptors)
        self._lives.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._tell({"born": pid})

    def _live(self, order: dict[str, Any], descriptors: list[int]) -> NoReturn:
        status = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._link.close()
            for number, descriptor in enumerate(descriptors, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.environ.clear()
            os.environ.update(order["birth"])
            if order["fresh"]:
                code = FRESH.format(self._entry)
                os.execv(sys.executable, [sys.executable, "-c", code, *order["arguments"]])
            random.seed()
            status = self._main(order["arguments"])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        for pid in tuple(self._lives):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._lives.discard(pid)
                self._tell({"ended": pid, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, Any]) -> None:
        self._link.send(json.dumps(message).encode())


def main() -> None:
    entry, descriptor = sys.argv[1:]
    Nursery(entry, socket.socket(fileno=int(descriptor))).serve()


if __name__ == "__main__":
    main()
