"""A short campaign of outages of a real Asterisk, which is the campaign's own."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chaos.outages.asterisk import find_root
from chaos.outages.course import run_outages
from chaos.outages.harm import Outage
from chaos.report import count_figures
from dialer.server_link import NO_CAUSE, RESTARTED
from tests.lab.running_lab import is_required

pytestmark = pytest.mark.lab

SHORT = (
    Outage.STOP_GRACEFULLY,
    Outage.RESTART,
    Outage.KILL,
    Outage.BOTH_KILLED,
    Outage.KICK,
    Outage.RELOAD,
)
"""What an ending Asterisk refused is tried again after a minute: that comes first."""


@pytest.fixture
def root() -> Path:
    found = find_root()
    if isinstance(found, Path):
        return found
    if is_required():
        pytest.fail(found)
    pytest.skip(found)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that Asterisk, which is not root, can pass through."""
    with TemporaryDirectory(prefix="outages-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def test_nothing_is_lost_or_repeated(root: Path, folder: Path) -> None:
    ordeal = await run_outages(root, folder, SHORT)
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
