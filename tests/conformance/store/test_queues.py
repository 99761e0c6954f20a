"""Listing and changing queues, and items that end without a further attempt."""

import pytest

from dialer.errors import Conflict, IllegalTransition, NotFound
from dialer.states import ItemStatus, QueueStatus
from dialer.store.contract import EndedItem, NewDelivery, Queue, Store
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW = make.NOW
LATER = NOW + 5


async def change(store: Store, queue_id: int, **changes: object) -> Queue:
    return await store.change_queue(queue_id, changes, make.close, LATER)


async def test_queues_are_listed_by_client_page_and_filter(stored: Stored) -> None:
    added = [await stored.add(make.item()) for _ in range(3)]
    ids = [batch.queue_id for batch in added]
    await change(stored.store, ids[1], status=QueueStatus.PAUSED)
    page = await stored.store.queues(stored.client.id, 1, 1)
    assert ([queue.id for queue in page.rows], page.total) == (ids[1:2], 3)
    paused = await stored.store.queues(None, 0, 10, {"status": QueueStatus.PAUSED})
    assert ([queue.id for queue in paused.rows], paused.total) == ([ids[1]], 1)
    assert (await stored.store.queues(99, 0, 10)).total == 0
    with pytest.raises(ValueError, match="password"):
        await stored.store.queues(None, 0, 10, {"password": 1})


async def test_items_are_listed_by_filter(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item(), batch_id=5)
    first, _ = await stored.waiting(added.queue_id)
    await stored.dial(first)
    page = await stored.store.items(added.queue_id, 0, 10, {"status": ItemStatus.QUEUED})
    assert ([item.id for item in page.rows], page.total) == ([first.id], 1)
    filters = {"call_id": first.call_id, "batch_id": 5}
    assert (await stored.store.items(added.queue_id, 0, 10, filters)).total == 1
    with pytest.raises(NotFound):
        await stored.store.items(999, 0, 10)


async def test_settings_of_a_queue_change(stored: Stored) -> None:
    added = await stored.add(make.item())
    queue = await change(stored.store, added.queue_id, retry_count=3, retry_gap=60, paused=True)
    assert (queue.retry_count, queue.retry_gap, queue.paused) == (3, 60, True)
    assert queue.updated_at == LATER
    assert queue == await stored.store.queue(added.queue_id, None)
    with pytest.raises(ValueError, match="total_count"):
        await change(stored.store, added.queue_id, total_count=1)
    with pytest.raises(NotFound):
        await change(stored.store, 999, retry=True)


async def test_pausing_and_going_on(stored: Stored) -> None:
    added = await stored.add(make.item())
    for status in (QueueStatus.PAUSED, QueueStatus.PAUSED, QueueStatus.IN_PROGRESS):
        assert (await change(stored.store, added.queue_id, status=status)).status is status
    with pytest.raises(IllegalTransition):
        await change(stored.store, added.queue_id, status=QueueStatus.PENDING)


async def test_a_paused_queue_completes_when_its_live_calls_end(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await change(stored.store, attempt.queue_id, status=QueueStatus.PAUSED)
    await stored.store.settle(make.settlement(attempt))
    queue = await stored.store.queue(attempt.queue_id, None)
    assert queue.status is QueueStatus.COMPLETED


async def test_completing_a_queue_ends_what_waits_and_leaves_live_calls(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(4)])
    one, two, *_ = await stored.waiting(added.queue_id)
    live, busy = await stored.dial(one), await stored.dial(two)
    await stored.store.settle(make.settlement(busy, "busy", next_attempt_at=NOW + 300))
    queue = await change(stored.store, added.queue_id, status=QueueStatus.COMPLETED)
    assert (queue.status, queue.closed) == (QueueStatus.COMPLETED, True)
    assert (queue.pending_count, queue.queued_count, queue.terminated_count) == (0, 1, 3)
    closings = await stored.store.due_deliveries(make.delivery().endpoint, LATER, 0, 10)
    assert sorted(c.event_id for c in closings) == [
        f"item-{two.id}",
        f"item-{two.id + 1}",
        f"item-{two.id + 2}",
    ]
    assert {c.body for c in closings} == {"terminated"}
    ended = (await stored.store.items(added.queue_id, 1, 10)).rows
    assert {(i.status, i.disposition, i.ended_at) for i in ended} == {
        (ItemStatus.TERMINATED, "terminated", LATER)
    }
    await stored.store.settle(make.settlement(live))
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.processed_count, queue.queued_count) == (1, 0)
    with pytest.raises(Conflict):
        await change(stored.store, added.queue_id, status=QueueStatus.IN_PROGRESS)


async def test_many_waiting_items_end_too(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(2100)])
    queue = await change(stored.store, added.queue_id, closed=True)
    assert (queue.pending_count, queue.terminated_count) == (0, 2100)
    assert (await stored.store.totals()).deliveries == {"callback/pending": 2100}
    assert await stored.store.next_deadline() is None


