"""What the administrative commands stand on: the settings, the store, and how changes look."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rich.console import Console

from dialer.errors import SettingsError
from dialer.settings import Settings, load_settings
from dialer.store import open_store
from dialer.store.contract import Store

R = TypeVar("R")

LEAST = 0.01
MOST = 1_000_000
"""Limits of calls and of calls a second that make sense."""

LARGEST_ID = 2**63 - 1
"""What a database can hold: no queue and no delivery has a larger number."""


def with_store(work: Callable[[Store], Awaitable[R]], settings: Settings | None = None) -> R:
    """Do `work` with the store of DIALER_DATABASE_URL, made and migrated where needed."""
    url = (settings or load_settings()).database_url

    async def run() -> R:
        store = open_store(url)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def name_operator() -> str:
    """Who changes something, for the audit log: the one who logged in, also behind sudo."""
    try:
        return f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    except (KeyError, OSError):  # no name for this user id
        return f"operator {os.getuid()}"


def given(**options: object) -> dict[str, object]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def no_limit_at_zero(changes: dict[str, object], *names: str) -> None:
    """0 on the command line takes a limit away. Refuses what is no limit that could ever hold."""
    for name in names:
        value = changes.get(name)
        if isinstance(value, int | float) and value and not LEAST <= value <= MOST:
            option = name.removeprefix("max_").replace("_", "-")
            raise SettingsError(f"{option}: must be 0 (no limit) or {LEAST:g} to {MOST:,}")
        if changes.get(name) == 0:
            changes[name] = None


def none_when_empty(changes: dict[str, object], *names: str) -> None:
    """'' on the command line takes a text away."""
    for name in names:
        if changes.get(name) == "":
            changes[name] = None


def need_something(changes: dict[str, object]) -> None:
    """Refuse a `set` without anything to set."""
    if not changes:
        raise SettingsError("nothing to change: give at least one option, see --help")


def show_limit(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def make_console() -> Console:
    """A console that shows texts as they are: names are clients' words, not markup."""
    return Console(markup=False, highlight=False, emoji=False)
