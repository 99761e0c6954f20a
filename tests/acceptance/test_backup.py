"""A backup taken while calls run, restored into a new place: everything accepted is there, nothing
that it knows as ended or under way is called again. docs/operations.md says what it cannot know."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.states import ItemStatus
from dialer.store import open_store
from tests.acceptance.plant import Plant
from tests.held_calls import HELD, answer, hang_up
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer, find_programs

QUICK = "08"  # calls of 0.03 s
FIRST, LIVE = 6, 3
CHANNELS = LIVE + 1
NUMBERS = [
    *(f"100{n:04}{QUICK}" for n in range(FIRST)),
    *(f"200{n:04}{HELD}" for n in range(LIVE)),
    f"3000000{HELD}",  # takes the last channel: nothing is dialed while the backup is taken
    *(f"400{n:04}{QUICK}" for n in range(30)),
]
TALKING, GATE = NUMBERS[FIRST : FIRST + LIVE], NUMBERS[FIRST + LIVE]


@dataclass(frozen=True, slots=True)
class Place:
    """Settings of the product here and where the backup is restored; `back_up` copies the one
    into the other."""

    settings: dict[str, Any]
    restored: dict[str, Any]
    back_up: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a backup knows of the numbers."""

    ended: set[str]
    open: set[str]
    waiting: set[str]
    cdr_ids: set[str]


def on_sqlite(tmp_path: Path) -> Place:
    here, there = tmp_path / "here" / "dialer.db", tmp_path / "there" / "dialer.db"
    for path in (here, there):
        path.parent.mkdir()

    def copy() -> None:
        with closing(sqlite3.connect(here)) as connection:
            connection.execute("VACUUM INTO ?", (str(there),))
        shutil.copy(f"{here}.signing-key", f"{there}.signing-key")

    def settings(path: Path) -> dict[str, Any]:
        return {"database_url": f"sqlite+aiosqlite:///{path}"}

    return Place(settings(here), settings(there), lambda: asyncio.to_thread(copy))


def on_postgres(tmp_path: Path, server: PostgresServer) -> Place:
    here, there, file = server.make_database(), server.make_empty(), str(tmp_path / "dialer.dump")

    def settings(url: str, name: str) -> dict[str, Any]:
        key = "of the tests, thirty-two characters long"
        return {"database_url": url, "state_dir": tmp_path / name, "signing_key": key}

    async def copy() -> None:
        await run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={plain(here)}")
        await run("pg_restore", "--exit-on-error", f"--dbname={plain(there)}", file)

    return Place(settings(here, "here"), settings(there, "there"), copy)


def plain(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def run(program: str, *arguments: str) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(find_programs() / program), *arguments, stderr=pipe
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return on_sqlite(tmp_path)
    return on_postgres(tmp_path, request.getfixturevalue("postgres"))


async def test_what_a_backup_knows_is_kept_and_not_called_again(
    place: Place, tmp_path: Path
) -> None:
    asterisk = Simulator(SimulatorConfig(scale=0.1, far_end=answer))
    async with Plant(tmp_path, asterisk=asterisk, settings=place.settings) as plant:
        key = await plant.add_client(allocated_channels=CHANNELS)
        queue_id = await plant.post(key, NUMBERS, action={"Data": "3600"})
        signing = await show_signing(plant, key)
        await plant.until_dialed(FIRST + LIVE + 1)
        await until_ended(plant, queue_id, FIRST)
        await place.back_up()
        known = await read_known(place.restored, queue_id)
        hang_up(asterisk, GATE)
        await plant.until_dialed(FIRST + LIVE + 1 + 10)
        before = len(asterisk.calls)
        await plant.product.stop(0.0)
        await until_alone(asterisk)
        lost = {call.number for call in asterisk.calls} & known.waiting

        plant.settings.update(place.restored)
        await plant.start_product()
        await until_ended(plant, queue_id, len(NUMBERS) - LIVE)
        hang_up(asterisk, *TALKING)
        await until_ended(plant, queue_id, len(NUMBERS))

        rang = Counter(call.number for call in asterisk.calls)
        assert set(rang) == set(NUMBERS)
        again = {call.number for call in list(asterisk.calls)[before:]}
        assert not again & (known.ended | known.open)
        assert {number for number, times in rang.items() if times > 1} == lost
        assert await show_signing(plant, key) == signing
        await plant.until(lambda: known.cdr_ids <= plant.callbacks.bodies.keys())
        await plant.until(lambda: known.cdr_ids <= plant.sgapi.cdrs.keys())
        assert known.ended == set(NUMBERS[:FIRST])
        assert known.open == {*TALKING, GATE}
        assert lost  # so that what the documentation says of an older backup is shown, too


async def until_alone(asterisk: Simulator) -> None:
    """What a product that is gone had written to its link has been read to the end."""
    async with asyncio.timeout(PATIENCE):
        while asterisk.counters.sessions:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0)


async def read_known(settings: dict[str, Any], queue_id: int) -> Known:
    """Of a restored database, before the product is started on it."""
    store = open_store(settings["database_url"], settings.get("state_dir", Path()))
    await store.open()
    try:
        rows = (await store.items(queue_id, 0, len(NUMBERS) + 1)).rows
        cdrs = await store.cdrs(None, 0, len(NUMBERS) + 1)
        assert [row.number for row in rows] == NUMBERS
        return Known(
            {row.number for row in rows if row.status is ItemStatus.PROCESSED},
            {attempt.candidate.number for attempt in await store.open_attempts()},
            {row.number for row in rows if row.status is ItemStatus.PENDING},
            {cdr.cdr_id for _, cdr in cdrs},
        )
    finally:
        await store.close()


async def until_ended(plant: Plant, queue_id: int, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await plant.product.store.queue(queue_id, None)).processed_count < count:
            pass


async def show_signing(plant: Plant, key: str) -> Any:
    """The client's signing secret, which the key that was used before still opens."""
    async with plant.http(key) as http:
        answer = await http.get("/clients/signing-secret")
    assert answer.status_code == 200, answer.text
    return answer.json()
