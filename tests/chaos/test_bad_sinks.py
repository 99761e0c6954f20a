"""A gate does what its mood says, and what comes through it reaches the sink."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chaos.faults.bad_sinks import Gate, Mood
from dialer.sinks import CallbackSink
from tests.patience import PATIENCE

pytestmark = pytest.mark.io

BODY = {"cdr_id": "cdr-1", "call_id": "call-1"}


class Door:
    """A sink and the gate before it."""

    def __init__(self, sink: CallbackSink) -> None:
        self.sink = sink
        self.gate = Gate(int(sink.origin.rpartition(":")[2]))

    async def knock(self, answer_within: float = PATIENCE) -> Any:
        timeout = httpx.Timeout(PATIENCE, read=answer_within)
        async with httpx.AsyncClient(timeout=timeout) as http:
            return (await http.post(f"{self.gate.origin}/cdr", json=BODY)).status_code


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with CallbackSink() as sink:
        door = Door(sink)
        await door.gate.start()
        yield door
        await door.gate.stop()


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        (Mood.REFUSING, httpx.ConnectError),
        (Mood.HANGING, httpx.ReadTimeout),
        (Mood.RESETTING, httpx.ReadError),
        (Mood.LOSING, httpx.RemoteProtocolError),
    ],
)
async def test_a_bad_mood_gives_no_answer(door: Door, mood: Mood, error: type[Exception]) -> None:
    await door.gate.turn(mood)
    answer_within = 0.3 if mood is Mood.HANGING else PATIENCE
    with pytest.raises(error):
        await door.knock(answer_within)
    assert list(door.sink.bodies) == (["cdr-1"] if mood is Mood.LOSING else [])


async def test_a_failing_gate_answers_500_and_a_well_one_passes_on(door: Door) -> None:
    assert await door.knock() == 200
    await door.gate.turn(Mood.FAILING)
    assert await door.knock() == 500
    await door.gate.turn(Mood.WELL)
    assert await door.knock() == 200
    assert door.sink.duplicates["cdr-1"] == 1
    assert door.gate.seen == 3
