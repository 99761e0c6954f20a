"""`python -m chaos.faults NAME…`: campaigns with faults other than kills."""

import argparse
import sys
import tempfile
from pathlib import Path

from chaos.faults.catalogue import FAULTS, run_named, say
from chaos.faults.small_disk import NoNamespace
from chaos.report import count_figures


def read_options(arguments: list[str]) -> argparse.Namespace:
    names = ", ".join(f"{fault.name} ({fault.what})" for fault in FAULTS.values())
    parser = argparse.ArgumentParser(
        prog="python -m chaos.faults",
        description=f"Inflict a fault on a dialer under load, and check what came of it: {names}.",
    )
    parser.add_argument("name", nargs="*", help="which faults; default: all")
    parser.add_argument("--brief", action="store_true", help="the short form that tests run")
    parser.add_argument("--folder", type=Path, help="keep databases, logs and evidence there")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    read = read_options(sys.argv[1:] if arguments is None else arguments)
    unknown = set(read.name) - FAULTS.keys()
    if unknown:
        print(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        folder = read.folder or Path(passing)
        wrong = [run_one(name, folder / name, read.brief) for name in read.name or FAULTS]
    return int(any(wrong))


def run_one(name: str, folder: Path, brief: bool) -> bool:
    """Run one and tell of it; whether something is wrong."""
    folder.mkdir(parents=True)
    fault = FAULTS[name]
    print(f"{name}: {fault.what}", flush=True)
    try:
        trial = run_named(name, folder, fault.brief if brief else fault.full, say)
    except NoNamespace as error:
        print(f"  not here: {error}")
        return False
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
    return bool(trial.problems)


if __name__ == "__main__":
    sys.exit(main())
