"""Tests whose subject is time itself, on a machine that stands still now and then.

Leases, signs of life and spaced turns run by the real clock, in tests a few times as quick as in
production. Where the whole machine stands still for longer than a lease, the product loses its
leases, and is right. Such a run says nothing about the test's question, so where it failed it is
repeated, and the summary tells so. Only tests marked `realtime` are: elsewhere a failure is one,
whatever the machine did.
"""

import gc
import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

import pytest
from _pytest.runner import runtestprotocol

STANDSTILL: Final = 0.2
"""Seconds between two looks that were to be `TICK` apart: half of the shortest lease of a test."""
TICK: Final = 0.02
RUNS: Final = 5
"""So often at most."""

again: Final[list[str]] = []
"""What was run again, in words."""


class Watch:
    """While entered, looks at the clock all the time. `longest`: seconds of the longest standstill
    of this process."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        last = time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            self.note(now - last)
            last = now
        self.note(time.monotonic() - last)

    def note(self, gap: float) -> None:
        """Two looks were `gap` seconds apart."""
        self.longest = max(self.longest, gap - TICK)

    @property
    def stood_still(self) -> bool:
        return self.longest > STANDSTILL

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()


def run_while_it_runs(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Reports of the first run that passed, or that failed on a machine that ran all the time."""
    for number in range(1, RUNS + 1):
        with Watch() as watch:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report for report in reports if report.failed]
        if not failed or not watch.stood_still:
            break
        why = next((line for line in failed[0].longreprtext.splitlines() if line[:2] == "E "), "")
        what = f"{item.nodeid}: run {number} failed; still for {watch.longest:.1f} s"
        again.append(f"{what}; {why[2:].strip()}")
        forget_garbage()
    return reports


def forget_garbage() -> None:
    """What a run that failed left open is not the next one's fault."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook


def run_marked(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """The protocol of a test that is marked `realtime`; None: of any other, it is pytest's own."""
    if item.get_closest_marker("realtime") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in run_while_it_runs(item, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def tell(reporter: pytest.TerminalReporter) -> None:
    """The summary's part: what was run again."""
    if again:
        reporter.section("run again: the machine stood still", sep="-")
        for line in again:
            reporter.write_line(line)
