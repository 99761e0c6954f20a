"""Flushing: everything of a client's that waits ends, and nothing else."""

import asyncio
from dataclasses import replace

import pytest

from dialer.errors import NotFound
from dialer.states import QueueStatus
from dialer.store.contract import EndedItem, NewDelivery, StoredKey
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW, LATER = make.NOW, make.NOW + 60


async def test_what_waits_ends_in_all_queues_and_live_calls_stay(stored: Stored) -> None:
    one = await stored.add(make.item(), make.item(), make.item(due_at=NOW + 900))
    two = await stored.add(make.item())
    quick = await stored.store.insert_quick_call(stored.client.id, make.item(), NOW)
    live, *_ = await stored.waiting(one.queue_id)
    await stored.dial(live)
    assert await stored.store.flush(stored.client.id, make.close, LATER) == 4
    counts = {}
    for queue_id in (one.queue_id, two.queue_id, quick):
        queue = await stored.store.queue(queue_id, None)
        counts[queue_id] = (queue.pending_count, queue.queued_count, queue.terminated_count)
        assert not queue.closed
    assert counts == {one.queue_id: (0, 1, 2), two.queue_id: (0, 0, 1), quick: (0, 0, 1)}
    assert (await stored.store.totals()).deliveries == {"callback/pending": 4}
    assert await stored.store.next_deadline() is None
    assert await stored.store.flush(stored.client.id, make.close, LATER) == 0


async def test_a_flushed_queue_takes_further_batches(stored: Stored) -> None:
    added = await stored.add(make.item())
    await stored.store.flush(stored.client.id, make.close, LATER)
    assert (await stored.store.queue(added.queue_id, None)).status is QueueStatus.COMPLETED
    again = make.batch(make.item(), queue_id=added.queue_id)
    await stored.store.insert_batch(again)
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.status, queue.pending_count) == (QueueStatus.IN_PROGRESS, 1)


async def test_other_clients_are_left_alone(stored: Stored) -> None:
    other = await stored.store.add_client(
        replace(make.CLIENT, accountcode="other", username="other"), StoredKey("k", "d"), NOW
    )
    theirs = await stored.store.insert_batch(make.batch(make.item(), client_id=other.id))
    await stored.add(make.item())
    assert await stored.store.flush(stored.client.id, make.close, LATER) == 1
    assert (await stored.store.queue(theirs.queue_id, None)).pending_count == 1


async def test_a_flush_that_dies_dials_nothing_more_and_spares_what_comes_later(
    stored: Stored,
) -> None:
    added = await stored.add(make.item(), make.item())
    first, _ = await stored.waiting(added.queue_id)

    def die(_: EndedItem) -> tuple[NewDelivery, ...]:
        raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        await stored.store.flush(stored.client.id, die, LATER)
    later = await stored.store.insert_batch(make.batch(make.item(), queue_id=added.queue_id))
    assert later.queue_id == added.queue_id
    assert not await stored.store.reserve(make.reservation(first))
    assert await stored.store.next_deadline() == 0.0
    assert await stored.store.expire_items(LATER, 10, make.close) == 2
    (left,) = await stored.waiting(added.queue_id)
    assert left.id > first.id
    assert await stored.store.reserve(make.reservation(left))


async def test_a_flush_of_more_than_one_transaction_counts_all(stored: Stored) -> None:
    await stored.add(*[make.item() for _ in range(2100)])
    assert await stored.store.flush(stored.client.id, make.close, LATER) == 2100
    assert (await stored.store.totals()).deliveries == {"callback/pending": 2100}


async def test_flushes_at_once_count_each_item_once(stored: Stored) -> None:
    await stored.add(*[make.item() for _ in range(1100)])
    flush = stored.store.flush
    counts = await asyncio.gather(*(flush(stored.client.id, make.close, LATER) for _ in range(4)))
    assert sum(counts) == 1100
    assert (await stored.store.totals()).deliveries == {"callback/pending": 1100}


def die(_: EndedItem) -> tuple[NewDelivery, ...]:
    raise RuntimeError("the process died")


async def test_a_flush_counts_only_what_came_after_the_one_before(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item(due_at=LATER))
    with pytest.raises(RuntimeError):
        await stored.store.flush(stored.client.id, die, LATER)
    late = [make.item(), make.item(), make.item(due_at=LATER)]
    await stored.store.insert_batch(make.batch(*late, queue_id=added.queue_id))
    assert await stored.store.flush(stored.client.id, make.close, LATER) == 3
    assert (await stored.store.queue(added.queue_id, None)).terminated_count == 5


async def test_a_flush_does_not_count_what_completing_a_queue_ends(stored: Stored) -> None:
    await stored.add(make.item())
    closed = await stored.add(*[make.item() for _ in range(1500)])
    change = stored.store.change_queue(closed.queue_id, {"closed": True}, make.close, LATER)
    flush = stored.store.flush(stored.client.id, make.close, LATER)
    _, flushed = await asyncio.gather(change, flush)
    assert flushed == 1
    assert (await stored.store.totals()).deliveries == {"callback/pending": 1501}


async def test_a_flush_does_not_count_retries_that_are_being_ended(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(1300)], make.item(due_at=LATER))
    candidates = await stored.waiting(added.queue_id, 1200)
    attempts = await asyncio.gather(*map(stored.dial, candidates))
    ended = [make.settlement(a, "busy", next_attempt_at=LATER) for a in attempts]
    await asyncio.gather(*map(stored.store.settle, ended))
    change = stored.store.change_queue(added.queue_id, {"retry": False}, make.close, LATER)
    flush = stored.store.flush(stored.client.id, make.close, LATER)
    _, flushed = await asyncio.gather(change, flush)
    assert flushed == 101
    assert (await stored.store.queue(added.queue_id, None)).terminated_count == 1301


async def test_retries_switched_off_during_a_flush_do_not_cut_it_short(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item())

    def die(_: EndedItem) -> tuple[NewDelivery, ...]:
        raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        await stored.store.flush(stored.client.id, die, LATER)
    await stored.store.change_queue(added.queue_id, {"retry": False}, make.close, LATER)
    await stored.store.expire_items(LATER, 10, make.close)
    assert (await stored.store.queue(added.queue_id, None)).pending_count == 0


async def test_lists_are_counted_without_their_rows_where_that_is_known(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item(), batch_id=77)
    await stored.store.insert_batch(make.batch(make.item(), queue_id=added.queue_id, batch_id=78))
    store, queue = stored.store, added.queue_id
    for filters, total in (
        ({"batch_id": 77}, 2),
        ({"batch_id": 78}, 1),
        ({"batch_id": 79}, 0),
        ({"status": "pending"}, 3),
        ({"status": "processed"}, 0),
        ({"status": "pending", "batch_id": 78}, 1),
        ({"disposition": "busy"}, 0),
    ):
        page = await store.items(queue, 0, 10, filters)
        assert (len(page.rows), page.total) == (total, total), filters
        beyond = await store.items(queue, total, 10, filters)
        assert (beyond.rows, beyond.total) == ((), total), filters


async def test_a_search_gives_its_pages_in_order(stored: Stored) -> None:
    items = [make.item(number=str(place % 2)) for place in range(9)]
    queue = (await stored.add(*items)).queue_id
    wanted = {"number": "0", "status": "pending"}
    pages = [await stored.store.items(queue, offset, 2, wanted) for offset in (0, 2, 4)]
    assert {page.total for page in pages} == {5}
    found = [item.id for page in pages for item in page.rows]
    assert found == sorted(found)
    assert len(found) == 5
    with pytest.raises(NotFound):
        await stored.store.items(queue + 1, 0, 2, wanted)
