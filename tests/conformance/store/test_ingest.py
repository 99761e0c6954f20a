"""Batches, quick calls, ChannelIds that clients want, and answers kept for Idempotency-Keys."""

from dataclasses import replace

import pytest

from dialer.errors import Conflict, DialerError, NotFound
from dialer.states import ItemStatus, QueueKind, QueueStatus
from dialer.store.contract import BatchStored, IdempotentAnswer, Store, StoredKey
from tests import store_records as make
from tests.conformance.store.conftest import Stored


async def test_a_batch_makes_a_queue_with_its_items(stored: Stored) -> None:
    items = [make.item(retry=2, deadline=make.NOW + 9, caller_id="1001"), make.item()]
    added = await stored.add(*items, batch_id=77, dids=("1", "2"))
    assert added == BatchStored(added.queue_id, 77, 2)
    queue = await stored.store.queue(added.queue_id, stored.client.id)
    assert (queue.name, queue.status, queue.kind) == (
        "p 2025-06-15",
        QueueStatus.PENDING,
        QueueKind.BATCH,
    )
    assert (queue.retry, queue.retry_count, queue.retry_gap) == (True, 0, 300)
    assert queue.dids == ("1", "2")
    assert (queue.total_count, queue.pending_count) == (2, 2)
    page = await stored.store.items(added.queue_id, 0, 10)
    assert page.total == 2
    first = page.rows[0]
    assert (first.call_id, first.number, first.caller_id, first.payload) == (
        items[0].call_id,
        items[0].number,
        "1001",
        items[0].payload,
    )
    assert (first.batch_id, first.deadline, first.status) == (
        77,
        make.NOW + 9,
        ItemStatus.PENDING,
    )
    assert (await stored.store.queue_lanes(added.queue_id)) == (queue, (stored.server.id,))


async def test_items_wait_in_the_order_given(stored: Stored) -> None:
    items = [make.item() for _ in range(700)]
    added = await stored.add(*items)
    waiting = await stored.waiting(added.queue_id, 1000)
    assert [w.call_id for w in waiting] == [i.call_id for i in items]
    page = await stored.store.items(added.queue_id, 650, 20)
    assert [w.call_id for w in page.rows] == [i.call_id for i in items[650:670]]


async def test_the_same_batch_again_inserts_nothing(stored: Stored) -> None:
    batch = make.batch(make.item(), make.item())
    first = await stored.store.insert_batch(batch)
    again = await stored.store.insert_batch(batch)
    assert again == replace(first, replayed=True)
    assert (await stored.store.queue(first.queue_id, None)).total_count == 2
    assert (await stored.store.queues(None, 0, 10)).total == 1


async def test_another_body_under_the_same_batch_id_conflicts(stored: Stored) -> None:
    batch = make.batch(make.item())
    await stored.store.insert_batch(batch)
    with pytest.raises(Conflict):
        await stored.store.insert_batch(replace(batch, digest="another"))
    assert (await stored.store.queues(None, 0, 10)).total == 1


async def test_batch_ids_are_a_clients_own(stored: Stored) -> None:
    other = await stored.store.add_client(
        replace(make.CLIENT, accountcode="b", username="b"), StoredKey("l2", "d2"), make.NOW
    )
    batch = make.batch(make.item())
    first = await stored.store.insert_batch(batch)
    second = await stored.store.insert_batch(replace(batch, client_id=other.id, digest="x"))
    assert not second.replayed
    assert second.queue_id != first.queue_id


async def test_another_clients_queue_is_not_found(stored: Stored) -> None:
    other = await stored.store.add_client(
        replace(make.CLIENT, accountcode="b", username="b"), StoredKey("l2", "d2"), make.NOW
    )
    added = await stored.add(make.item())
    for queue_id in (added.queue_id, 999):
        with pytest.raises(NotFound):
            await stored.add(make.item(), client_id=other.id, queue_id=queue_id)
    with pytest.raises(NotFound):
        await stored.store.queue(added.queue_id, other.id)


async def test_further_batches_go_into_the_queue_and_renew_its_dids(stored: Stored) -> None:
    added = await stored.add(make.item(), dids=("1",))
    await stored.add(make.item(), queue_id=added.queue_id)
    assert (await stored.store.queue(added.queue_id, None)).dids == ("1",)
    await stored.add(make.item(), queue_id=added.queue_id, dids=("2",))
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.dids, queue.total_count) == (("2",), 3)


