"""The event loop has turns between long steps."""

import asyncio
from itertools import count

import pytest

from dialer.api.turns import SLICE, take_turns
from dialer.steps import Steps


def work(steps: int, done: list[str]) -> Steps[int]:
    for number in range(steps):
        done.append("step")
        yield
        assert number < steps
    return steps


async def interleave(steps: int, step_takes: float) -> list[str]:
    """What was done in which order, beside a task that takes every turn it gets."""
    ticks = count()
    done: list[str] = []

    async def turn() -> None:
        while True:
            done.append("turn")
            await asyncio.sleep(0)

    other = asyncio.create_task(turn())
    assert await take_turns(work(steps, done), lambda: next(ticks) * step_takes) == steps
    other.cancel()
    return done


async def test_a_turn_after_each_step_that_takes_long() -> None:
    assert (await interleave(3, SLICE))[:6] == ["step", "turn", "step", "turn", "step", "turn"]


async def test_short_steps_are_taken_together() -> None:
    done = await interleave(10, SLICE / 4)
    assert done[:5] == ["step"] * 4 + ["turn"]
    assert done.count("step") == 10


async def test_errors_come_through() -> None:
    def fail() -> Steps[None]:
        yield
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await take_turns(fail(), lambda: 0.0)
