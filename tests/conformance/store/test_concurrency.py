"""Several processes write at once: each write is wholly before another one or wholly behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dialer.errors import Conflict, DuplicateCdr, OwnershipLost
from dialer.states import ItemStatus
from dialer.store.contract import (
    Candidate,
    DeliveryOutcome,
    ForeignCdr,
    IdempotentAnswer,
    KeptAnswer,
    Reservation,
    Store,
)
from tests import store_records as make
from tests.conformance.store.conftest import Stored
from tests.patience import PATIENCE

NOW = make.NOW
COUNT = 60


@pytest.fixture
async def other(stored: Stored) -> AsyncIterator[Store]:
    """Another process' store."""
    store = stored.reopen()
    await store.open()
    yield store
    await store.close()


async def load(stored: Stored, count: int = COUNT) -> tuple[Candidate, ...]:
    added = await stored.add(*[make.item() for _ in range(count)])
    return await stored.waiting(added.queue_id, count)


async def reserve_all(
    store: Store, items: Sequence[Candidate], fence: int = 0
) -> list[Reservation]:
    """One after another, some at a time; those that were granted."""
    granted: list[Reservation] = []

    async def reserve(item: Candidate) -> None:
        attempt = make.reservation(item, fence=fence)
        try:
            if await store.reserve(attempt):
                granted.append(attempt)
        except OwnershipLost:
            pass

    for start in range(0, len(items), 5):
        await asyncio.gather(*map(reserve, items[start : start + 5]))
    return granted


async def check_counts(store: Store, queue_id: int) -> dict[ItemStatus, int]:
    """A queue's counts, which are those of its items."""
    queue = await store.queue(queue_id, None)
    rows = (await store.items(queue_id, 0, 1000)).rows
    counts = {status: sum(row.status is status for row in rows) for status in ItemStatus}
    assert counts == {status: getattr(queue, f"{status}_count") for status in ItemStatus}
    return counts


async def test_each_item_is_granted_once(stored: Stored, other: Store) -> None:
    items = await load(stored)
    both = await asyncio.gather(reserve_all(stored.store, items), reserve_all(other, items[::-1]))
    ids = [attempt.item_id for granted in both for attempt in granted]
    assert sorted(ids) == [item.id for item in items]
    assert (await check_counts(other, items[0].queue_id))[ItemStatus.QUEUED] == COUNT


async def test_the_new_owner_sees_everything_that_the_old_one_was_granted(
    stored: Stored, other: Store
) -> None:
    old = (await stored.store.own([stored.server.id]))[stored.server.id]
    items = await load(stored)

    async def take_over() -> set[str]:
        await other.own([stored.server.id])
        return {attempt.channel_id for attempt in await other.open_attempts()}

    granted, seen = await asyncio.gather(reserve_all(stored.store, items, old), take_over())
    assert {attempt.channel_id for attempt in granted} == seen


async def stop_by_flush(stored: Stored, store: Store, queue_id: int) -> object:
    return await store.flush(stored.client.id, make.close, NOW)


async def stop_by_queue(stored: Stored, store: Store, queue_id: int) -> object:
    return await store.change_queue(queue_id, {"paused": True}, make.close, NOW)


async def stop_by_client(stored: Stored, store: Store, queue_id: int) -> object:
    return await store.change_client(stored.client.accountcode, {"paused": True}, NOW)


async def stop_by_server(stored: Stored, store: Store, queue_id: int) -> object:
    return await store.change_server(stored.server.code, {"paused": True}, NOW)


async def stop_by_key(stored: Stored, store: Store, queue_id: int) -> object:
    return await store.replace_key(stored.client.id, None, NOW)


Stop = Callable[[Stored, Store, int], Awaitable[object]]


@pytest.mark.parametrize(
    "stop", [stop_by_flush, stop_by_queue, stop_by_client, stop_by_server, stop_by_key]
)
async def test_nothing_is_granted_behind_what_forbids_it(
    stored: Stored, other: Store, stop: Stop
) -> None:
    items = await load(stored)
    queue_id = items[0].queue_id

    async def forbid() -> int:
        await stop(stored, other, queue_id)
        return len(await other.open_attempts())

    granted, open_then = await asyncio.gather(reserve_all(stored.store, items), forbid())
    assert len(granted) == open_then
    assert (await check_counts(other, queue_id))[ItemStatus.QUEUED] == open_then


async def test_expiries_and_reservations_share_the_items(stored: Stored, other: Store) -> None:
    added = await stored.add(*[make.item(deadline=NOW + 5) for _ in range(COUNT)])
    items = await stored.waiting(added.queue_id, COUNT)

    async def expire() -> int:
        return sum([await other.expire_items(NOW + 5, 7, make.close) for _ in range(12)])

    granted, ended = await asyncio.gather(reserve_all(stored.store, items), expire())
    assert len(granted) + ended == COUNT
    counts = await check_counts(stored.store, added.queue_id)
    assert counts[ItemStatus.TERMINATED] == ended
    assert (await stored.store.totals()).deliveries.get("callback/pending", 0) == ended