async def test_a_completed_queue_is_reopened_unless_its_client_completed_it(
    stored: Stored,
) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt))
    queue = await stored.store.queue(attempt.queue_id, None)
    assert queue.status is QueueStatus.COMPLETED
    await stored.add(make.item(), queue_id=queue.id)
    queue = await stored.store.queue(attempt.queue_id, None)
    assert queue.status is QueueStatus.IN_PROGRESS
    await stored.store.change_queue(
        queue.id, {"status": QueueStatus.COMPLETED}, make.close, make.NOW
    )
    with pytest.raises(Conflict):
        await stored.add(make.item(), queue_id=queue.id)


async def test_a_batch_with_a_bad_row_inserts_nothing(stored: Stored) -> None:
    batch = make.batch(make.item(), make.item(server_id=99), make.item())
    with pytest.raises(DialerError):
        await stored.store.insert_batch(batch)
    assert (await stored.store.queues(None, 0, 10)).total == 0
    sound = replace(batch, items=[make.item()])
    assert (await stored.store.insert_batch(sound)).inserted_count == 1


async def test_quick_calls_share_one_standing_queue(stored: Stored) -> None:
    store = stored.store
    queue_id = await store.insert_quick_call(stored.client.id, make.item(), make.NOW)
    assert await store.insert_quick_call(stored.client.id, make.item(), make.NOW) == queue_id
    queue = await store.queue(queue_id, stored.client.id)
    assert (queue.kind, queue.total_count) == (QueueKind.QUICK, 2)
    candidates = await stored.waiting(queue_id)
    assert [(c.quick, c.batch_id) for c in candidates] == [(True, None)] * 2
    for candidate in candidates:
        await store.settle(make.settlement(await stored.dial(candidate)))
    assert (await store.queue(queue_id, None)).status is QueueStatus.IN_PROGRESS
    for change in ({"status": QueueStatus.COMPLETED}, {"closed": True}):
        with pytest.raises(Conflict):
            await store.change_queue(queue_id, change, make.close, make.NOW)
    with pytest.raises(Conflict):
        await stored.add(make.item(), queue_id=queue_id)


async def bases(stored: Stored, *wanted: str | None) -> list[str | None]:
    added = await stored.add(*[make.item(wanted_channel_id=name) for name in wanted])
    return [c.channel_base for c in await stored.waiting(added.queue_id)]


async def test_a_wanted_channel_id_is_given_once_whatever_its_case(stored: Stored) -> None:
    assert await bases(stored, "call-A", None, "CALL-a", "call-B") == [
        "call-A",
        None,
        None,
        "call-B",
    ]
    assert await bases(stored, "call-a", "call-b", "call-c") == [None, None, "call-c"]


async def test_a_wanted_channel_id_never_meets_a_later_attempt_of_another(
    stored: Stored,
) -> None:
    assert await bases(stored, "alpha", "alpha-2", "beta-3", "beta") == [
        "alpha",
        None,
        "beta-3",
        None,
    ]
    assert await bases(stored, "ALPHA-17", "Beta", "gamma-x", "alpha-x2") == [
        None,
        None,
        "gamma-x",
        "alpha-x2",
    ]


async def test_a_channel_id_that_an_attempt_had_is_not_free(stored: Stored) -> None:
    attempt = await stored.dial_one()
    assert await bases(stored, attempt.channel_id.upper(), "fresh-name") == [None, "fresh-name"]
    root, _, _ = attempt.channel_id.rpartition("-")
    assert await bases(stored, root) == [None]


ANSWER = IdempotentAnswer("digest", 200, '{"a":1}', make.NOW)


async def test_the_first_answer_is_kept(store: Store) -> None:
    assert await store.idempotent_answer(1, "key") is None
    await store.keep_answer(1, "key", ANSWER)
    await store.keep_answer(1, "key", replace(ANSWER, body="other"))
    assert await store.idempotent_answer(1, "key") == ANSWER
    assert await store.idempotent_answer(2, "key") is None


async def test_an_idempotency_key_with_another_request_conflicts(store: Store) -> None:
    await store.keep_answer(1, "key", ANSWER)
    with pytest.raises(Conflict):
        await store.keep_answer(1, "key", replace(ANSWER, digest="other"))
