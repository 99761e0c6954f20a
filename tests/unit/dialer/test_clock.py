"""The machine's clocks."""

import asyncio

from dialer.clock import SystemClock


def test_wall_time_is_after_this_was_written() -> None:
    assert SystemClock().now() > 1.7e9


async def test_monotonic_is_the_loops_time() -> None:
    before = asyncio.get_running_loop().time()
    assert before <= SystemClock().monotonic() <= asyncio.get_running_loop().time()
