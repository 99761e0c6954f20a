"""The processes of a cluster: who ended because it was harmed, and who did not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chaos.cluster.members import Member, Members, Role
from chaos.cluster.switchboard import Way
from chaos.lives import Nursery
from tests.chaos.pretended_dialer import ENDS_ITSELF, FIRST_ENDS

pytestmark = pytest.mark.io


@pytest.fixture
async def members(tmp_path: Path) -> AsyncIterator[Members]:
    async with Nursery("tests.chaos.pretended_dialer", tmp_path / "nursery.log") as nursery:
        yield Members(nursery, seed=7)


def place(folder: Path, **settings: str) -> Member:
    way = Way(lambda *_: None, 0, 0)
    url = {"DIALER_DATABASE_URL": "postgresql+asyncpg://nowhere/dialer"}
    log, state, clock = (folder / name for name in ("worker.log", "state", "clock"))
    return Member(Role.WORKER, 1, url | settings, log, way, way, state, clock)


async def test_who_is_harmed_did_not_end_by_itself(members: Members, tmp_path: Path) -> None:
    worker = place(tmp_path)
    await members.start_ready(worker)
    assert worker.name == "worker-1"
    await members.kill(worker)
    assert not worker.alive
    await members.start_ready(worker)
    members.freeze(worker)
    members.thaw(worker)
    assert await members.ask_to_leave(worker) == 0
    assert worker.lives == 2
    assert members.unasked == []


async def test_who_ends_by_itself_is_told_of(members: Members, tmp_path: Path) -> None:
    worker = place(tmp_path, **{ENDS_ITSELF: "1"})
    await members.start(worker)
    assert worker.life is not None
    assert await worker.life.ended == 3
    await worker.life.ready
    assert members.unasked == ["worker-1, life 1"]


async def test_who_does_not_get_ready_is_started_again(members: Members, tmp_path: Path) -> None:
    first_ends = tmp_path / "first-ends"
    first_ends.touch()
    worker = place(tmp_path, **{FIRST_ENDS: str(first_ends)})
    await members.start_ready(worker)
    assert worker.alive
    assert (worker.lives, members.false_starts, members.unasked) == (2, 1, [])


async def test_an_armed_one_has_its_failpoints(members: Members, tmp_path: Path) -> None:
    worker = place(tmp_path)
    await members.start(worker, "link.up=kill@1")
    assert worker.life is not None
    assert await worker.life.ready == "http://link.up=kill@1"
    await members.kill(worker)
    await members.start_ready(worker)
    assert worker.life.ready.result() == "http://None"
