"""Group commit: what shares a commit, what fails alone, what fails together."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from dialer.errors import Conflict, StoreUnavailable
from dialer.store import session
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.engines import sqlite_url, writing_engine
from dialer.store.group_writes import Kind
from dialer.store.session import Piece
from dialer.store.writer import LARGEST_GROUP, Writer
from tests import store_records as make
from tests.patience import PATIENCE

FOREVER = 3600.0


class Notebook:
    """A file with a table of words, and a writer that writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.groups: list[list[str]] = []
        self.foreign = asyncio.Event()
        self.prompt = Kind(self._insert)
        self.patient = Kind(self._insert, linger=FOREVER)
        engine = writing_engine(sqlite_url(make.url_of(path)))
        self.writer = Writer(engine, (self.prompt, self.patient), self.foreign.set)

    def _insert(self, cursor: Cursor, ops: Sequence[Any], _: Deltas) -> Sequence[Any]:
        self.groups.append(list(ops))
        for word in ops:
            cursor.execute("INSERT INTO words VALUES (?)", (word,))
        return [len(word) for word in ops]

    def words(self) -> list[str]:
        with sqlite3.connect(self.path) as connection:
            found = [word for (word,) in connection.execute("SELECT word FROM words")]
        connection.close()
        return found


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Notebook]:
    book = Notebook(tmp_path / "book.db")
    await book.writer.start()
    await book.writer.run(lambda c: c.execute(text("CREATE TABLE words (word TEXT UNIQUE)")))
    yield book
    await book.writer.stop()


async def test_writes_of_one_turn_share_a_commit(book: Notebook) -> None:
    written = [book.writer.write(book.prompt, word) for word in ("one", "three", "seven")]
    assert await asyncio.gather(*written) == [3, 5, 5]
    assert book.groups == [["one", "three", "seven"]]
    assert book.words() == ["one", "three", "seven"]


async def test_a_patient_write_leaves_with_the_next_prompt_one(book: Notebook) -> None:
    patient = book.writer.write(book.patient, "patient")
    await book.writer.run(lambda connection: None)
    assert await patient == 7
    late = book.writer.write(book.patient, "late")
    await asyncio.sleep(0)
    assert not late.done()
    await book.writer.write(book.prompt, "prompt")
    assert late.done()
    assert book.groups[-2:] == [["prompt"], ["late"]]


async def test_what_gathers_during_a_commit_is_written_in_bounded_groups(book: Notebook) -> None:
    words = [f"word {number}" for number in range(2 * LARGEST_GROUP + 50)]
    await asyncio.gather(*(book.writer.write(book.prompt, word) for word in words))
    assert [len(group) for group in book.groups] == [LARGEST_GROUP, LARGEST_GROUP, 50]
    assert book.words() == words


async def test_a_bad_write_fails_alone(book: Notebook) -> None:
    bad = object()
    writes = [book.writer.write(book.prompt, word) for word in ("a", "a", "b", bad, "c")]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[1], Conflict)
    assert isinstance(results[3], sqlite3.Error)
    assert [results[0], results[2], results[4]] == [1, 1, 1]
    assert book.words() == ["a", "b", "c"]


async def test_an_operation_that_raises_is_undone_alone(book: Notebook) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO words VALUES ('undone')"))
        raise LookupError("on purpose")

    failed = book.writer.run(fail)
    kept = book.writer.run(lambda c: c.execute(text("INSERT INTO words VALUES ('kept')")).rowcount)
    with pytest.raises(LookupError, match="on purpose"):
        await failed
    assert await kept == 1
    assert book.words() == ["kept"]


