"""What is done to one worker's machine: its disk, and its clock."""

import asyncio
import resource
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from chaos.cluster.database import Lifetime, set_right
from chaos.cluster.machines import NOTHING, forbid_growth
from chaos.cluster.members import Member, Role
from chaos.cluster.switchboard import Way
from chaos.faults.disk import keep_full
from chaos.faults.small_disk import NoNamespace, small_disks
from chaos.lives import Nursery
from tests.required import skip_unless_required

SIZE = 1 << 20
NO_DISK = "no disk: "


@pytest.mark.io
async def test_no_file_of_a_worker_grows_until_it_may_again(tmp_path: Path) -> None:
    async with Nursery("tests.chaos.pretended_dialer", tmp_path / "nursery.log") as nursery:
        way = Way(lambda *_: None, 0, 0)
        life = await nursery.bear({}, ("worker",))
        worker = Member(Role.WORKER, 1, {}, tmp_path, way, way, tmp_path, tmp_path, life)
        before = resource.prlimit(life.pid, resource.RLIMIT_FSIZE)
        with forbid_growth(worker):
            assert resource.prlimit(life.pid, resource.RLIMIT_FSIZE)[0] == NOTHING
        assert resource.prlimit(life.pid, resource.RLIMIT_FSIZE)[0] == before[1]


@pytest.mark.io
def test_each_small_disk_is_full_by_itself(tmp_path: Path) -> None:
    """In a process of its own, which has the disks."""
    code = f"from {__name__} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    if done.stdout.startswith(NO_DISK):
        skip_unless_required(done.stdout)
    assert done.stdout == "one: full, two: room; then one: room\n"
    assert [each.name for each in tmp_path.rglob("*")] == ["one", "two"]


def main() -> None:
    folders = [Path(sys.argv[1], name) for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    try:
        with small_disks(folders, SIZE):
            print(asyncio.run(fill_one(*folders)))
    except NoNamespace as none:
        print(f"{NO_DISK}{none}")


async def fill_one(one: Path, two: Path) -> str:
    with keep_full(one / "ballast"):
        full = f"one: {try_out(one)}, two: {try_out(two)}"
    return f"{full}; then one: {try_out(one)}"


def try_out(folder: Path) -> str:
    file = folder / "file"
    try:
        file.write_bytes(bytes(4096))
    except OSError:
        return "full"
    return "room"


def test_what_a_wrong_clock_wrote_is_set_right() -> None:
    began, now = 100_000.0, 101_000.0
    right = Lifetime("pbx1", 100_500.0, 100_503.0)
    assert set_right(right, began, now) == right
    for wrong in (Lifetime("pbx1", 104_100.0, 100_503.0), Lifetime("pbx1", 96_900.0, 104_103.0)):
        assert set_right(wrong, began, now) == right
    assert set_right(Lifetime("pbx1", 100_500.0, inf), began, now).ended_at == inf
