"""A campaign on the lab, recorded while it ran by the worker itself and by `dialer record` beside
it: replayed, each gives what production delivered."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from ami.trace import Anonymizer
from dialer.replay.cdrs import compare_fields, write_cdr
from dialer.replay.comparison import compare_cdrs
from dialer.replay.follower import Follower
from dialer.replay.sessions import open_sessions
from dialer.store import open_store
from tests.lab.campaign import Plan, Tenant, check_campaign, make_numbers, run_campaign
from tests.lab.product import PATIENCE, RunningDialer
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab

CALLS = 96


class Beside:
    """`dialer record` of pbx1, with a database of its own. An async context manager."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "pbx1.trace"
        self._dialer = RunningDialer(folder)
        self._pbx = lab.pbx1

    async def __aenter__(self) -> "Beside":
        await self._dialer.command(
            *("servers", "add", "pbx1", "--host", self._pbx.host, "--port", str(self._pbx.port)),
            *("--username", self._pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
        )
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dialer", "record", "pbx1", "-o", str(self.path)),
            cwd=self._dialer.folder,
            env=self._dialer.environment,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"connected" not in (line := await self.process.stderr.readline()):
                assert line, "it has ended"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await self.process.communicate()


async def read_delivered(folder: Path) -> dict[str, dict[str, Any]]:
    """What the product wrote of the calls, by ChannelId."""
    store = open_store(f"sqlite+aiosqlite:///{folder}/dialer.db")
    await store.open()
    try:
        rows = await store.cdrs(None, 0, 10 * CALLS)
    finally:
        await store.close()
    return {cdr.channel_id: compare_fields(cdr) for _, cdr in rows}


def replay(path: Path, ours: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The CDRs of our calls in a trace; others may have used the lab meanwhile."""
    (session,) = open_sessions([path])
    follower = Follower()
    calls = [call for record in session for call in follower.feed(record)]
    calls += follower.finish()
    assert session.problems == []
    return [write_cdr(call) for call in calls if call.channel_id in ours and call.report]


async def test_what_was_recorded_replays_to_what_was_delivered(lab: Lab, tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    worker.mkdir()
    (worker / ".env").write_text("DIALER_RECORD_DIR=traces\n")
    numbers = make_numbers(47, CALLS, range(12))
    plan = Plan([Tenant("traced", 40, numbers, data="1")], cap=40, retry_count=1, retry_gap=1)
    async with Beside(lab, tmp_path / "beside") as beside:
        outcome = await run_campaign(lab, worker, plan, patience=120)
    assert check_campaign(outcome) == []
    delivered = await read_delivered(worker)
    assert len(delivered) == len(outcome.callbacks) > CALLS
    own = replay(worker / "traces" / "pbx1.trace", delivered)
    assert compare_cdrs(delivered, own) == []
    assert compare_cdrs(delivered, replay(beside.path, delivered)) == []
    check_anonymous(beside.path, delivered)


def check_anonymous(path: Path, delivered: dict[str, dict[str, Any]]) -> None:
    """Without the originals a trace tells the same of the calls."""
    anonymizer = Anonymizer(b"a key of a test")
    replace = anonymizer.replace_text
    (session,) = open_sessions([path])
    records = list(anonymizer.rewrite(session))
    said = b"".join(record.data for record in records)
    originals = {cdr["number"] for cdr in delivered.values()} | delivered.keys()
    originals |= {"traced", "carrier", "5551000", "127.0.0.1"}
    assert [text for text in originals if text.encode() in said] == []
    follower = Follower()
    calls = [call for record in records for call in follower.feed(record)]
    calls += follower.finish()
    made = {call.channel_id: write_cdr(call) for call in calls if call.report}
    for channel_id, cdr in delivered.items():
        new = made[replace(channel_id)]
        for name, value in cdr.items():
            assert new[name] == value or new[name] == replace(str(value)) or name == "caller_id"