async def test_long_operations_give_way_to_writes(
    book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RUN_SECONDS", 0.0)
    loop = asyncio.get_running_loop()
    seen: list[tuple[str, int]] = []

    def work(name: str) -> None:
        seen.append((name, len(book.groups)))
        said = threading.Event()

        def say() -> None:
            book.writer.write(book.prompt, f"after {name}")
            said.set()

        loop.call_soon_threadsafe(say)
        assert said.wait(timeout=PATIENCE)

    await asyncio.gather(
        book.writer.run(lambda _: work("first")), book.writer.run(lambda _: work("second"))
    )
    assert seen == [("first", 0), ("second", 1)]
    await book.writer.run(lambda _: None)
    assert book.words() == ["after first", "after second"]


async def test_pieces_of_long_work_come_last_and_nobody_waits_for_their_commit(
    book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RUN_SECONDS", FOREVER)
    seen: list[str] = []

    def insert(word: str) -> Callable[[Connection], None]:
        def run(connection: Connection) -> None:
            seen.append(f"{word} behind {sorted(book.words())}")
            connection.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})

        return run

    operations = (Piece(insert("x")), insert("a"), Piece(insert("y")), insert("b"))
    await asyncio.gather(
        *(book.writer.run(operation) for operation in operations),
        book.writer.write(book.prompt, "written"),
    )
    assert seen == [
        "a behind ['written']",
        "b behind ['written']",
        "x behind ['a', 'b', 'written']",
        "y behind ['a', 'b', 'written', 'x']",
    ]


async def test_what_comes_during_a_piece_goes_before_the_next(book: Notebook) -> None:
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    def work(_: Connection) -> None:
        seen.append("piece")
        said = threading.Event()

        def say() -> None:
            book.writer.run(lambda _: seen.append("other"))
            said.set()

        loop.call_soon_threadsafe(say)
        assert said.wait(timeout=PATIENCE)

    await asyncio.gather(book.writer.run(Piece(work)), book.writer.run(Piece(work)))
    await book.writer.run(lambda _: None)
    assert seen == ["piece", "other", "piece", "other"]


async def test_pieces_get_on_however_much_else_comes(book: Notebook) -> None:
    loop = asyncio.get_running_loop()
    others: list[asyncio.Future[None]] = []
    done = threading.Event()

    def work(_: Connection) -> None:
        if not done.is_set():
            said = threading.Event()

            def say() -> None:
                others.append(book.writer.run(work))
                said.set()

            loop.call_soon_threadsafe(say)
            assert said.wait(timeout=PATIENCE)

    others.append(book.writer.run(work))
    try:
        await asyncio.wait_for(book.writer.run(Piece(lambda _: None)), PATIENCE)
    finally:
        done.set()
    while not all(other.done() for other in others):
        await asyncio.gather(*others)


async def test_a_locked_database_fails_what_waits_and_nothing_later(book: Notebook) -> None:
    await book.writer.run(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(book.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writes = [book.writer.write(book.prompt, word) for word in ("a", "b")]
    run = book.writer.run(lambda c: c.execute(text("INSERT INTO words VALUES ('c')")))
    results = await asyncio.gather(*writes, run, return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    other.execute("ROLLBACK")
    other.close()
    assert await book.writer.write(book.prompt, "later") == 5
    assert book.words() == ["later"]


async def test_a_writer_that_stopped_waiting_harms_nobody(book: Notebook) -> None:
    abandoned = book.writer.write(book.prompt, "abandoned")
    kept = book.writer.write(book.prompt, "kept")
    abandoned.cancel()
    assert await kept == 4
    assert "kept" in book.words()


async def test_looking_notices_only_others(book: Notebook) -> None:
    await book.writer.write(book.prompt, "own")
    book.writer.look()
    await book.writer.run(lambda connection: None)
    assert not book.foreign.is_set()
    with sqlite3.connect(book.path) as other:
        other.execute("INSERT INTO words VALUES ('foreign')")
    other.close()
    book.writer.look()
    async with asyncio.timeout(PATIENCE):
        await book.foreign.wait()


async def test_stopping_writes_what_waits(tmp_path: Path) -> None:
    book = Notebook(tmp_path / "book.db")
    await book.writer.start()
    await book.writer.run(lambda c: c.execute(text("CREATE TABLE words (word TEXT UNIQUE)")))
    waiting = [book.writer.write(book.patient, f"word {n}") for n in range(LARGEST_GROUP + 1)]
    await book.writer.stop()
    assert all(one.done() for one in waiting)
    assert len(book.words()) == LARGEST_GROUP + 1
    with pytest.raises(StoreUnavailable):
        await book.writer.write(book.prompt, "too late")
    await book.writer.stop()


async def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "is a folder.db"
    folder.mkdir()
    writer = Writer(writing_engine(sqlite_url(make.url_of(folder))), (), lambda: None)
    with pytest.raises(StoreUnavailable):
        await writer.start()
