"""Filling an epoch from the store: what Redis lost, or never had."""

from collections.abc import Iterator

from dialer.coordination.contract import Held
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session

_CHUNK = 1000
"""Slots in one request: some 5 ms of Redis' time."""


async def lock_rebuild(session: Session) -> bool:
    """Whether this worker is to do it. Raises `RedisGone`."""
    return await session.run(Script.REBUILD, "lock") == "OK"


async def fill_epoch(session: Session, held: Held, now: float) -> None:
    """`held` was read when nobody could write by an older epoch's leave any more. `now`: epoch
    seconds, of the clock that stamped the starts. Raises `RedisGone`."""
    for starts, slots in _chunks(held, now):
        await session.run(Script.REBUILD, "load", starts, *slots)
    await session.run(Script.REBUILD, "open")


def _chunks(held: Held, now: float) -> Iterator[tuple[str, list[str]]]:
    """The words of each request of `lua/rebuild.lua`."""
    last: dict[int, float] = {}
    for client, at in held.starts:
        last[client] = max(at, last.get(client, at))
    ages = {client: int(max(0.0, now - at) * 1e6) for client, at in last.items()}
    starts = " ".join(f"{client}:{age}" for client, age in ages.items())
    for first in range(0, max(1, len(held.slots)), _CHUNK):
        slots = held.slots[first : first + _CHUNK]
        words = [
            str(word)
            for slot in slots
            for word in (slot.server_id, slot.client_id, slot.channel_id)
        ]
        yield (starts if first == 0 else ""), words
