"""`python -m chaos.cluster`: harm several workers, PostgreSQL, Redis, the Asterisk servers and the
network between them, again and again, and check that nothing was lost or repeated and no limit
passed."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from chaos.cluster.campaign import run_campaign
from chaos.cluster.catalogue import ALL, FAULTS
from chaos.cluster.checker import check
from chaos.cluster.points import AT_POINTS
from chaos.cluster.records import Sighting
from chaos.cluster.report import describe
from chaos.cluster.stage import Options
from chaos.faults.small_disk import NoNamespace, small_disks
from chaos.outages.asterisk import find_root
from chaos.signals import heed_signals

GROUPS: Final = {"all": tuple(FAULTS), "points": tuple(AT_POINTS)}
"""Names that stand for several faults."""

NEEDS_DISK: Final = "worker-disk-full"
DISK: Final = 4 << 20
"""Bytes that each worker's state has."""


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.cluster", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats what was done; default: a random one")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=(*ALL, *GROUPS),
        metavar="NAME",
        default=["all"],
        help="these, one by one; all: all but the next; points: a kill at each failpoint. "
        + ", ".join(FAULTS),
    )
    parser.add_argument("--rounds", type=int, default=1, help="times of each, at least")
    parser.add_argument("--minutes", type=float, default=0.0, help="of faults one by one, at least")
    parser.add_argument("--storm", type=float, default=300.0, help="seconds of all at once; 0: no")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--cps", type=float, default=12.0, help="calls a second of the first client"
    )
    parser.add_argument("--lab", action="store_true", help="over two real Asterisks of its own")
    parser.add_argument("--folder", type=Path, help="keep logs and evidence there")
    return parser.parse_args(arguments)


def main() -> int:
    read = read_options(sys.argv[1:])
    seed = random.SystemRandom().randrange(1_000_000) if read.seed is None else read.seed
    options = choose_options(read, seed)
    faults = tuple(each for name in read.faults for each in GROUPS.get(name, (name,)))
    with heed_signals(), tempfile.TemporaryDirectory(prefix="cluster-") as passing:
        folder = read.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"cluster: seed {seed}", flush=True)
        with give_disks(folder, options.workers, faults) as possible:
            course = run_campaign(
                *(folder, options, possible, read.rounds, 60 * read.minutes, read.storm, _say)
            )
            seen = asyncio.run(course)
        (folder / "evidence.json").write_text(json.dumps(asdict(seen)))
        return int(tell(seen) > 0)


def choose_options(read: argparse.Namespace, seed: int) -> Options:
    """Exits where there is no Asterisk for `--lab`."""
    options = Options(seed=seed, workers=read.workers)
    first, *others = options.clients
    options = replace(options, clients=(replace(first, cps=read.cps), *others))
    if not read.lab:
        return options
    root = find_root()
    if isinstance(root, str):
        sys.exit(f"--lab: {root}")
    return replace(options, root=root, talk="3")


@contextmanager
def give_disks(folder: Path, workers: int, faults: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A small disk for the state of each worker, where one is to be full; gives the faults that are
    possible."""
    if NEEDS_DISK not in faults:
        yield tuple(faults)
        return
    folders = [folder / f"worker-{number + 1}" for number in range(workers)]
    for each in folders:
        each.mkdir(parents=True, exist_ok=True)
    try:
        with small_disks(folders, DISK):
            yield tuple(faults)
    except NoNamespace as reason:
        print(f"no {NEEDS_DISK}: {reason}", flush=True)
        yield tuple(name for name in faults if name != NEEDS_DISK)


def tell(seen: Sighting) -> int:
    """Print what came of it; how much is wrong."""
    problems = check(seen)
    for line in describe(seen):
        print(line)
    for problem in problems:
        print(f"WRONG: {problem}")
    return len(problems)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