async def test_switching_retries_off_ends_what_waits_for_one(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(3)])
    one, two, three = await stored.waiting(added.queue_id)
    for candidate, unplaced in ((one, False), (two, True)):
        attempt = await stored.dial(candidate)
        await stored.store.settle(
            make.settlement(attempt, "failed", next_attempt_at=NOW + 60, unplaced=unplaced)
        )
    queue = await change(stored.store, added.queue_id, retry=False)
    assert (queue.retry, queue.pending_count, queue.terminated_count) == (False, 1, 2)
    assert [c.id for c in await stored.waiting(added.queue_id)] == [three.id]
    assert (await stored.store.totals()).deliveries == {"callback/pending": 2}


async def test_switching_retries_off_completes_a_queue_with_nothing_else(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt, "busy", next_attempt_at=NOW + 60))
    queue = await change(stored.store, attempt.queue_id, retry=False)
    assert queue.status is QueueStatus.COMPLETED


async def test_a_changed_gap_moves_the_waits_that_it_decided(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item(), make.item(due_at=NOW + 300))
    one, two = await stored.waiting(added.queue_id)
    for candidate, unplaced in ((one, False), (two, True)):
        attempt = await stored.dial(candidate)
        await stored.store.settle(
            make.settlement(attempt, "busy", next_attempt_at=NOW + 300, unplaced=unplaced, now=NOW)
        )
    await change(stored.store, added.queue_id, retry_gap=30)
    assert await stored.store.next_retry_at(added.queue_id, 1) == NOW + 30
    due = await stored.store.due_retries(added.queue_id, 1, NOW + 300, 10)
    assert [c.due_at for c in due] == [NOW + 30, NOW + 300, NOW + 300]


async def test_items_end_expired_when_their_deadline_has_come(stored: Stored) -> None:
    added = await stored.add(make.item(deadline=NOW + 2), make.item(deadline=NOW + 1), make.item())
    live, *_ = await stored.waiting(added.queue_id)
    assert await stored.store.next_deadline() == NOW + 1
    assert await stored.store.expire_items(NOW + 0.999999, 10, make.close) == 0
    assert await stored.store.expire_items(NOW + 1, 10, make.close) == 1
    await stored.dial(live)
    assert await stored.store.next_deadline() is None
    assert await stored.store.expire_items(NOW + 9, 10, make.close) == 0
    (closing,) = await stored.store.due_deliveries(make.delivery().endpoint, NOW, 0, 10)
    assert (closing.event_id, closing.body) == (f"item-{live.id + 1}", "expired")
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.pending_count, queue.queued_count, queue.terminated_count) == (1, 1, 1)


async def test_a_deadline_in_the_past_is_taken_and_expires(stored: Stored) -> None:
    added = await stored.add(*[make.item(deadline=NOW - 1) for _ in range(5)])
    assert await stored.store.expire_items(NOW, 3, make.close) == 3
    assert await stored.store.expire_items(NOW, 3, make.close) == 2
    queue = await stored.store.queue(added.queue_id, None)
    assert queue.status is QueueStatus.COMPLETED


async def test_a_closing_that_cannot_be_made_ends_nothing(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item())

    def fail(_: EndedItem) -> tuple[NewDelivery, ...]:
        raise LookupError("no such client")

    with pytest.raises(LookupError):
        await stored.store.change_queue(added.queue_id, {"closed": True}, fail, LATER)
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.status, queue.closed, queue.pending_count) == (QueueStatus.PENDING, False, 2)


async def test_an_ending_that_a_crash_cut_short_is_finished(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(1500)])
    seen: list[EndedItem] = []

    def die_late(ended: EndedItem) -> tuple[NewDelivery, ...]:
        seen.append(ended)
        if len(seen) > 1000:
            raise RuntimeError("the process died")
        return make.close(ended)

    with pytest.raises(RuntimeError):
        await stored.store.change_queue(added.queue_id, {"closed": True}, die_late, LATER)
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.closed, queue.pending_count, queue.terminated_count) == (True, 500, 1000)
    assert await stored.store.next_deadline() == 0.0
    assert await stored.store.expire_items(LATER, 300, make.close) == 300
    assert await stored.store.expire_items(LATER, 300, make.close) == 200
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.pending_count, queue.terminated_count) == (0, 1500)
    assert await stored.store.next_deadline() is None


async def test_a_snapshot_has_what_is_not_completed(stored: Stored) -> None:
    done = await stored.dial_one()
    await stored.store.settle(make.settlement(done))
    added = await stored.add(make.item())
    snapshot = await stored.store.snapshot()
    assert [queue.id for queue in snapshot.queues] == [added.queue_id]
    assert snapshot.lanes == ((added.queue_id, stored.server.id),)
    assert snapshot.clients == (stored.client,)
