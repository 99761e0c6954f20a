"""Short campaigns: the product stands them, and builds with a planted bug do not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.campaign import run_campaign
from chaos.checker import check
from chaos.report import count_figures
from chaos.scene import Options, Outcome

pytestmark = [pytest.mark.io, pytest.mark.realtime, pytest.mark.usefixtures("shared_machine")]

SHORT = Options(
    kills=25,
    seed=4,
    longest=240.0,
    channels=160,
    cps=30.0,
    scale=0.1,
    stop_every=12,
    longest_stop=2.0,
)
"""Calls of three seconds."""

BRIEF = replace(SHORT, kills=3, channels=80, stop_every=0, cut_every=0, fresh_every=0)


def judge(outcome: Outcome) -> list[str]:
    return outcome.failed_batches + check(outcome.evidence)


async def test_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    outcome = await run_campaign(tmp_path, SHORT)
    assert judge(outcome) == []
    figures = count_figures(outcome.evidence, outcome.seconds)
    assert figures.kills == SHORT.kills
    assert figures.duplicates == figures.lost == 0
    assert len(figures.points) >= 15


@pytest.mark.parametrize(
    ("planted", "points", "sentences"),
    [
        (
            "early_send",
            ["worker.originate.after"],
            ["originated without an attempt on disk", "rang more often than they have attempts"],
        ),
        ("resend", ["worker.originate.after"], ["ChannelIds originated twice"]),
        ("kept_slot", ["worker.settle.after"], ["slots kept"]),
    ],
)
async def test_a_planted_bug_is_found(
    tmp_path: Path, planted: str, points: Sequence[str], sentences: Sequence[str]
) -> None:
    entry = f"tests.chaos.planted_{planted}"
    options = replace(BRIEF, entry=entry, points=tuple(points))
    problems = judge(await run_campaign(tmp_path, options))
    for sentence in sentences:
        assert any(sentence in problem for problem in problems), problems
