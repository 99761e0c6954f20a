"""Short campaigns of faults other than kills: the product stands them."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from chaos.faults.catalogue import FAULTS, run_named
from chaos.faults.course import Trial
from chaos.faults.small_disk import NoNamespace
from chaos.report import count_figures
from tests.required import skip_unless_required

pytestmark = pytest.mark.io

AT_ONCE = 3
"""Most of their time they wait."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Future[Trial]"]]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            name: threads.submit(run_named, name, tmp_path_factory.mktemp(name), fault.brief)
            for name, fault in FAULTS.items()
        }


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
