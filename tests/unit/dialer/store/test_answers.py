"""Answers gather for a moment, and are written together; none of a call that has ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dialer.errors import StoreUnavailable
from dialer.store import answers, attempts, reading
from dialer.store import postgres as postgres_module
from dialer.store.answers import Answer, Answers, note_answers
from dialer.store.contract import StoredKey
from dialer.store.postgres import PostgresStore
from dialer.store.rows import to_micros
from dialer.store.session import Future, Work
from tests import store_records as make
from tests.postgres_server import PostgresServer

NOW = make.NOW


class Desk:
    """Who tells when calls were answered, and writes."""

    def __init__(self) -> None:
        self.talking = {"one": 1.5, "two": 2.5, "three": 3.5}
        self.written: asyncio.Queue[tuple[list[Answer], Future]] = asyncio.Queue()
        self.answers = Answers(self.talking.get, self._write)

    def _write(self, found: Sequence[Answer]) -> Future:
        future: Future = asyncio.get_running_loop().create_future()
        self.written.put_nowait((sorted(found), future))
        return future

    async def next(self) -> tuple[list[Answer], Future]:
        return await asyncio.wait_for(self.written.get(), 10)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "NOTE_EVERY", 0.001)


async def test_what_gathers_is_written_together_but_for_what_has_ended() -> None:
    desk = Desk()
    for name in ("one", "two", "three", "two"):
        desk.answers.note(name)
    del desk.talking["three"]
    found, future = await desk.next()
    assert found == [("one", 1.5), ("two", 2.5)]
    future.set_result(None)
    desk.talking.clear()
    desk.answers.note("one")
    desk.answers.flush()
    assert desk.written.empty()


async def test_what_could_not_be_written_is_written_later() -> None:
    desk = Desk()
    desk.answers.note("one")
    _, future = await desk.next()
    future.set_exception(StoreUnavailable("full"))
    found, _ = await desk.next()
    assert found == [("one", 1.5)]


async def test_closing_writes_what_has_gathered_and_takes_no_more() -> None:
    desk = Desk()
    desk.answers.note("one")
    desk.answers.close()
    found, future = desk.written.get_nowait()
    assert found == [("one", 1.5)]
    future.set_exception(StoreUnavailable("closed"))
    await asyncio.sleep(0)
    assert desk.answers._timer is None


@asynccontextmanager
async def filled(store: PostgresStore) -> AsyncIterator[PostgresStore]:
    await store.open()
    await store.add_server(make.SERVER, NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), NOW)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[PostgresStore]:
    async with filled(PostgresStore(postgres.make_database(), tmp_path / "a", 0, 0)) as store:
        yield store


async def test_the_next_owner_on_another_machine_knows_what_was_answered(
    store: PostgresStore, tmp_path: Path
) -> None:
    await store.claim()
    added = await store.insert_batch(make.batch(*[make.item() for _ in range(4)]))
    made = [make.reservation(item) for item in await store.waiting(added.queue_id, 1, 0, 10)]
    assert all(await asyncio.gather(*map(store.reserve, made)))
    ended, one, two, silent = made
    await store.settle(make.settlement(ended))
    store.note_sent(silent.channel_id)
    for number, attempt in enumerate((one, two), 1):
        store.note_sent(attempt.channel_id)
        store.note_answered(attempt.channel_id, NOW + number)
    store._answers.flush()
    await store._write(store._noting, [(ended.channel_id, NOW)])
    other = PostgresStore(str(store._url), tmp_path / "b")
    await other.open()
    await other.claim()
    assert [found.answered_at for found in await other.open_attempts()] == [
        NOW + 1,
        NOW + 2,
        None,
    ]
    assert not any(found.unsent for found in await other.open_attempts())
    await other.close()


async def test_an_answer_goes_to_the_disk_with_what_else_is_written(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "NOTE_LINGER", 600.0)
    async with filled(PostgresStore(postgres.make_database(), tmp_path, 0, 0)) as store:
        await store.claim()
        added = await store.insert_batch(make.batch(make.item(), make.item()))
        items = await store.waiting(added.queue_id, 1, 0, 10)
        one, two = map(make.reservation, items)
        assert await store.reserve(one)
        store.note_sent(one.channel_id)
        handed, put = [], store._writer._put

        def watch(work: Work) -> None:
            handed.append({kind.execute for kind, _ in work.groups})
            put(work)

        monkeypatch.setattr(store._writer, "_put", watch)
        store.note_answered(one.channel_id, NOW)
        store._answers.flush()
        for _ in range(10):  # turns in which it would have gone alone
            await asyncio.sleep(0)
        assert handed == []
        assert await store.reserve(two)
        assert handed == [{attempts.reserve, note_answers}]
        told = {raw[0]: raw[3] for raw in await store._fetch(reading.open_under())}
        assert told[one.channel_id] == to_micros(NOW)


async def test_an_attempt_that_is_being_ended_is_not_waited_for(
    store: PostgresStore, postgres: PostgresServer
) -> None:
    """Whoever ends it (another worker, perhaps slowly) does not hold up what else is written."""
    added = await store.insert_batch(make.batch(make.item(), make.item()))
    made = [make.reservation(item) for item in await store.waiting(added.queue_id, 1, 0, 10)]
    assert all(await asyncio.gather(*map(store.reserve, made)))
    found = [(attempt.channel_id, NOW) for attempt in made]
    async with store._writer._singles._engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN")
        await connection.exec_driver_sql("SELECT FROM attempts WHERE id = 1 FOR UPDATE")
        await asyncio.wait_for(store._write(store._noting, found), 10)
        await connection.exec_driver_sql("ROLLBACK")
    assert [opened.answered_at for opened in await store.open_attempts()] == [None, NOW]
