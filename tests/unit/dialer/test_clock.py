"""The machine's clock: set by somebody, it is followed in one moment."""

import asyncio
import time

from dialer.clock import SystemClock


class Machine:
    """Its clocks, in a test's hands."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_000_000.0, 50.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def test_wall_time_is_the_machines() -> None:
    before = time.time()
    clock = SystemClock()
    assert before - 0.001 <= clock.now() <= time.time() + 0.001
    assert abs(clock.drift()) < 0.001


async def test_monotonic_is_the_loops_time() -> None:
    before = asyncio.get_running_loop().time()
    assert before <= SystemClock().monotonic() <= asyncio.get_running_loop().time()


def test_time_goes_on_steadily_over_a_step_until_it_is_followed() -> None:
    machine = Machine()
    clock = SystemClock(lambda: machine.wall, lambda: machine.mono)
    machine.pass_time(5.0)
    machine.wall -= 3600.0
    assert (clock.now(), clock.drift()) == (1_000_005.0, -3600.0)
    clock.follow()
    machine.pass_time(1.0)
    assert (clock.now(), clock.drift()) == (996_406.0, 0.0)


def test_a_clock_that_is_shifted_goes_on_from_there() -> None:
    machine = Machine()
    clock = SystemClock(lambda: machine.wall, lambda: machine.mono)
    clock.shift(-30.0)
    machine.pass_time(1.0)
    machine.wall += 3600.0
    assert clock.now() == 999_971.0
