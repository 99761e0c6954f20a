"""Whose fault a failure was: the machine's, or the product's."""

import sys
import weakref
from typing import cast

import pytest

from tests import standstill
from tests.standstill import (
    RUNS,
    STANDSTILL,
    TICK,
    Watch,
    forget_garbage,
    run_marked,
    run_while_it_runs,
)


class Item:
    """A test whose runs end as told; `still`: seconds for which the machine stood still in each."""

    nodeid = "test_it"

    def __init__(self, *runs: tuple[str, float]) -> None:
        self.runs = list(runs)
        self.number = 0

    def get_closest_marker(self, name: str) -> None:
        return None


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    watches: list[Watch] = []

    class Told(Watch):
        """One that sees only what it is told."""

        def __init__(self) -> None:
            super().__init__()
            watches.append(self)

        def _look(self) -> None:
            pass

    def run(item: Item, nextitem: object, log: bool) -> list[pytest.TestReport]:
        outcome, still = item.runs[item.number]
        item.number += 1
        watches[-1].note(still + TICK)
        return [cast("pytest.TestReport", Report(outcome == "failed"))]

    monkeypatch.setattr(standstill, "Watch", Told)
    monkeypatch.setattr(standstill, "runtestprotocol", run)
    monkeypatch.setattr(standstill, "again", [])


class Report:
    longreprtext = "test_it.py:3: in test_it\nE   assert 1 == 2\n"

    def __init__(self, failed: bool) -> None:
        self.failed = failed


LONG, SHORT = STANDSTILL + 1.0, STANDSTILL / 2


@pytest.mark.parametrize(
    ("runs", "number", "failed"),
    [
        ([("passed", 0.0)], 1, False),
        ([("passed", LONG)], 1, False),
        ([("failed", SHORT)], 1, True),
        ([("failed", LONG), ("passed", 0.0)], 2, False),
        ([("failed", LONG), ("failed", SHORT)], 2, True),
        ([("failed", LONG)] * (RUNS + 1), RUNS, True),
    ],
)
def test_only_what_failed_on_a_machine_that_stood_still_is_run_again(
    runs: list[tuple[str, float]], number: int, failed: bool
) -> None:
    item = Item(*runs)
    (report,) = run_while_it_runs(cast("pytest.Item", item), None)
    assert report.failed is failed
    assert item.number == number
    stood_still = sum(
        still > STANDSTILL and outcome == "failed" for outcome, still in runs[:number]
    )
    assert len(standstill.again) == stood_still


def test_other_tests_run_as_ever() -> None:
    assert run_marked(cast("pytest.Item", Item()), None) is None


def test_what_a_run_left_open_is_forgotten() -> None:
    class Left:
        def __init__(self) -> None:
            self.own = self  # only the collector ends it

        def __del__(self) -> None:
            raise ResourceWarning("left open")

    hook = sys.unraisablehook
    left = weakref.ref(Left())
    forget_garbage()
    assert left() is None
    assert sys.unraisablehook is hook


def test_a_watch_sees_the_clock_of_this_process() -> None:
    with Watch() as watch:
        pass
    assert watch.longest < 60.0
    watch.note(70.0)
    assert watch.longest == 70.0 - TICK
