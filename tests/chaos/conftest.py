"""Campaigns on a machine that is shared."""

from collections.abc import Iterator
from typing import Final

import pytest

from chaos import checker
from chaos.faults import clock, disk, lock, stop
from tests.patience import PATIENCE

# Times in which a campaign must have recovered are for a machine that it has for itself:
# `python -m chaos` holds them. Among other tests they are bounds of patience.
BOUNDS: Final = (
    (checker, "RECOVERY"),
    (clock, "SOON"),
    (clock, "EXPIRED"),
    (disk, "BACK"),
    (disk, "FAILS"),
    (lock, "BACK"),
    (lock, "TOLD"),
    (stop, "BESIDE"),
    (stop, "AT_ONCE"),
)


@pytest.fixture(scope="module")
def shared_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in BOUNDS:
            patch.setattr(module, name, PATIENCE)
        yield
