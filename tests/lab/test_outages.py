"""A short campaign of outages of a real Asterisk, which is the campaign's own."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.outages.asterisk import find_root
from chaos.outages.course import LOAD, run_outages
from chaos.outages.harm import Outage
from chaos.report import count_figures
from dialer.cdr import NO_CAUSE
from dialer.server_link import RESTARTED
from tests.required import skip_unless_required

pytestmark = pytest.mark.lab

SHORT = (
    Outage.RESTART,
    Outage.STOP_GRACEFULLY,
    Outage.KILL,
    Outage.BOTH_KILLED,
    Outage.KICK,
    Outage.RELOAD,
)
"""What an ending Asterisk refused is tried again after a minute: that comes first."""


BRIEF = replace(LOAD, channels=60, cps=20.0, talk="3")


@pytest.fixture
def root() -> Path:
    found = find_root()
    if not isinstance(found, Path):
        skip_unless_required(found)
    return found


async def test_nothing_is_lost_or_repeated(root: Path, tmp_path: Path) -> None:
    ordeal = await run_outages(root, tmp_path, SHORT, BRIEF)
    assert ordeal.problems == ()
    assert [suffered.what for suffered in ordeal.suffered] == [each.value for each in SHORT]
    figures = count_figures(ordeal.outcome.evidence, ordeal.outcome.seconds)
    assert figures.duplicates == figures.lost == 0
    words = {reason.words for reason in ordeal.reasons}
    assert {
        RESTARTED,  # the calls of one that was killed
        NO_CAUSE,  # those that were ringing at `core restart now`
        "Asterisk is shutting down",  # what was refused
    } <= words
