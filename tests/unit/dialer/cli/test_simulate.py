"""`dialer simulate`: it serves until it is interrupted, and says what is wrong in a sentence."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from ami.simulator import Simulator
from dialer.cli import main
from dialer.cli.simulate import open_courses, show_calls
from tests.patience import PATIENCE
from tests.unit.dialer.replay.golden import TRACES


async def simulate(*words: str) -> tuple[asyncio.subprocess.Process, int]:
    """The command, and the port on which it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dialer", "simulate", "--port", "0", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while line := (await process.stdout.readline()).decode():
            if line.startswith("simulated Asterisk on "):
                return process, int(line.partition(",")[0].rpartition(":")[2])
    raise AssertionError((await process.communicate())[1].decode())


async def end(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    return process.returncode, out.decode()


async def log_in(port: int, user: str, secret: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        await reader.readline()
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


async def test_a_scenario_is_served_until_it_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[[numbers]]\nmatch = '*'\noutcomes = [{ does = 'busy' }]")
    process, port = await simulate("--scenario", str(file), "--user", "qa", "--secret", "toy")
    assert b"Authentication accepted" in await log_in(port, "qa", "toy")
    assert await end(process) == (0, "0 originates, at most 0 calls at a time\n")


async def test_a_trace_is_served() -> None:
    process, port = await simulate("--trace", str(TRACES / "busy.trace"), "--speed", "max")
    assert b"Authentication failed" in await log_in(port, "dialer", "wrong")
    assert (await end(process))[0] == 0


def test_what_is_played_of_traces(capsys: pytest.CaptureFixture[str]) -> None:
    courses = open_courses([TRACES / f"{name}.trace" for name in ("dial", "restart_killed")])
    printed = capsys.readouterr()
    assert (len(courses), printed.out) == (1, "1 recorded call\n")
    assert printed.err == "not played, there in part or ended by a restart: 2 calls\n"


def test_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_calls(Simulator())
    assert capsys.readouterr().out == "0 originates, at most 0 calls at a time\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give either --scenario FILE or --trace FILE"),
        (["--scenario", "a", "--trace", "b"], "give either --scenario FILE or --trace FILE"),
        (["--scenario", "none.toml"], "none.toml cannot be read: No such file or directory"),
        (["--trace", "none.trace"], "none.trace cannot be"),
        (["--trace", str(TRACES / "README.md")], "holds no AMI"),
        (["--trace", str(TRACES / "restart_killed.trace")], "no call in there that can be played"),
        (["--trace", str(TRACES / "busy.trace"), "--speed", "0"], "--speed: '0'"),
        (["--scenario", "none.toml", "--speed", "10"], "--speed is of a trace"),
        (["--port", "66000"], "'--port'"),
    ],
)
def test_what_is_wrong(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = str(TRACES / "busy.trace")
        assert main(["simulate", "--trace", busy, "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1:{port}: " in capsys.readouterr().err
