"""Logs and databases that know each other: on a real database, with what can go wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dialer.errors import StoreUnavailable
from dialer.store import wire_log
from dialer.store.contract import StoredKey
from dialer.store.sqlite import SqliteStore
from dialer.store.wire_log import WireLog
from dialer.store.wire_marks import kept_marks
from tests import store_records as make


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"), settle_linger=0)
    await store.open()
    await store.add_server(make.SERVER, make.NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    yield store
    await store.close()


async def marks_of(store: SqliteStore) -> set[str]:
    return {name.removeprefix("wire/") for (name,) in await store._fetch(kept_marks())}


async def dial(store: SqliteStore) -> str:
    """The ChannelId of a call that left."""
    added = await store.insert_batch(make.batch(make.item()))
    (item,) = await store.waiting(added.queue_id, 1, 0, 1)
    attempt = make.reservation(item)
    assert await store.reserve(attempt)
    store.note_sent(attempt.channel_id)
    return attempt.channel_id


async def test_a_log_and_its_database_have_the_same_one_mark(store: SqliteStore) -> None:
    await store.claim()
    assert set(store._wire_log.marks) == await marks_of(store)
    assert len(store._wire_log.marks) == 1


async def test_a_full_log_is_written_anew_beside_the_calls(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "COMPACT_AT", 50)
    await store.claim()
    seen = set()
    for _ in range(20):
        await dial(store)
        await store._wire_marks.close()
        seen |= await marks_of(store)
    assert len(seen) > 2
    assert set(store._wire_log.marks) == await marks_of(store)


async def test_a_call_of_which_nobody_told_the_end_is_left_out(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another worker took it over."""
    await store.claim()
    log = store._wire_log
    log.note_sent("another-workers-now")
    monkeypatch.setattr(log, "_full_at", 0)
    live = await dial(store)
    await store._wire_marks.close()
    assert log.sent == {live}


async def test_a_call_that_leaves_again_meanwhile_is_kept(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken back, so the read does not have it, and then dialed under the same name."""
    await store.claim()
    log, marks = store._wire_log, store._wire_marks
    for name in ("left-again", "gone"):
        log.note_sent(name)
    ask = marks._open_attempts

    async def ask_slowly() -> set[str]:
        found = await ask()
        log.note_unsent("left-again")
        log.note_sent("left-again")
        return found

    monkeypatch.setattr(marks, "_open_attempts", ask_slowly)
    marks.renew_soon(log)
    await marks.close()
    assert log.sent == {"left-again"}
    assert "+ left-again" in log._path.read_text(encoding="utf-8").splitlines()


async def test_while_the_database_takes_no_writes_the_log_goes_on(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> "asyncio.Future[None]":
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(StoreUnavailable("locked"))
        return refused

    with monkeypatch.context() as locked:
        locked.setattr(store, "_run", refuse)
        await store.claim()
        assert await marks_of(store) == set()
    live = await dial(store)
    log = store._wire_log
    assert log.is_sent(live)
    store._wire_marks.renew_soon(log)
    await store._wire_marks.close()
    assert set(log.marks) == await marks_of(store)
    assert log.is_sent(live)


async def test_a_log_that_cannot_be_written_anew_goes_on(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: WireLog) -> None:
        raise StoreUnavailable("the disk is full")

    await store.claim()
    log = store._wire_log
    with monkeypatch.context() as full:
        full.setattr(WireLog, "end_renewal", refuse)
        store._wire_marks.renew_soon(log)
        await store._wire_marks.close()
    assert len(log.marks) == 2
    assert set(log.marks) > await marks_of(store)
    live = await dial(store)
    assert log.is_sent(live)
    store._wire_marks.renew_soon(log)
    await store._wire_marks.close()
    assert set(log.marks) == await marks_of(store)
