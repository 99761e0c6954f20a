"""`python -m chaos.faults NAME…`: campaigns with faults other than kills."""

import argparse
import sys
import tempfile
from pathlib import Path

from chaos.faults.catalogue import FAULTS, withstand
from chaos.signals import heed_signals


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
    with heed_signals(), tempfile.TemporaryDirectory(prefix="chaos-") as passing:
        return int(not withstand(read.name, read.folder or Path(passing), brief=read.brief))


if __name__ == "__main__":
    sys.exit(main())
