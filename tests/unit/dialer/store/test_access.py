"""What is kept together with a write is kept or lost with it."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from dialer.errors import Conflict
from dialer.store import tables as t
from dialer.store.contract import IdempotentAnswer, KeptAnswer
from dialer.store.sqlite import SqliteStore
from tests import store_records as make


async def test_an_answer_is_kept_in_the_transaction_of_what_it_answers(tmp_path: Path) -> None:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()

    def count(connection: Connection) -> int:
        values = {"name": f"n{connection.scalar(_counted)}", "value": 1}
        connection.execute(t.tallies.insert().values(values))
        return int(connection.scalar(_counted) or 0)

    def keep(result: int) -> KeptAnswer:
        return KeptAnswer(0, "key", IdempotentAnswer(f"digest {result}", 200, "{}", make.NOW))

    assert await store._run_kept(count, keep) == 1
    with pytest.raises(Conflict):  # another digest under the same key: the row goes, too
        await store._run_kept(count, keep)
    assert await store._fetch_number(_counted) == 1
    kept = await store.idempotent_answer(0, "key")
    assert kept is not None
    assert kept.digest == "digest 1"
    await store.close()


async def test_a_number_that_is_not_there_is_none(tmp_path: Path) -> None:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()
    assert await store._fetch_number(select(func.max(t.tallies.c.value))) is None
    assert await store._fetch_number(select(t.tallies.c.value)) is None
    await store.close()


_counted = select(func.count()).select_from(t.tallies)
