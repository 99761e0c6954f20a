"""What a campaign started ends with it, whatever signal tells it to end."""

import asyncio
import os
import signal

import pytest

from chaos.signals import HEEDED, heed_signals
from tests.patience import PATIENCE


@pytest.mark.parametrize("number", [signal.SIGINT, *HEEDED])
def test_a_signal_ends_what_was_started_and_then_the_process(number: signal.Signals) -> None:
    left: list[str] = []

    async def run() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().run_in_executor(None, left.append, "a process")

    before = [signal.getsignal(each) for each in (signal.SIGINT, *HEEDED)]
    with pytest.raises(SystemExit) as exit_, heed_signals():
        asyncio.run(run())
    assert (left, exit_.value.code) == (["a process"], 128 + number)
    assert [signal.getsignal(each) for each in (signal.SIGINT, *HEEDED)] == before


def test_who_ignores_ctrl_c_can_be_told_to_end() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit), heed_signals():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
