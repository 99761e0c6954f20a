"""Short campaigns of faults other than kills: the product stands them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos.faults.catalogue import FAULTS, run_named
from chaos.faults.course import Trial
from chaos.faults.small_disk import NoNamespace
from chaos.report import count_figures
from tests.required import skip_unless_required
from tests.standstill import Watch

pytestmark = pytest.mark.io

AT_ONCE = 3
"""Most of their time they wait."""

RUNS = 4
"""So often at most: one that was disturbed because the machine stood still says nothing."""


@pytest.fixture(scope="module")
def trials(
    shared_machine: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Trial]"]]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            name: threads.submit(run_in_peace, name, fault.brief, tmp_path_factory.mktemp)
            for name, fault in FAULTS.items()
        }


def run_in_peace(name: str, seconds: float, make_folder: Callable[[str], Path]) -> Trial:
    """The first trial that went well, or went wrong on a machine that ran all the time."""
    for _ in range(RUNS):
        with Watch() as watch:
            trial = run_named(name, make_folder(name), seconds)
        if not trial.problems or not watch.stood_still:
            break
    return trial


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_repeated(trials: dict[str, "Future[Trial]"], name: str) -> None:
    try:
        trial = trials[name].result()
    except NoNamespace as error:
        skip_unless_required(str(error))
    assert trial.problems == ()
    figures = count_figures(trial.outcome.evidence, trial.outcome.seconds)
    assert figures.duplicates == figures.lost == 0
    assert figures.calls > 100
