"""The thread's side by itself; with the loop's side it is tested as one (test_writer)."""

import asyncio
import queue
from collections.abc import Sequence
from pathlib import Path

import pytest

from dialer.errors import StoreUnavailable
from dialer.store.engines import sqlite_url, writing_engine
from dialer.store.session import Outcome, Session, Work
from tests import store_records as make


async def test_a_session_that_cannot_open_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    engine = writing_engine(sqlite_url(make.url_of(tmp_path / "folder.db")))
    inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()
    told: list[Outcome] = []

    def report(outcomes: Sequence[Outcome], rest: Work | None, foreign: bool) -> None:
        told.extend(outcomes)

    opened = loop.create_future()
    await asyncio.to_thread(Session(engine, inbox, loop, report).main, opened)
    await asyncio.sleep(0)
    ((future, failure),) = told
    assert future is opened
    with pytest.raises(StoreUnavailable):
        raise failure
