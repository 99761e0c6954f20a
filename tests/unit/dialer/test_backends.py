"""What the settings name, and what does not go together."""

from typing import Any

import pytest

from dialer.backends import (
    ALONE,
    REDIS_UNUSED,
    Backends,
    Role,
    check_pairing,
    open_backends,
    rebuild_from,
)
from dialer.clock import SystemClock
from dialer.coordination.contract import HeldSlot
from dialer.coordination.local import LocalCoordinator, LocalSignals
from dialer.coordination.redis import RedisCoordinator
from dialer.errors import SettingsError
from dialer.settings import Settings, load_settings
from dialer.store.contract import OpenAttempt, RecentStart
from tests.unit.dialer.worker_floor import item

SQLITE = "sqlite+aiosqlite:///dialer.db"
POSTGRES = "postgresql+asyncpg://db.example/dialer"
REDIS = "redis://redis.example/0"


def make_settings(database_url: str, redis_url: str | None) -> Settings:
    return load_settings(env_file=None, database_url=database_url, redis_url=redis_url)


@pytest.mark.parametrize(
    ("database", "redis", "said"),
    [
        (SQLITE, None, None),
        (SQLITE, REDIS, REDIS_UNUSED),
        (POSTGRES, None, ALONE),
        (POSTGRES, REDIS, None),
    ],
)
def test_all_in_one_runs_with_any_of_them_and_says_what_does_not_work(
    database: str, redis: str | None, said: str | None
) -> None:
    assert check_pairing(make_settings(database, redis), Role.RUN) == said


@pytest.mark.parametrize("role", [Role.API, Role.WORKER, Role.DELIVER])
@pytest.mark.parametrize(
    ("database", "redis", "word"),
    [(SQLITE, None, "SQLite"), (SQLITE, REDIS, "SQLite"), (POSTGRES, None, "DIALER_REDIS_URL")],
)
def test_a_part_alone_needs_both(role: Role, database: str, redis: str | None, word: str) -> None:
    with pytest.raises(SettingsError, match=f"`dialer {role}`.*{word}"):
        check_pairing(make_settings(database, redis), role)


@pytest.mark.parametrize("role", [Role.API, Role.WORKER, Role.DELIVER])
def test_with_both_each_part_runs(role: Role) -> None:
    assert check_pairing(make_settings(POSTGRES, REDIS), role) is None


def test_each_role_does_its_part() -> None:
    does = {role: (role.serves, role.dials, role.delivers) for role in Role}
    assert does == {
        Role.RUN: (True, True, True),
        Role.API: (True, False, False),
        Role.WORKER: (False, True, False),
        Role.DELIVER: (False, False, True),
    }


@pytest.mark.parametrize("redis", [None, REDIS])
def test_on_sqlite_nothing_is_shared(redis: str | None) -> None:
    backends = open_backends(make_settings(SQLITE, redis), SystemClock())
    assert isinstance(backends.coordinator, LocalCoordinator)
    assert isinstance(backends.signals, LocalSignals)
    assert not backends.shared
    assert backends.run() is None


class Shelf:
    """The store as a rebuild reads it; and what opens and closes beside it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def open(self) -> None:
        self.said.append("open")

    async def close(self) -> None:
        self.said.append("close")

    async def run(self) -> None:
        self.said.append("run")

    async def open_attempts(self) -> tuple[OpenAttempt, ...]:
        return (OpenAttempt(item(1), 1, "chan-1", "act-1", "cdr-1", 990.0),)

    async def recent_starts(self, since: float) -> tuple[RecentStart, ...]:
        return (RecentStart(1, 1, since + 1.0),)


async def test_a_rebuild_reads_every_open_attempt_and_the_latest_starts() -> None:
    shelf: Any = Shelf()
    held = await rebuild_from(shelf, lambda: 1000.0)()
    assert held.slots == (HeldSlot(1, 1, "chan-1", 990.0),)
    assert held.starts == ((1, 991.0),)


async def test_a_rebuild_goes_by_the_clock_that_follows_the_databases() -> None:
    clock = SystemClock()
    coordinator = open_backends(make_settings(POSTGRES, REDIS), clock).coordinator
    assert isinstance(coordinator, RedisCoordinator)
    clock.shift(-3600.0)  # as a machine does whose own is an hour ahead
    assert coordinator._wall() == pytest.approx(clock.now(), abs=60.0)


async def test_wake_ups_of_others_open_last_and_close_first() -> None:
    store: Any = Shelf()
    remote = Shelf()
    remote.said = store.said
    backends = Backends(store, LocalSignals(), LocalCoordinator(), shared=True, _remote=remote)
    await backends.open()
    running = backends.run()
    assert running is not None
    await running
    await backends.close()
    assert store.said == ["open", "open", "run", "close", "close"]
