"""A dialer that is stopped while calls are live takes them over at its next start."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from dialer.sinks import CallbackSink
from tests.lab.campaign import make_numbers
from tests.lab.carrier_log import read_calls
from tests.lab.product import RunningDialer
from tests.lab.running_lab import Lab
from tests.patience import PATIENCE

pytestmark = pytest.mark.lab

TALK = 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_live_calls_are_followed_to_their_end_by_the_next_life(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    since = time.time()
    numbers = make_numbers(8, 6, [7])
    changed = asyncio.Event()
    async with CallbackSink() as sink:
        sink.watch(changed.set)
        dialer = RunningDialer(tmp_path, {"DIALER_DRAIN_TIMEOUT": "1"})
        await dialer.start()
        await _load(dialer, lab, sink, numbers)
        await _until_answered(lab, since, 4)
        status = await dialer.stop(number)
        assert status == (0 if number is signal.SIGTERM else -signal.SIGKILL)
        assert sink.bodies == {}
        async with dialer, asyncio.timeout(PATIENCE):
            while len(sink.bodies) < len(numbers):
                changed.clear()
                await changed.wait()
    said = [(b["disposition"], b["final"], b["attempt"]) for b in sink.bodies.values()]
    assert said == [("answered", True, 1)] * len(numbers)
    talked = [body["duration"] for body in sink.bodies.values()]
    assert all(TALK - 1 <= seconds <= TALK + 2 for seconds in talked)
    rang = Counter(call.number for call in read_calls(lab.carrier_log, since))
    assert {n: rang[n] for n in numbers} == dict.fromkeys(numbers, 1)


async def _load(dialer: RunningDialer, lab: Lab, sink: CallbackSink, numbers: list[str]) -> None:
    """One client with four channels, and calls that talk for TALK seconds."""
    pbx = lab.pbx1
    await dialer.command(
        *("servers", "add", "pbx1", "--host", pbx.host, "--port", str(pbx.port)),
        *("--username", pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
    )
    out = await dialer.command(
        *("clients", "add", "restart", "--accountcode", "restart", "--channels", "4"),
        *("--callback", sink.origin),
    )
    key = next(word for word in out.split() if word.startswith("dk_"))
    items = [
        {
            "asterisk_server_code": "pbx1",
            "action": {
                "Action": "Originate",
                "Channel": f"PJSIP/{number}@carrier",
                "Application": "Wait",
                "Data": str(TALK),
            },
        }
        for number in numbers
    ]
    async with dialer.http(key) as http:
        answer = await http.post(
            "/queues/insertdataincallqueue/", json={"batch_id": 1, "data": items}
        )
    assert answer.status_code == 200, answer.text


async def _until_answered(lab: Lab, since: float, count: int) -> None:
    """The carrier's log is a file: it can only be read again."""
    async with asyncio.timeout(PATIENCE):
        while sum(c.did == "answer" for c in read_calls(lab.carrier_log, since)) < count:
            await asyncio.to_thread(read_calls, lab.carrier_log, since)
