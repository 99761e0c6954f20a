"""A dialer with a planted bug: one call in ten keeps its slot when it has ended."""

import itertools
from collections.abc import Sequence
from typing import Any

from dialer.cli import main as run_dialer
from dialer.planner import Placement, Planner

release = Planner.release
count = itertools.count(1)


def release_most(self: Planner, placement: Placement, now: float, **more: Any) -> None:
    if next(count) % 10:
        release(self, placement, now, **more)


def main(arguments: Sequence[str]) -> int:
    Planner.release = release_most  # type: ignore[method-assign]
    return run_dialer(arguments)
