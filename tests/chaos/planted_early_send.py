"""A dialer with a planted bug: the Originate leaves before its attempt is on disk."""

import asyncio
from collections.abc import Awaitable, Sequence

from dialer.cli import main as run_dialer
from dialer.store.contract import Reservation
from dialer.store.sqlite import SqliteStore

reserve = SqliteStore.reserve
late: set[asyncio.Future[bool]] = set()


def reserve_late(self: SqliteStore, reservation: Reservation) -> Awaitable[bool]:
    """Grants at once, and writes a millisecond later."""
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, lambda: late.add(asyncio.ensure_future(reserve(self, reservation))))
    granted: asyncio.Future[bool] = loop.create_future()
    granted.set_result(True)
    return granted


def main(arguments: Sequence[str]) -> int:
    SqliteStore.reserve = reserve_late  # type: ignore[method-assign]
    return run_dialer(arguments)
