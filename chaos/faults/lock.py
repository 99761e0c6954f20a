"""Another process keeps the database's write lock: a backup, a shell with an open transaction."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from chaos.faults.course import LOAD, Fault, Ordeal

BACK: Final = 5.0
"""Seconds until calls start again at most: a write that waits gets the lock, or is repeated."""

STILL: Final = 1.0
"""Seconds after which what was on disk already has left."""

ASKED: Final = 5
TOLD: Final = 10.0
"""Seconds within which a client that posts again and again is refused once more."""


@contextmanager
def hold_lock(database: Path) -> Iterator[None]:
    """The write lock, until the block is left."""
    connection = sqlite3.connect(database, timeout=30.0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


async def inflict(ordeal: Ordeal) -> None:
    """Nothing starts and nothing is accepted while it lasts; afterwards all goes on by itself."""
    with hold_lock(ordeal.scene.database):
        await asyncio.sleep(STILL)
        before, accepted = ordeal.sent(), len(ordeal.scene.loader.accepted)
        ordeal.scene.eager = True
        await asyncio.sleep(ordeal.seconds - STILL)
        ordeal.scene.eager = False
        ordeal.expect(ordeal.sent() == before, "calls were started that cannot be on disk")
        taken = len(ordeal.scene.loader.accepted) - accepted
        ordeal.expect(not taken, f"{taken} items accepted that cannot be on disk")
        await look_on(ordeal)
    back = await ordeal.until_dialing(BACK, "no call after the lock was given back")
    ordeal.notes.append(f"locked for {ordeal.seconds:g} s; calls again after {back:.2f} s")


def _is_more(counts: Counter[str], than: int) -> bool:
    return counts.total() > than


async def look_on(ordeal: Ordeal) -> None:
    """What operators and clients see while nothing can be written."""
    refusals = ordeal.scene.loader.refusals
    ordeal.notes += [f"{count} × {answer}" for answer, count in refusals.items()]
    ordeal.expect(bool(refusals), "no client was told that nothing can be stored")
    odd = [answer for answer in refusals if not answer.startswith("503 ")]
    ordeal.expect(not odd, f"clients were answered {odd}")
    # A small write may find room in what a full disk holds: it is asked as a client was refused.
    for _ in range(ASKED):
        more = partial(_is_more, refusals, refusals.total())
        await ordeal.until(more, TOLD, "no client was refused any more")
        answer = await ordeal.ready()
        if answer.status_code == 503:
            break
    ordeal.notes.append(f"/readyz: {answer.status_code} {answer.text}")
    ordeal.expect(answer.status_code == 503, f"/readyz said {answer.status_code}")
    status, said = await ordeal.ask("status")
    first = said.partition("\n")[0]
    ordeal.notes.append(f"dialer status: {first}")
    ordeal.expect(status == 0, f"dialer status ended with {status}")
    ordeal.expect("cannot write" in said, f"dialer status does not say why: {first}")


LOCKED = Fault(
    name="locked",
    what="another process holds the database's write lock",
    inflict=inflict,
    brief=14.0,
    full=40.0,
    options=LOAD,
)
