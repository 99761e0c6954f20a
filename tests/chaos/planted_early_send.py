"""A dialer with a planted bug: the Originate leaves before its attempt is on disk."""

import asyncio
from collections.abc import Awaitable, Sequence

from dialer.cli import main as run_dialer
from dialer.store.contract import Delivery, Reservation, Withdrawal
from dialer.store.sqlite import SqliteStore

reserve = SqliteStore.reserve
note_sent = SqliteStore.note_sent
withdraw = SqliteStore.withdraw
waiting: dict[str, Reservation] = {}
late: set[asyncio.Future[bool]] = set()


def grant(self: SqliteStore, reservation: Reservation) -> Awaitable[bool]:
    """Grants at once, and writes nothing."""
    waiting[reservation.channel_id] = reservation
    granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    granted.set_result(True)
    return granted


def note_and_reserve(self: SqliteStore, channel_id: str) -> None:
    """The Originate is about to leave: its attempt is written a millisecond later."""
    note_sent(self, channel_id)
    reservation = waiting.pop(channel_id)
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, lambda: late.add(asyncio.ensure_future(reserve(self, reservation))))


def write_and_withdraw(
    self: SqliteStore, withdrawal: Withdrawal
) -> Awaitable[tuple[Delivery, ...]]:
    """What was granted and stays is written before it is taken back: that is not the bug."""
    reservation = waiting.pop(withdrawal.channel_id, None)
    if reservation is not None:
        late.add(asyncio.ensure_future(reserve(self, reservation)))
    return withdraw(self, withdrawal)


def main(arguments: Sequence[str]) -> int:
    SqliteStore.reserve = grant  # type: ignore[method-assign, assignment]
    SqliteStore.note_sent = note_and_reserve  # type: ignore[method-assign, assignment]
    SqliteStore.withdraw = write_and_withdraw  # type: ignore[method-assign, assignment]
    return run_dialer(arguments)
