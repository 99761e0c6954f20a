"""The faults by name, and how each is run."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chaos.faults.course import Fault, Trial, run_fault
from chaos.faults.disk import FULL, LIMITED, SIZE
from chaos.faults.lock import LOCKED
from chaos.faults.sinks import SICK_SINKS
from chaos.faults.small_disk import run_on
from chaos.faults.stop import STOPPED

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault for fault in (FULL, LIMITED, LOCKED, SICK_SINKS, STOPPED)
}


def run_named(
    name: str, folder: Path, seconds: float, tell: Callable[[str], None] | None = None
) -> Trial:
    """Run it in `folder`, which is empty. Raises `NoNamespace` where it can not be had here."""
    if name != FULL.name:
        return asyncio.run(run_fault(FAULTS[name], folder, seconds, tell or _say_nothing))
    disk = folder / "disk"
    disk.mkdir()
    return run_on(disk, SIZE, _run_apart, name, folder, seconds, tell, disk)


def _run_apart(
    name: str, folder: Path, seconds: float, tell: Callable[[str], None] | None, disk: Path
) -> Trial:
    fault = FAULTS[name]
    try:
        return asyncio.run(run_fault(fault, folder, seconds, tell or _say_nothing, disk))
    finally:
        shutil.copy(disk / "dialer.log", folder)  # the disk is gone with this process


def say(line: str) -> None:
    """For people."""
    print(f"  {line}", flush=True)


def _say_nothing(line: str) -> None:
    """For tests."""
