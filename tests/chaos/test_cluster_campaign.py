"""Short campaigns with several workers: the product stands them, and a build with a planted bug
does not."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.checker import unknown_ids
from chaos.cluster.campaign import run_campaign
from chaos.cluster.checker import check
from chaos.cluster.stage import Load, Options
from chaos.outages.asterisk import find_root
from tests.required import skip_unless_required

pytestmark = [pytest.mark.io, pytest.mark.realtime]

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
    blur=0.1,
)
"""A busy machine stands still for seconds: rates are for campaigns that have one for themselves."""


async def test_nothing_is_lost_or_repeated_and_no_limit_passed(tmp_path: Path) -> None:
    seen = await run_campaign(tmp_path, BRIEF, ("worker-kill", "asterisk-kill"))
    assert check(seen) == []
    assert sorted(each.fault for each in seen.rounds) == ["asterisk-kill", "worker-kill"]
    for wire in seen.wires.values():
        assert len(wire.originates) > 20
    assert len(unknown_ids(seen.whole)) < len(seen.lifetimes) / 5


@pytest.mark.lab
async def test_real_asterisks_that_die_lose_and_repeat_nothing(tmp_path: Path) -> None:
    root = find_root()
    if isinstance(root, str):
        skip_unless_required(root)
    seen = await run_campaign(
        tmp_path, replace(BRIEF, root=root, talk="2"), ("asterisk-kill", "worker-kill")
    )
    assert check(seen) == []
    assert len(seen.deaths) == 1
    assert len(seen.whole.rang) > 100, "the carrier has a log of its own"


async def test_a_planted_bug_is_found(tmp_path: Path) -> None:
    options = replace(BRIEF, entry="tests.chaos.planted_free_slots", workers=2)
    problems = check(await run_campaign(tmp_path, options, ()))
    for sentence in ("client beta: ", " calls at a time, over 6"):
        assert any(sentence in problem for problem in problems), problems
