"""Simulated calls that last until the test ends them: longer than any machine stands still."""

from typing import Final

from ami.simulator import Behaviour, Signal, Simulator, find_behaviour

HELD: Final = "07"
"""The ending of numbers whose calls are held; others are those of the number table."""


def answer(number: str, second: bool) -> Behaviour:
    """What the far end does, as a simulator's `far_end`. The application must last, too."""
    if number.endswith(HELD):
        return Behaviour("answer", Signal.RINGING, wait=0.2, talk=36_000.0)
    return find_behaviour(number)


def hang_up(asterisk: Simulator, *numbers: str) -> None:
    """End the calls to these numbers, every one of which lasts still."""
    for call in asterisk.calls:
        if call.number in numbers:
            assert asterisk.hang_up(call.channel_id), f"{call.number} has ended by itself"
