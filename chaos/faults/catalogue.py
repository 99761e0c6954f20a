"""The faults by name, and how each is run."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chaos.faults.clock import MOVED
from chaos.faults.course import Fault, Trial, run_fault
from chaos.faults.disk import FULL, LIMITED, SIZE
from chaos.faults.lock import LOCKED
from chaos.faults.sinks import SICK_SINKS
from chaos.faults.small_disk import NoNamespace, run_on
from chaos.faults.stop import STOPPED
from chaos.report import count_figures

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault for fault in (FULL, LIMITED, LOCKED, MOVED, SICK_SINKS, STOPPED)
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


def withstand(names: Sequence[str], folder: Path, *, brief: bool = False) -> bool:
    """Run these, or all where none is named, and tell of them; whether nothing is wrong."""
    stood = [_tell(name, folder / name, brief) for name in names or FAULTS]
    return all(stood)


def _tell(name: str, folder: Path, brief: bool) -> bool:
    folder.mkdir(parents=True)
    fault = FAULTS[name]
    print(f"{name}: {fault.what}", flush=True)
    try:
        trial = run_named(name, folder, fault.brief if brief else fault.full, say)
    except NoNamespace as error:
        print(f"  not here: {error}")
        return True
    figures = count_figures(trial.outcome.evidence, trial.outcome.seconds)
    for line in trial.notes:
        print(f"  {line}")
    print(
        f"  {figures.items} items, {figures.calls} calls, {figures.duplicates} duplicates,"
        f" {figures.lost} lost, {figures.dispositions['unknown']} unknown,"
        f" {figures.repeated} deliveries repeated, {figures.seconds:.0f} s"
    )
    for problem in trial.problems:
        print(f"WRONG: {problem}")
    return not trial.problems


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
