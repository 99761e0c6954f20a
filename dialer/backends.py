"""Which store and which coordination the settings name, what each process needs of them, and what
does not go together."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from dialer.clock import Clock
from dialer.coordination.contract import Coordinator, Held, HeldSlot, Rebuild, Signals
from dialer.coordination.local import LocalCoordinator, LocalSignals
from dialer.errors import SettingsError
from dialer.ownership import SEEDED
from dialer.settings import Settings
from dialer.store import open_store
from dialer.store.contract import Store

REDIS_UNUSED: Final = (
    "DIALER_REDIS_URL is not used: SQLite has one process, which needs no coordination; "
    "several need DIALER_DATABASE_URL=postgresql+asyncpg://…"
)
ALONE: Final = (
    "PostgreSQL without DIALER_REDIS_URL: this must be the only process that dials, and limits "
    "hold within it alone; with Redis any number of `dialer api`, `worker` and `deliver` may run"
)
NEEDS_POSTGRES: Final = (
    "`dialer {role}` is one of several processes and needs PostgreSQL and Redis "
    "(DIALER_DATABASE_URL=postgresql+asyncpg://…, DIALER_REDIS_URL=redis://…); "
    "on SQLite `dialer run` does all of it in one"
)
NEEDS_REDIS: Final = (
    "`dialer {role}` is one of several processes: set DIALER_REDIS_URL, or use `dialer run`, "
    "which on PostgreSQL may run alone without it"
)


class Role(StrEnum):
    """What one process does of the product."""

    RUN = "run"
    API = "api"
    WORKER = "worker"
    DELIVER = "deliver"

    @property
    def serves(self) -> bool:
        return self in (Role.RUN, Role.API)

    @property
    def dials(self) -> bool:
        return self in (Role.RUN, Role.WORKER)

    @property
    def delivers(self) -> bool:
        return self in (Role.RUN, Role.DELIVER)


def check_pairing(settings: Settings, role: Role) -> str | None:
    """One sentence about what does not work with these settings, where something does not; raises
    `SettingsError` where nothing would."""
    on_sqlite = settings.database_url.startswith("sqlite")
    if role is not Role.RUN and on_sqlite:
        raise SettingsError(NEEDS_POSTGRES.format(role=role))
    if role is not Role.RUN and settings.redis_url is None:
        raise SettingsError(NEEDS_REDIS.format(role=role))
    if on_sqlite:
        return None if settings.redis_url is None else REDIS_UNUSED
    return ALONE if settings.redis_url is None else None


class Remote(Protocol):
    """Wake-ups that come from, and go to, other processes."""

    async def open(self) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Backends:
    """`shared`: other processes may be at work on the same store. The coordinator is only of those
    that dial, and is opened and run by the engine's side."""

    store: Store
    signals: Signals
    coordinator: Coordinator
    shared: bool
    _remote: Remote | None = None

    async def open(self) -> None:
        """Raises `StoreUnavailable`, `CoordinationUnavailable` and what else keeps a store from
        being used."""
        await self.store.open()
        if self._remote is not None:
            await self._remote.open()

    def run(self) -> Coroutine[Any, Any, None] | None:
        """What has to run while this process does, if anything."""
        return None if self._remote is None else self._remote.run()

    async def close(self) -> None:
        """What was told is told to the others, if they can be reached."""
        if self._remote is not None:
            await self._remote.close()
        await self.store.close()


def open_backends(settings: Settings, clock: Clock) -> Backends:
    """What the settings name, not opened yet. Raises `SettingsError`."""
    store = open_store(settings.database_url, settings.state_dir)
    if settings.redis_url is None or settings.database_url.startswith("sqlite"):
        return Backends(store, LocalSignals(), LocalCoordinator(), shared=False)
    # Here alone, so that one process on SQLite loads nothing of Redis.
    from dialer.coordination.address import parse_address
    from dialer.coordination.redis import RedisCoordinator
    from dialer.coordination.signals import RedisSignals

    try:
        address = parse_address(settings.redis_url)
    except ValueError as error:
        raise SettingsError(f"DIALER_REDIS_URL {error}") from None
    signals = RedisSignals(address)
    rebuild = rebuild_from(store, clock.now)
    coordinator = RedisCoordinator(address, rebuild, wall=clock.now)
    return Backends(store, signals, coordinator, shared=True, _remote=signals)


def rebuild_from(store: Store, now: Callable[[], float]) -> Rebuild:
    """Reads what is held, as the store has it: every open attempt may be a live call."""

    async def rebuild() -> Held:
        since = now() - SEEDED
        # The attempts first: one that is opened in between has its start counted all the same.
        attempts = await store.open_attempts()
        starts = await store.recent_starts(since)
        return Held(
            slots=tuple(
                HeldSlot(a.candidate.client_id, a.candidate.server_id, a.channel_id, a.opened_at)
                for a in attempts
            ),
            starts=tuple((start.client_id, start.at) for start in starts),
        )

    return rebuild
