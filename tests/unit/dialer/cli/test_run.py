"""`dialer run` as a process: ready, signals, and plain sentences for what can not work."""

import asyncio
import signal
import socket
from pathlib import Path

import httpx
import pytest

from dialer.cli import main
from tests.lab.product import RunningDialer


async def test_it_says_when_it_is_ready_and_ends_at_a_signal(tmp_path: Path) -> None:
    async with RunningDialer(tmp_path) as dialer:
        async with httpx.AsyncClient() as http:
            root = dialer.url.removesuffix("/calling/api")
            answers = await asyncio.gather(http.get(f"{root}/healthz"), http.get(f"{root}/readyz"))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert await dialer.stop(signal.SIGTERM) == 0
    log = (tmp_path / "dialer.log").read_text()
    assert "stopping" in log
    assert "Traceback" not in log


def test_a_port_that_is_taken_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("DIALER_HTTP_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("DIALER_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/d.db")
        assert main(["run"]) == 2
    assert "cannot listen on 127.0.0.1" in capsys.readouterr().err


async def test_a_second_dialer_on_the_same_database_is_refused(tmp_path: Path) -> None:
    async with RunningDialer(tmp_path) as dialer:
        with pytest.raises(AssertionError, match="another dialer is running on this database"):
            await dialer.command("run")
        assert "worker running" in await dialer.command("status")
    async with RunningDialer(tmp_path) as dialer:
        await dialer.stop()
        assert "no worker running" in await dialer.command("status")
