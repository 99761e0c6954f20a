"""Short campaigns of faults other than kills: the product stands them."""

from pathlib import Path

import pytest

from chaos.faults.catalogue import FAULTS, run_named
from chaos.faults.small_disk import NoNamespace
from chaos.report import count_figures

pytestmark = pytest.mark.io


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_repeated(tmp_path: Path, name: str) -> None:
    try:
        trial = run_named(name, tmp_path, FAULTS[name].brief)
    except NoNamespace as error:
        pytest.skip(str(error))
    assert trial.problems == ()
    figures = count_figures(trial.outcome.evidence, trial.outcome.seconds)
    assert figures.duplicates == figures.lost == figures.dispositions["unknown"] == 0
    assert figures.calls > 100
