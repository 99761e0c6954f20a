"""`dialer`, and Asterisk, on a machine whose wall clock somebody sets: `time.time` adds what a file
says, which the campaign writes. Monotonic time is left alone, as it is when a real clock is set.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from chaos.far_ends import serve_simulator
from chaos.witness_process import Pipe
from dialer.cli import main as run

VARIABLE: Final = "CHAOS_CLOCK"
"""Names the file: eight bytes, a double of seconds."""

_LAYOUT: Final = struct.Struct("d")


def set_clock(file: Path, seconds: float) -> None:
    """Move the clock of whoever reads `file` by so much against the real one."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(_LAYOUT.pack(seconds))


def follow(file: Path) -> None:
    """From now on the clock of this process is what `file` says."""
    real = time.time
    with file.open("rb") as opened:
        moved_by = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def read() -> float:
        moved: float = _LAYOUT.unpack_from(moved_by)[0]
        return real() + moved

    setattr(time, "time", read)  # noqa: B010 (mypy: a module's function is not assigned to)


async def serve_moved(file: Path, pipe: Pipe, scale: float) -> None:
    """`serve_simulator` on the machine whose clock is moved."""
    follow(file)
    await serve_simulator(pipe, scale, lambda: time.time())


def main(arguments: list[str]) -> int:
    """A life: the command line of the product under the moved clock."""
    follow(Path(os.environ[VARIABLE]))
    return run(arguments)
