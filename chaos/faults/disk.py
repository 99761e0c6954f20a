"""The disk takes no more: full (ENOSPC, on a file system of a few megabytes with database, `.wire`
and log), or a file that may not grow (EFBIG, by RLIMIT_FSIZE; no privileges and no namespace)."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from chaos.faults.course import LOAD, Fault, Ordeal
from chaos.faults.lock import look_on

SIZE: Final = 24 << 20
"""Bytes of the small file system: room for the campaign, and soon filled."""

PIECE: Final = 64 << 10
BACK: Final = 5.0
"""Seconds until calls start again at most."""

FAILS: Final = 30.0
"""Seconds until the first write fails, at most: what SQLite's files have room for is used first."""

STILL: Final = 1.0
"""Seconds after which what was on disk already has left."""


@contextmanager
def fill(ordeal: Ordeal) -> Iterator[None]:
    """Not a byte is free beside the database, until the block is left."""
    with keep_full(ordeal.scene.database.with_name("ballast")):
        yield


@contextmanager
def keep_full(ballast: Path) -> Iterator[None]:
    """Not a byte is free where this file is, which takes all of them, until the block is left."""
    _grow(ballast)
    filling = asyncio.get_running_loop().create_task(_keep_full(ballast))
    try:
        yield
    finally:
        filling.cancel()
        ballast.unlink()


async def _keep_full(ballast: Path) -> None:
    """What a file gave back is taken, too."""
    while True:
        await asyncio.sleep(0.1)
        _grow(ballast)


def _grow(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (PIECE, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


@contextmanager
def limit_files(ordeal: Ordeal) -> Iterator[None]:
    """No file of the dialer's grows past half of what its database has, until the block is left."""
    files = [ordeal.scene.database.with_name(f"dialer.db{end}") for end in ("", "-wal")]
    most = min(file.stat().st_size for file in files) // 2
    _, hard = resource.prlimit(ordeal.life.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(ordeal.life.pid, resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(ordeal.life.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def _suffer(ordeal: Ordeal, hinder: Callable[[Ordeal], AbstractContextManager[None]]) -> None:
    """From the first failed write on nothing starts; afterwards all goes on by itself."""
    refusals = ordeal.scene.loader.refusals
    with hinder(ordeal):
        ordeal.scene.eager = True
        failed = await ordeal.until(lambda: refusals, FAILS, "no client was told")
        await asyncio.sleep(STILL)
        before, accepted = ordeal.sent(), len(ordeal.scene.loader.accepted)
        await asyncio.sleep(ordeal.seconds - STILL)
        ordeal.scene.eager = False
        sent = ordeal.sent() - before
        taken = len(ordeal.scene.loader.accepted) - accepted
        ordeal.notes.append(
            f"first write refused after {failed:.1f} s; in the {ordeal.seconds:g} s after that"
            f" {sent} calls started and {taken} items taken"
        )
        await look_on(ordeal)
    back = await ordeal.until_dialing(BACK, "no call after there was room again")
    ordeal.notes.append(f"calls again {back:.2f} s after there was room")


async def fill_disk(ordeal: Ordeal) -> None:
    await _suffer(ordeal, fill)


async def limit_growth(ordeal: Ordeal) -> None:
    await _suffer(ordeal, limit_files)


FULL: Final = Fault(
    name="disk-full",
    what="a file system with database, .wire and log has no byte left",
    inflict=fill_disk,
    brief=8.0,
    full=60.0,
    options=LOAD,
)

LIMITED: Final = Fault(
    name="disk-errors",
    what="the system lets no file of the dialer's grow",
    inflict=limit_growth,
    brief=8.0,
    full=60.0,
    options=LOAD,
)
