"""What a transaction holds, and in which order."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from dialer.histories import CdrQuery
from dialer.states import CallbackEvent
from dialer.store import attempts
from dialer.store.contract import Candidate, StoredKey, Telling, Withdrawal
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor
from dialer.store.group_writes import Kind
from dialer.store.postgres import PostgresStore
from dialer.store.row_locks import add_places, find_locks, find_settled, hold_name, hold_queues
from tests import store_records as make
from tests.postgres_server import PostgresServer


def candidate(client_id: int, queue_id: int, server_id: int) -> Candidate:
    return Candidate(
        1, client_id, queue_id, server_id, False, "call", "98", None, {}, 0, 0, 0, None, None,
        None, 1, make.NOW,
    )  # fmt: skip


def test_servers_then_clients_then_queues_each_by_id() -> None:
    first = make.reservation(candidate(client_id=5, queue_id=9, server_id=2))
    second = make.reservation(candidate(client_id=4, queue_id=3, server_id=2))
    others = (
        make.settlement(first),
        Withdrawal("w", make.NOW, 0),
        Telling("t", CallbackEvent.STARTED, make.delivery(), make.NOW, 0),
    )
    locks, channel_ids = find_locks([first, second, *others, object()])
    assert channel_ids == [first.channel_id, "w", "t"]
    add_places(locks, [(7, 1), (2, 3)])
    assert locks.say() == (
        ";SELECT 1 FROM servers WHERE id IN (2,7) ORDER BY id FOR SHARE"
        ";SELECT 1 FROM clients WHERE id IN (4,5) ORDER BY id FOR SHARE"
        ";SELECT 1 FROM queues WHERE id IN (1,3,9) ORDER BY id FOR NO KEY UPDATE"
    )
    assert find_locks([])[0].say() == ""


def test_one_writer_needs_none(connection: Connection) -> None:
    """SQLite would not understand them."""
    hold_queues(connection, [1, 2])
    hold_name(connection, "batch", 1, 2)


@pytest.mark.parametrize(
    ("last", "held", "settled"),
    [
        (7, [], 7),
        (7, [5, 3, 7], 3),
        (7, [9], 7),  # taken after the newest was read
        (2**31 + 1, [2**31 - 2], 2**31 - 2),
        (2**40 + 5, [2], 2**40 + 2),
        (2**31 - 1, [0], 2**31 - 1),  # ahead, where the lowest 31 bits begin anew
    ],
)
def test_up_to_which_id_no_record_comes_any_more(last: int, held: list[int], settled: int) -> None:
    assert find_settled(last, held) == settled


async def test_who_follows_all_clients_misses_no_record_that_is_committed_late(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """One client's record has a smaller id than another one's, and is committed behind it."""
    url = postgres.make_database()
    slow, quick = PostgresStore(url, tmp_path, 0, 0), PostgresStore(url, tmp_path, 0, 0)
    await slow.open()
    await quick.open()
    await slow.add_server(make.SERVER, make.NOW)
    made = []
    for number in (1, 2):
        client = replace(make.CLIENT, accountcode=f"a{number}", username=f"a{number}")
        await slow.add_client(client, StoredKey(f"key-{number}", "digest"), make.NOW)
        added = await slow.insert_batch(make.batch(make.item(), client_id=number))
        (item,) = await slow.waiting(added.queue_id, 1, 0, 10)
        made.append(make.reservation(item))
        assert await slow.reserve(made[-1])
    written, go = asyncio.Event(), asyncio.Event()

    def settle_slowly(cursor: Cursor, ops: Sequence[Any], deltas: Deltas) -> Sequence[Any]:
        outcomes = attempts.settle(cursor, ops, deltas)
        written.set()
        await_only(go.wait())
        return outcomes

    kind = Kind(settle_slowly)
    slow._writer._waiting[kind] = deque()
    late = slow._writer.write(kind, make.settlement(made[0]))
    async with asyncio.timeout(20):
        await written.wait()
        await quick.settle(make.settlement(made[1]))
        assert [id_ for id_, _ in await quick.cdrs(2, 0, 10)] == [2]
        assert await quick.cdrs(None, 0, 10) == ()
        assert [rows async for rows in quick.cdr_stream(CdrQuery(None))] == []
        go.set()
        await late
    assert [id_ for id_, _ in await quick.cdrs(None, 0, 10)] == [1, 2]
    ((one, two),) = [rows async for rows in quick.cdr_stream(CdrQuery(None))]
    assert (one.id, two.id) == (1, 2)
    await slow.close()
    await quick.close()