async def test_calls_of_one_queue_end_in_several_processes(stored: Stored, other: Store) -> None:
    items = await load(stored)
    halves = await asyncio.gather(
        reserve_all(stored.store, items[::2]), reserve_all(other, items[1::2])
    )

    async def settle(store: Store, attempts: list[Reservation]) -> None:
        for start in range(0, len(attempts), 5):
            await asyncio.gather(
                *(
                    store.settle(make.settlement(one, deliveries=(make.delivery(),)))
                    for one in attempts[start : start + 5]
                )
            )

    await asyncio.gather(settle(stored.store, halves[0]), settle(other, halves[1]))
    assert (await check_counts(other, items[0].queue_id))[ItemStatus.PROCESSED] == COUNT
    totals = await other.totals()
    assert (totals.dispositions, totals.deliveries) == (
        {"answered": COUNT},
        {"callback/pending": COUNT},
    )
    ids = [id_ for id_, _ in await stored.store.cdrs(stored.client.id, 0, 1000)]
    assert len(ids) == COUNT


async def test_one_batch_that_two_processes_were_given_is_stored_once(
    stored: Stored, other: Store
) -> None:
    batch = make.batch(*[make.item() for _ in range(10)])
    both = await asyncio.gather(stored.store.insert_batch(batch), other.insert_batch(batch))
    assert sorted(answer.replayed for answer in both) == [False, True]
    assert both[0].queue_id == both[1].queue_id
    assert (await stored.store.totals()).items[ItemStatus.PENDING] == 10


async def test_first_quick_calls_at_once_make_one_queue(stored: Stored, other: Store) -> None:
    client_id = stored.client.id
    both = await asyncio.gather(
        *(store.insert_quick_call(client_id, make.item(), NOW) for store in (stored.store, other))
    )
    assert len(set(both)) == 1
    assert (await check_counts(other, both[0]))[ItemStatus.PENDING] == 2


async def test_one_request_that_two_processes_were_given_is_done_once(
    stored: Stored, other: Store
) -> None:
    def keep(queue_id: int) -> KeptAnswer:
        return KeptAnswer(stored.client.id, "key", IdempotentAnswer("digest", 200, "{}", NOW))

    both: list[Any] = await asyncio.gather(
        *(
            store.insert_quick_call(stored.client.id, make.item(), NOW, keep)
            for store in (stored.store, other)
        ),
        return_exceptions=True,
    )
    assert sorted(isinstance(answer, Conflict) for answer in both) == [False, True]
    assert (await stored.store.totals()).items[ItemStatus.PENDING] == 1


async def test_who_reads_by_id_misses_nothing_that_comes_in_meanwhile(
    stored: Stored, other: Store
) -> None:
    first = await stored.add(make.item())
    seen: list[int] = []

    async def ingest(store: Store) -> None:
        for _ in range(8):
            await store.insert_batch(
                make.batch(*[make.item() for _ in range(5)], queue_id=first.queue_id)
            )

    async def follow() -> None:
        while len(seen) < 81:
            found = await stored.store.waiting(
                first.queue_id, stored.server.id, seen[-1] if seen else 0, 100
            )
            seen.extend(item.id for item in found)

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(ingest(stored.store), ingest(other), follow())
    assert len(set(seen)) == 81


async def test_outcomes_of_one_delivery_count_once(stored: Stored, other: Store) -> None:
    attempt = await stored.dial_one()
    rows = tuple(make.delivery(str(number)) for number in range(10))
    deliveries = await stored.store.settle(make.settlement(attempt, deliveries=rows))
    results = await asyncio.gather(
        *(
            store.record_delivery(DeliveryOutcome(d.id, True, False, None, 200, None, NOW + 1))
            for d in deliveries
            for store in (stored.store, other)
        )
    )
    assert sorted(results) == [False] * 10 + [True] * 10
    assert (await other.totals()).deliveries == {"callback/delivered": 10}


async def test_a_foreign_cdr_that_two_processes_were_given_is_stored_once(
    stored: Stored, other: Store
) -> None:
    cdr = ForeignCdr(stored.client.id, "uuid-1", "ours-1", None, {"a": 1}, NOW)
    both = await asyncio.gather(
        stored.store.add_foreign_cdr(cdr, None),
        other.add_foreign_cdr(replace(cdr, cdr_id="ours-2"), None),
        return_exceptions=True,
    )
    assert sorted(isinstance(answer, DuplicateCdr) for answer in both) == [False, True]
