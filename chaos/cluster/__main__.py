"""`python -m chaos.cluster`: harm several workers, PostgreSQL, Redis and the network between them,
again and again, and check that nothing was lost or repeated and no limit passed."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from chaos.cluster.campaign import run_campaign
from chaos.cluster.checker import check
from chaos.cluster.faults import FAULTS
from chaos.cluster.records import Sighting
from chaos.cluster.report import describe
from chaos.cluster.stage import Options
from chaos.signals import heed_signals


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.cluster", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats what was done; default: a random one")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=(*FAULTS, "all"),
        default=["all"],
        help="these, one by one; all: all",
    )
    parser.add_argument("--minutes", type=float, default=15.0, help="of faults one by one, at most")
    parser.add_argument("--storm", type=float, default=300.0, help="seconds of all at once; 0: no")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--cps", type=float, default=24.0, help="calls a second of the first client"
    )
    parser.add_argument("--folder", type=Path, help="keep logs and evidence there")
    return parser.parse_args(arguments)


def main() -> int:
    read = read_options(sys.argv[1:])
    seed = random.SystemRandom().randrange(1_000_000) if read.seed is None else read.seed
    options = Options(seed=seed, workers=read.workers)
    first, *others = options.clients
    options = replace(options, clients=(replace(first, cps=read.cps), *others))
    faults = tuple(FAULTS) if "all" in read.faults else tuple(read.faults)
    with heed_signals(), tempfile.TemporaryDirectory(prefix="cluster-") as passing:
        folder = read.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"cluster: seed {seed}", flush=True)
        seen = asyncio.run(
            run_campaign(folder, options, faults, 60 * read.minutes, read.storm, _say)
        )
        (folder / "evidence.json").write_text(json.dumps(asdict(seen)))
        return int(tell(seen) > 0)


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
