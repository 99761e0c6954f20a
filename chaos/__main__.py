"""`python -m chaos`: run campaigns, print their figures, and say what is wrong."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from chaos.campaign import run_campaign
from chaos.checker import check
from chaos.faults.catalogue import FAULTS, withstand
from chaos.on_lab import OnLab
from chaos.outages.__main__ import run_all
from chaos.report import Figures, count_figures, describe
from chaos.scene import FarEnd, Options, Outcome
from chaos.signals import heed_signals
from chaos.soak import SECONDS, stay_flat
from tests.lab.running_lab import find_lab


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Kill the dialer again and again, and check that nothing was lost or repeated.",
    )
    parser.add_argument("--kills", type=int, default=950, help="on the simulator")
    parser.add_argument("--lab-kills", type=int, default=50, help="on the lab's Asterisk; 0: none")
    parser.add_argument("--seed", type=int, help="repeats what was done; default: a random one")
    parser.add_argument("--longest", type=float, default=5400.0, help="seconds a campaign may take")
    parser.add_argument("--cps", type=float, default=60.0, help="calls a second")
    parser.add_argument("--channels", type=int, default=400)
    parser.add_argument("--scale", type=float, default=0.2, help="length of simulated calls")
    parser.add_argument("--in-flight", type=int, default=10, help="calls with which a kill counts")
    parser.add_argument("--point", action="append", help="kill at this failpoint only; repeatable")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=(*FAULTS, "none"),
        default=[],
        help="these instead of all, beside the kills; none: none",
    )
    parser.add_argument("--soak", type=float, default=SECONDS, help="seconds; 0: no soak")
    parser.add_argument(
        "--outages", type=int, default=3, help="rounds of outages of a real Asterisk; 0: none"
    )
    parser.add_argument("--storm", type=float, default=300.0, help="seconds of all at once; 0: no")
    parser.add_argument("--recover", type=int, default=1000, help="with so many calls; 0: not")
    parser.add_argument("--folder", type=Path, help="keep database, logs and evidence there")
    return parser.parse_args(arguments)


def main() -> int:
    read = read_options(sys.argv[1:])
    seed = random.SystemRandom().randrange(1_000_000) if read.seed is None else read.seed
    options = Options(
        kills=read.kills,
        seed=seed,
        longest=read.longest,
        channels=read.channels,
        cps=read.cps,
        scale=read.scale,
        points=tuple(read.point) if read.point else None,
        in_flight=read.in_flight,
    )
    on_lab = replace(options, kills=read.lab_kills, channels=100, cps=15.0, talk="6")
    with heed_signals(), tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        folder = read.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        wrong = run_one("simulator", folder / "simulator", options) if options.kills else 0
        if on_lab.kills:
            lab = find_lab()
            if isinstance(lab, str):
                print(f"not on a real Asterisk: {lab}")
            else:
                wrong += run_one("lab", folder / "lab", on_lab, OnLab(lab))
        if read.outages or read.storm or read.recover:
            (folder / "asterisk").mkdir()
            wrong += run_all(folder / "asterisk", seed, read.outages, read.storm, read.recover)
        if "none" not in read.faults:
            wrong += not withstand(read.faults, folder / "faults")
        if read.soak:
            wrong += not stay_flat(folder / "soak", read.soak)
    return min(wrong, 1)


def run_one(name: str, folder: Path, options: Options, far_end: FarEnd | None = None) -> int:
    """Run a campaign and tell of it; how much is wrong."""
    folder.mkdir()
    print(f"{name}: seed {options.seed}", flush=True)
    outcome = asyncio.run(
        run_campaign(folder, options, far_end, lambda line: print(f"  {line}", flush=True))
    )
    problems = outcome.failed_batches + check(outcome.evidence)
    figures = count_figures(outcome.evidence, outcome.seconds)
    if figures.kills < options.kills:
        problems.append(f"{figures.kills} kills within {options.longest:g} s, not {options.kills}")
    tell(outcome, figures)
    for problem in problems:
        print(f"WRONG: {problem}")
    (folder / "evidence.json").write_text(json.dumps(asdict(outcome)))
    return len(problems)


def tell(outcome: Outcome, figures: Figures) -> None:
    for line in describe(figures):
        print(line)
    starts = sorted(outcome.starts)
    print(f"starts         {starts[len(starts) // 2]:.3f} s median until ready")
    print(f"batches        {outcome.repeated_batches} posted again, answered once")


if __name__ == "__main__":
    sys.exit(main())
