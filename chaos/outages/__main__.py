"""`python -m chaos.outages`: run the campaigns, print their figures, and say what is wrong."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from chaos.outages.asterisk import find_root
from chaos.outages.course import Ordeal, Suffered, deal, run_outages
from chaos.outages.harm import Outage
from chaos.outages.reasons import describe_reasons
from chaos.report import count_figures, describe


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chaos.outages",
        description="Stop, kill, restart and freeze a real Asterisk of its own under load, and "
        "check that nothing was lost or repeated.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="times of each outage; 0: none")
    parser.add_argument("--seed", type=int, help="repeats what was done; default: a random one")
    parser.add_argument("--folder", type=Path, help="keep databases, logs and evidence there")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    read = read_options(sys.argv[1:] if arguments is None else arguments)
    root = find_root()
    if isinstance(root, str):
        print(f"no outages of a real Asterisk: {root}")
        return 0
    seed = random.SystemRandom().randrange(1_000_000) if read.seed is None else read.seed
    with tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        folder = read.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        wrong = 0
        if read.rounds:
            outages = deal(list(Outage), read.rounds, seed)
            print(f"outages: seed {seed}", flush=True)
            (folder / "outages").mkdir()
            ordeal = asyncio.run(run_outages(root, folder / "outages", outages, tell=say))
            wrong += tell(ordeal, folder / "outages")
    return min(wrong, 1)


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def tell(ordeal: Ordeal, folder: Path) -> int:
    """Tell of a campaign; how much is wrong."""
    outcome = ordeal.outcome
    for line in describe(count_figures(outcome.evidence, outcome.seconds)):
        print(line)
    for line in describe_outages(ordeal.suffered):
        print(line)
    print("ends that were not seen:")
    for line in describe_reasons(ordeal.reasons):
        print(line)
    for problem in ordeal.problems:
        print(f"WRONG: {problem}")
    (folder / "evidence.json").write_text(json.dumps(asdict(ordeal)))
    return len(ordeal.problems)


def describe_outages(suffered: tuple[Suffered, ...]) -> list[str]:
    """A line for each kind: how often, with how many calls in flight, how soon calls went again."""
    lines = []
    for what, count in Counter(each.what for each in suffered).items():
        own = [each for each in suffered if each.what == what]
        least, most = min(s.in_flight for s in own), max(s.in_flight for s in own)
        again = [s.again for s in own if s.again is not None]
        soon = f", calls again within {max(again):.2f} s" if again else ""
        lines.append(f"{what}: {count} times, {least} to {most} calls in flight{soon}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
