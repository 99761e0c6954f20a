"""An older database beside the files that a worker kept for a later one: what those leave out is
taken for nothing that never left."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from dialer.store.contract import Reservation, Store
from dialer.store.sql_store import SqlStore
from tests import store_records as make
from tests.conformance.store.conftest import Stored, make_store
from tests.postgres_server import PostgresServer, find_programs

NOW = make.NOW


@dataclass(frozen=True, slots=True)
class Backup:
    """`take` copies the database while it is used; `restore` gives the URL of one as it was then,
    at the old one's path where it is a file."""

    take: Callable[[], None]
    restore: Callable[[], str]


def run(program: str, *arguments: str | Path) -> None:
    subprocess.run([find_programs() / program, *arguments], check=True, capture_output=True)


@pytest.fixture
def backup(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Backup:
    if database.startswith("sqlite"):
        return of_file(tmp_path / "dialer.db", tmp_path / "backup.db", database)
    return of_server(request.getfixturevalue("postgres"), tmp_path / "dump", database)


def of_file(path: Path, copy: Path, url: str) -> Backup:
    def take() -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))

    def restore() -> str:
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        shutil.copy(copy, path)
        return url

    return Backup(take, restore)


def of_server(server: PostgresServer, dump: Path, url: str) -> Backup:
    def plain(url: str) -> str:
        return url.replace("postgresql+asyncpg://", "postgresql://")

    def restore() -> str:
        there = server.make_empty()
        run("pg_restore", "--exit-on-error", f"--dbname={plain(there)}", dump)
        return there

    options = ("--format=custom", f"--file={dump}", f"--dbname={plain(url)}")
    return Backup(lambda: run("pg_dump", *options), restore)


@dataclass
class Scene:
    """A worker's store with two calls on disk, of which one left."""

    stored: Stored
    folder: Path
    left: Reservation
    waits: Reservation

    @property
    def store(self) -> Store:
        return self.stored.store

    async def restored(self, url: str) -> dict[str, bool]:
        """What the next life says of the open attempts of the database there: which never left."""
        store = make_store(url, self.folder)
        await store.open()
        await store.claim()
        found = {one.channel_id: one.unsent for one in await store.open_attempts()}
        await store.close()
        return found


@pytest.fixture
async def scene(stored: Stored, tmp_path: Path) -> Scene:
    await stored.store.claim()
    fence = (await stored.store.own([stored.server.id]))[stored.server.id]
    added = await stored.add(make.item(), make.item())
    waiting = await stored.waiting(added.queue_id)
    left, waits = (make.reservation(item, fence=fence) for item in waiting)
    assert await stored.store.reserve(left)
    assert await stored.store.reserve(waits)
    stored.store.note_sent(left.channel_id)
    return Scene(stored, tmp_path, left, waits)


async def test_what_the_file_still_names_it_tells_an_older_database_too(
    scene: Scene, backup: Backup
) -> None:
    backup.take()
    await scene.store.settle(make.settlement(scene.left))
    await scene.store.close()
    assert await scene.restored(backup.restore()) == {
        scene.left.channel_id: False,
        scene.waits.channel_id: True,
    }


async def test_what_a_later_start_left_out_of_the_file_did_not_stay_here(
    scene: Scene, backup: Backup
) -> None:
    backup.take()
    await scene.store.settle(make.settlement(scene.left))
    await scene.store.close()
    later = scene.stored.reopen()
    await later.open()
    await later.claim()
    assert [one.unsent for one in await later.open_attempts()] == [True]  # of the database as it is
    await later.close()
    assert await scene.restored(backup.restore()) == {
        scene.left.channel_id: False,
        scene.waits.channel_id: False,
    }


async def test_what_was_left_out_of_the_file_in_mid_life_did_not_stay_here(
    scene: Scene, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.take()
    await scene.store.settle(make.settlement(scene.left))
    assert isinstance(scene.store, SqlStore)
    monkeypatch.setattr(scene.store._wire_log, "_full_at", 0)
    scene.store.note_sent(scene.waits.channel_id)
    await scene.store._wire_marks.close()
    await scene.store.close()
    now = scene.stored.reopen()
    await now.open()
    await now.claim()
    assert [one.unsent for one in await now.open_attempts()] == [False]
    await now.close()
    names = "".join(path.read_text() for path in scene.folder.rglob("*.wire"))
    assert scene.left.channel_id not in names
    assert await scene.restored(backup.restore()) == {
        scene.left.channel_id: False,
        scene.waits.channel_id: False,
    }


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("starts", [1, 2])
async def test_a_token_that_is_given_out_again_vouches_for_nobody_elses_calls(
    scene: Scene, backup: Backup, starts: int
) -> None:
    """Another worker gets the token from the older database that this one got from the later."""
    backup.take()
    server_id = scene.stored.server.id
    (ours,) = (await scene.store.own([server_id])).values()
    await scene.store.close()
    later = scene.stored.reopen()
    await later.open()
    await later.claim()
    await later.close()

    url = backup.restore()
    for start in range(starts):
        worker = make_store(url, scene.folder)
        await worker.open()
        await worker.claim()
        if start < starts - 1:
            await worker.close()
    other = make_store(url, scene.folder / "another-machine")
    await other.open()
    (theirs,) = (await other.own([server_id])).values()
    assert theirs == ours
    added = await other.insert_batch(make.batch(make.item()))
    (candidate,) = await other.waiting(added.queue_id, server_id, 0, 10)
    called = make.reservation(candidate, fence=theirs)
    assert await other.reserve(called)
    await other.close()
    found = {one.channel_id: one.unsent for one in await worker.open_attempts()}
    await worker.close()
    assert not any(found.values())
    assert called.channel_id in found
