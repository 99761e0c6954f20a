"""Migrations: Alembic, run by the program itself and shipped with it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy.engine import URL

from dialer.errors import StoreUnavailable

# The newest version: a database that stands there needs no Alembic, which takes a while to import.
HEAD: Final = "0013"
_BUSY_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10.0
# Alembic keeps its context in the module: one migration at a time in a process.
_alone: Final = Lock()


def upgrade(url: URL) -> bool:
    """Bring the database of `url` to `HEAD`; whether anything had to be done. Raises
    `StoreUnavailable`. Waits while another process is migrating the same one. Not to be called in
    a running event loop."""
    if url.get_backend_name() == "postgresql":
        return _upgrade_postgres(url)
    try:
        with _alone:
            if version(url) == HEAD:
                return False
            _migrate(url)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the database {url.database} could not be used: {error}") from error
    return True


def _upgrade_postgres(url: URL) -> bool:
    import asyncpg

    try:
        with _alone:
            if version(url) == HEAD:
                return False
            _migrate(url)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        said = str(error) or type(error).__name__
        raise StoreUnavailable(f"the database {url.database} could not be used: {said}") from error
    return True


def version(url: URL) -> str | None:
    """The version that the database stands at; None for one that is empty or not there yet."""
    if url.get_backend_name() == "postgresql":
        return asyncio.run(_ask_version(url))
    with closing(_connect(url)) as connection:
        known = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchone()[0]
        found = known and connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else None


async def _ask_version(url: URL) -> str | None:
    import asyncpg

    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, timeout=_CONNECT_SECONDS)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
        return None if found is None else str(found)
    finally:
        await connection.close()


def _connect(url: URL) -> sqlite3.Connection:
    return sqlite3.connect(str(url.database), timeout=_BUSY_SECONDS, isolation_level=None)


def _migrate(url: URL) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    command.upgrade(config, "head")
