"""Short campaigns with several workers: the product stands them, and a build with a planted bug
does not."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.checker import unknown_ids
from chaos.cluster.campaign import run_campaign
from chaos.cluster.checker import check
from chaos.cluster.stage import Load, Options

pytestmark = pytest.mark.io

BRIEF = Options(
    seed=5,
    apis=1,
    deliverers=1,
    clients=(Load("acme", 60, 10.0, retry=1), Load("beta", 6, 8.0)),
    scale=0.08,
    backlog=40,
    warm=3.0,
    settle=1.0,
    measure=3.0,
    kept=0.0,
    slack=20.0,
)
"""A busy machine stands still for seconds: rates are for campaigns that have one for themselves."""


async def test_nothing_is_lost_or_repeated_and_no_limit_passed(tmp_path: Path) -> None:
    seen = await run_campaign(tmp_path, BRIEF, ("worker-kill",))
    assert check(seen) == []
    assert len(seen.rounds) == 1
    for wire in seen.wires.values():
        assert len(wire.originates) > 20
    assert len(unknown_ids(seen.whole)) < len(seen.lifetimes) / 5


async def test_a_planted_bug_is_found(tmp_path: Path) -> None:
    options = replace(BRIEF, entry="tests.chaos.planted_free_slots", workers=2)
    problems = check(await run_campaign(tmp_path, options, ()))
    for sentence in ("client beta: ", " calls at a time, over 6"):
        assert any(sentence in problem for problem in problems), problems
