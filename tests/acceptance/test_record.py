"""Recording links to a simulated Asterisk: by `dialer record` in a process of its own, and by the
product itself; and what is recorded replays to the CDRs that were delivered."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from ami.simulator import Simulator, SimulatorConfig
from ami.trace import Direction, open_trace, read_note
from dialer.replay.cdrs import compare_fields, write_cdr
from dialer.replay.comparison import compare_cdrs
from dialer.replay.follower import Follower
from tests.acceptance.plant import Plant
from tests.lab.campaign import make_numbers
from tests.lab.product import RunningDialer
from tests.patience import PATIENCE

CALL = (
    "Action: Originate\r\nActionID: a1\r\nChannelId: call-0001\r\nAsync: true\r\n"
    "Channel: PJSIP/5550000@carrier\r\nApplication: Wait\r\nData: 1\r\n\r\n"
)


class Recording:
    """`dialer record` beside a simulated Asterisk. An async context manager."""

    def __init__(self, folder: Path, port: int) -> None:
        self.path = folder / "pbx1.trace"
        self.dialer = RunningDialer(folder)
        self._server = ("servers", "add", "pbx1", "--host", "127.0.0.1", "--port", str(port))
        self.words = ("record", "pbx1", "-o", str(self.path))

    async def start(self) -> None:
        user = ("--username", "dialer", "--secret-env", "DIALER_LAB_SECRET")
        await self.dialer.command(*self._server, *user)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dialer", *self.words),
            cwd=self.dialer.folder,
            env=self.dialer.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await self.hear("connected")

    async def hear(self, words: str) -> None:
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self.process.stderr.readline():
                if words in line.decode():
                    return
        raise AssertionError(f"it ended without a word of '{words}'")

    async def end(self, number: signal.Signals) -> tuple[int | None, str]:
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            out, _ = await self.process.communicate()
        return self.process.returncode, out.decode()

    def read(self, direction: Direction) -> bytes:
        return b"".join(r.data for r in open_trace(self.path) if r.direction is direction)


async def place_call(port: int) -> None:
    """A call of somebody else's, from its Originate to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"Action: Login\r\nUsername: dialer\r\nSecret: dialer-lab\r\n\r\n" + CALL.encode())
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(b"Event: Hangup")
    writer.close()
    await writer.wait_closed()


async def test_it_records_until_a_signal(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        simulator = Simulator(SimulatorConfig(scale=0.01))
        await simulator.start()
        recording = Recording(tmp_path, simulator.port)
        await recording.start()
        await place_call(simulator.port)
        await simulator.stop()
        await recording.hear("no link")
        code, out = await recording.end(signal.SIGINT)
    assert code == 0
    assert out.startswith(f"{recording.path}: ")
    assert "1 connection, " in out
    sent, received = recording.read(Direction.SENT), recording.read(Direction.RECEIVED)
    assert sent.startswith(b"Action: Login\r\n")
    assert b"Secret: ***\r\n" in sent
    assert b"dialer-lab" not in recording.path.read_bytes()
    assert received.startswith(b"Asterisk Call Manager/")
    assert b"Event: OriginateResponse" in received
    notes = [read_note(r) for r in open_trace(recording.path) if r.direction is Direction.NOTE]
    assert notes[0]["server"] == "pbx1"
    assert [note.get("link") for note in notes[1:]] == ["up", "down"]


async def test_killed_it_loses_nothing_and_goes_on_in_the_same_file(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        simulator = Simulator(SimulatorConfig(scale=0.01))
        await simulator.start()
        recording = Recording(tmp_path, simulator.port)
        await recording.start()
        await place_call(simulator.port)
        while b"Event: Hangup" not in recording.read(Direction.RECEIVED):  # noqa: ASYNC110
            await asyncio.sleep(0)  # nobody tells
        assert (await recording.end(signal.SIGKILL))[0] == -signal.SIGKILL
        out = await recording.dialer.command(*recording.words, "--for", "0")
        await simulator.stop()
    assert "0 connections" in out
    trace = open_trace(recording.path)
    assert [note["server"] for r in trace if "server" in (note := read_note(r))] == ["pbx1"] * 2
    assert trace.problems == []


async def replayed_as_delivered(plant: Plant, path: Path) -> list[str]:
    """What the trace tells otherwise than production did."""
    stored = await plant.product.store.cdrs(None, 0, 1000)
    expected = {cdr.channel_id: compare_fields(cdr) for _, cdr in stored}
    follower = Follower()
    calls = [call for record in open_trace(path) for call in follower.feed(record)]
    calls += follower.finish()
    return compare_cdrs(expected, [write_cdr(call) for call in calls])


async def test_the_product_records_itself(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    async with Plant(tmp_path, settings={"record_dir": folder}) as plant:
        key = await plant.add_client()
        await plant.post(key, make_numbers(1, 36, range(12)), item={"call_timeout": 1})
        await plant.until(lambda: len(plant.finals()) == 36)
        await plant.product.stop(0.0)
        await plant.start_product()
        assert await replayed_as_delivered(plant, folder / "pbx1.trace") == []


async def test_a_folder_that_fails_disturbs_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: object, records: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "traces"
    async with Plant(tmp_path, settings={"record_dir": folder}) as plant:
        key = await plant.add_client()
        monkeypatch.setattr("ami.trace.TraceWriter.extend", refuse)
        await plant.post(key, make_numbers(1, 12, range(12)), item={"call_timeout": 1})
        await plant.until(lambda: len(plant.finals()) == 12)
    lines = [line for line in caplog.records if line.getMessage() == "a link is not recorded"]
    assert len(lines) == 1
