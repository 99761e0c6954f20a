"""`python -m chaos.soak`: steady load for minutes, and whether memory and file descriptors of the
dialer stay what they were. The first minute is warm-up."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.checker import check
from chaos.report import Figures, count_figures
from chaos.scene import (
    Options,
    Outcome,
    Scene,
    collect,
    finish,
    prepare,
    set_scene,
    start_ready,
)
from chaos.signals import heed_signals

SECONDS: Final = 600.0
CPS: Final = 30.0
WARM_UP: Final = 60.0
EVERY: Final = 1.0
"""Seconds between two samples."""

TELL_EVERY: Final = 60
"""Samples between two lines of progress."""

STEEPEST: Final = 0.5
"""MiB a minute that memory may grow after the warm-up: what is still lower than the caches of
SQLite's connections take while a database grows, and higher than what noise makes of nothing."""

MOST_MORE: Final = 10
"""File descriptors that may be open in the last minute beyond the first one's most: connections to
receivers come and go."""

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """`at`: seconds since the start; `rss`: bytes; `files`: open file descriptors."""

    at: float
    rss: int
    files: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Growth:
    """After the warm-up: bytes at its beginning and end (medians of a tenth of the samples), MiB a
    minute by least squares, the same for the last half alone, and file descriptors."""

    first: float
    last: float
    slope: float
    late_slope: float
    files_first: int
    files_last: int


def measure_growth(samples: Sequence[Sample], warm_up: float = WARM_UP) -> Growth:
    """Raises `ValueError` where fewer than twenty samples are left."""
    warm = [sample for sample in samples if sample.at >= warm_up]
    if len(warm) < 20:
        raise ValueError(f"{len(warm)} samples after the warm-up are too few")
    tenth, half = len(warm) // 10, len(warm) // 2
    return Growth(
        first=statistics.median(sample.rss for sample in warm[:tenth]),
        last=statistics.median(sample.rss for sample in warm[-tenth:]),
        slope=_slope(warm),
        late_slope=_slope(warm[half:]),
        files_first=max(sample.files for sample in warm[:tenth]),
        files_last=max(sample.files for sample in warm[-tenth:]),
    )


def _slope(samples: Sequence[Sample]) -> float:
    """MiB a minute."""
    times = [sample.at / 60 for sample in samples]
    return statistics.linear_regression(times, [s.rss / _MIB for s in samples]).slope


def judge_growth(growth: Growth) -> list[str]:
    """What is not flat, in sentences."""
    problems = []
    if growth.late_slope > STEEPEST:
        problems.append(f"memory grows by {growth.late_slope:.2f} MiB a minute in the last half")
    if growth.files_last > growth.files_first + MOST_MORE:
        problems.append(f"{growth.files_last} files open, {growth.files_first} after the warm-up")
    return problems


def take_sample(pid: int, at: float, in_flight: int) -> Sample:
    """From /proc (proc(5): the second field of statm is resident pages)."""
    resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Sample(
        at, resident * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(f"/proc/{pid}/fd")), in_flight
    )


async def soak(
    folder: Path, options: Options, seconds: float, tell: Callable[[str], None]
) -> tuple[Outcome, list[Sample]]:
    """Load for `seconds`, then let everything end."""
    started = time.monotonic()
    async with set_scene(folder, options, None, tell) as scene:
        accounts = await prepare(scene)
        stop = asyncio.Event()
        loading = asyncio.get_running_loop().create_task(scene.loader.run(stop))
        try:
            life = await start_ready(scene, fresh=True)
            samples = await _watch(scene, life.pid, seconds)
            stop.set()
            probe, status = await finish(scene, life, accounts, loading)
        finally:
            loading.cancel()
        return await asyncio.to_thread(collect, scene, accounts, probe, status, started), samples


async def _watch(scene: Scene, pid: int, seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        sample = take_sample(pid, at, scene.in_flight())
        if len(samples) % TELL_EVERY == 0:
            scene.tell(
                f"{at:4.0f} s  {sample.rss / _MIB:6.1f} MiB  {sample.files} files  "
                f"{sample.in_flight} calls in flight"
            )
        samples.append(sample)
        await asyncio.sleep(EVERY)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--cps", type=float, default=CPS, help="calls a second")
    parser.add_argument("--folder", type=Path, help="keep database and log there")
    read = parser.parse_args()
    with heed_signals(), tempfile.TemporaryDirectory(prefix="soak-") as passing:
        return int(not stay_flat(read.folder or Path(passing), read.seconds, read.cps))


def stay_flat(folder: Path, seconds: float = SECONDS, cps: float = CPS) -> bool:
    """Soak, and tell of it; whether nothing is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"soak: {cps:g} calls a second for {seconds:g} s", flush=True)
    options = Options(kills=0, channels=400, cps=cps, scale=0.2, patience=240.0)
    outcome, samples = asyncio.run(soak(folder, options, seconds, _say))
    growth = measure_growth(samples)
    problems = [*judge_growth(growth), *outcome.failed_batches, *check(outcome.evidence)]
    for line in describe(growth, count_figures(outcome.evidence, outcome.seconds)):
        print(line)
    for problem in problems:
        print(f"WRONG: {problem}")
    return not problems


def describe(growth: Growth, figures: Figures) -> list[str]:
    """Lines for people."""
    return [
        f"calls    {figures.calls}, {figures.duplicates} duplicates, {figures.lost} lost",
        f"memory   {growth.first / _MIB:.1f} MiB after the warm-up, {growth.last / _MIB:.1f} at "
        f"the end; {growth.slope:+.2f} MiB a minute, {growth.late_slope:+.2f} in the last half",
        f"files    {growth.files_first} after the warm-up, {growth.files_last} at the end",
    ]


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
