"""Long work between which the event loop has turns, however much of it a request brings."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from dialer.steps import Steps

T = TypeVar("T")
SLICE: Final = 0.003
"""Seconds between two turns of the event loop; a step that takes longer is not cut."""


async def take_turns(steps: Steps[T], monotonic: Callable[[], float]) -> T:
    """What comes of all steps. By time, not by their number: one may take a thousand times as
    long as another."""
    until = monotonic() + SLICE
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        if monotonic() >= until:
            await asyncio.sleep(0)
            until = monotonic() + SLICE
