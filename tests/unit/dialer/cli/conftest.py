"""A database of its own for the command line, and a way to call it as a user does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dialer.cli import main
from dialer.store import open_store
from dialer.store.contract import Store
from tests import store_records as make

R = TypeVar("R")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """Calls `dialer …`; looks into the database behind its back."""

    url: str
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Answer:
        self.capture.readouterr()
        code = main(words)
        printed = self.capture.readouterr()
        return Answer(code, printed.out, printed.err)

    def store(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            store = open_store(self.url)
            await store.open()
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def refuses(self, *words: str, saying: str) -> None:
        """Exit 2 and one plain sentence on stderr."""
        answer = self(*words)
        assert (answer.code, answer.out) == (2, ""), answer
        assert saying in answer.err
        assert "Traceback" not in answer.err
        assert answer.err.count("\n") == 1


@pytest.fixture
def dialer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    url = make.make_store_file(tmp_path / "dialer.db")
    monkeypatch.setenv("DIALER_DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return Terminal(url, capsys)


@pytest.fixture
def wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is an hour ahead, the database's is not."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600.0)


ADD_SERVER = (
    "servers", "add", "pbx1", "--host", "10.0.0.5", "--port", "5039", "--username", "dialer",
    "--secret-env", "PBX1_SECRET",
)  # fmt: skip
ADD_CLIENT = ("clients", "add", "Acme Ltd", "--accountcode", "acme", "--channels", "7")
