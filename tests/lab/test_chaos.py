"""A short campaign of kills through a real Asterisk: each number rings as often as it should."""

from pathlib import Path

import pytest

from chaos.campaign import run_campaign
from chaos.checker import check
from chaos.on_lab import OnLab
from chaos.report import count_figures
from chaos.scene import Options
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab

SHORT = Options(
    kills=6,
    seed=4,
    longest=240.0,
    channels=60,
    cps=12.0,
    talk="4",
    stop_every=5,
    longest_stop=2.0,
)


async def test_nothing_is_lost_or_repeated(lab: Lab, tmp_path: Path) -> None:
    outcome = await run_campaign(tmp_path, SHORT, OnLab(lab))
    assert outcome.failed_batches + check(outcome.evidence) == []
    figures = count_figures(outcome.evidence, outcome.seconds)
    assert figures.kills == SHORT.kills
    assert figures.duplicates == figures.lost == 0
