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
from chaos.outages.recovery import measure_recovery
from chaos.outages.storm import run_storm
from chaos.report import count_figures, describe
from chaos.signals import heed_signals


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chaos.outages",
        description="Stop, kill, restart and freeze a real Asterisk of its own under load, and "
        "check that nothing was lost or repeated.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="times of each outage; 0: none")
    parser.add_argument("--storm", type=float, default=300.0, help="seconds of all at once; 0: no")
    parser.add_argument(
        "--in-flight", type=int, default=1000, help="calls with which recovery is timed; 0: not"
    )
    parser.add_argument("--seed", type=int, help="repeats what was done; default: a random one")
    parser.add_argument("--folder", type=Path, help="keep databases, logs and evidence there")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    read = read_options(sys.argv[1:] if arguments is None else arguments)
    seed = random.SystemRandom().randrange(1_000_000) if read.seed is None else read.seed
    with heed_signals(), tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        folder = read.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        return min(1, run_all(folder, seed, read.rounds, read.storm, read.in_flight))


def run_all(folder: Path, seed: int, rounds: int, storm: float, in_flight: int) -> int:
    """Run them below `folder`, which is there, and tell of them; how much is wrong. Where no
    Asterisk can be started, that is said, and the rest is done."""
    found, wrong = find_root(), 0
    root = found if isinstance(found, Path) else None
    if root is not None:
        wrong += harm(root, folder, rounds, storm, seed)
    elif rounds or storm:
        print(f"no outages of a real Asterisk: {found}")
    if in_flight:
        wrong += recover(root, folder, in_flight)
    return wrong


def harm(root: Path, folder: Path, rounds: int, storm: float, seed: int) -> int:
    """Outages one by one, and all at once; how much is wrong."""
    wrong = 0
    if rounds:
        print(f"outages: seed {seed}", flush=True)
        outages = deal(list(Outage), rounds, seed)
        one_by_one = run_outages(root, make(folder / "outages"), outages, tell=say)
        wrong += tell(asyncio.run(one_by_one), folder / "outages")
    if storm:
        print(f"everything at once for {storm:g} s: seed {seed}", flush=True)
        at_once = run_storm(root, make(folder / "storm"), storm, seed, tell=say)
        wrong += tell(asyncio.run(at_once), folder / "storm")
    return wrong


def recover(root: Path | None, folder: Path, in_flight: int) -> int:
    """On the simulator and, where there is one, on a real Asterisk; how much is wrong."""
    wrong = 0
    for name, its_root in (("simulator", None), ("Asterisk", root)):
        if name == "Asterisk" and root is None:
            continue
        print(f"recovery on {name} with {in_flight} calls in flight", flush=True)
        own = make(folder / f"recovery-{name.lower()}")
        recovery = asyncio.run(measure_recovery(its_root, own, in_flight, tell=say))
        for line in describe(count_figures(recovery.outcome.evidence, recovery.outcome.seconds)):
            print(line)
        for live in recovery.lives:
            print(
                f"login to a new call {live.dialed:.3f} s; to {live.live} calls found live"
                f" ({live.missing} were not) {live.adopted:.3f} s"
            )
        for problem in recovery.problems:
            print(f"WRONG: {problem}")
        (own / "evidence.json").write_text(json.dumps(asdict(recovery)))
        wrong += len(recovery.problems)
    return wrong


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


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
