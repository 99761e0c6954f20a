"""Connections to PostgreSQL: its URL, and what every session there is told."""

from typing import Any, Final

from pydantic_core import from_json
from sqlalchemy import event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dialer.errors import SettingsError

CONNECT_SECONDS: Final = 5.0
# A statement of a writer or a short read that takes longer is given up, and its connection with it.
STATEMENT_SECONDS: Final = 20.0
SEARCH_SECONDS: Final = 300.0

_SETTINGS: Final = {
    "application_name": "dialer",
    "jit": "off",  # compiling takes longer than any statement here
    # A peer that is gone without a word is noticed in some ten seconds, on both sides.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
# Everything but a search goes by keys. A plan made while the tables were empty would read all of
# them, until statistics say otherwise.
_BY_KEYS: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",  # starting others takes longer than the work
}
_READ_ONLY: Final = {"default_transaction_read_only": "on"}
# A process that was frozen inside a transaction keeps its locks; whoever takes over waits for them.
_WRITERS_SETTINGS: Final = {"idle_in_transaction_session_timeout": "3000"}


def postgres_url(url: str) -> URL:
    """The parsed URL of a PostgreSQL database. Raises `SettingsError` for any other."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError("DIALER_DATABASE_URL cannot be read as a URL") from None
    if parsed.drivername != "postgresql+asyncpg" or not parsed.database:
        raise SettingsError(
            "DIALER_DATABASE_URL must name a database, like postgresql+asyncpg://USER@HOST/NAME"
        )
    return parsed


def plain_url(url: URL) -> str:
    """As asyncpg takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def writing_engine(url: URL, connections: int) -> AsyncEngine:
    """Connections outside any transaction until BEGIN is said."""
    settings = _SETTINGS | _BY_KEYS | _WRITERS_SETTINGS
    return _make_engine(url, connections, STATEMENT_SECONDS, settings)


def reading_engine(url: URL, connections: int) -> AsyncEngine:
    """Connections that refuse to write; every statement by itself sees one state."""
    return _make_engine(url, connections, STATEMENT_SECONDS, _SETTINGS | _BY_KEYS | _READ_ONLY)


def searching_engine(url: URL, connections: int) -> AsyncEngine:
    """The same for what may take long."""
    return _make_engine(url, connections, SEARCH_SECONDS, _SETTINGS | _READ_ONLY)


def _make_engine(
    url: URL, connections: int, statement_seconds: float, settings: dict[str, str]
) -> AsyncEngine:
    arguments: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_seconds,
        "server_settings": settings,
    }
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,
        hide_parameters=True,  # an error's text would carry a client's data into the log
        json_deserializer=from_json,
        connect_args=arguments,
    )
    event.listen(engine.sync_engine, "checkout", _replace_ended)
    return engine


def _replace_ended(connection: DBAPIConnection, record: object, _: object) -> None:
    """What the server has ended while nobody used it is not handed out."""
    driver: Any = getattr(connection, "driver_connection", None)
    if driver is not None and driver.is_closed():
        raise DisconnectionError
