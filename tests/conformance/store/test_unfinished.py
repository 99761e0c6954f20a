"""Changes of very many items, which a store does not wait for: nothing of them is dialed, what
comes in behind them is, and expiries finish them, also after a crash."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dialer.states import QueueStatus
from dialer.store import endings, waits
from dialer.store.contract import Candidate, StoredKey
from tests import store_records as make
from tests.conformance.store.conftest import Stored, make_store, open_stored

NOW, LATER = make.NOW, make.NOW + 60


@pytest.fixture
async def stored(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stored]:
    """A store that waits for no change, and does them three items at a time."""
    monkeypatch.setattr(endings, "CHUNK", 3)
    monkeypatch.setattr(waits, "LOOKED_AT", 3)
    async with open_stored(lambda: make_store(database, tmp_path, patience=0)) as stored:
        yield stored


async def finish(stored: Stored, now: float = LATER) -> list[int]:
    """What the expiries ended, one after another, until nothing is unfinished."""
    ended = []
    while await stored.store.next_deadline() == 0.0:
        ended.append(await stored.store.expire_items(now, 4, make.close))
    return ended


async def fail(stored: Stored, candidate: Candidate, next_at: float = NOW + 30) -> None:
    attempt = await stored.dial(candidate)
    await stored.store.settle(make.settlement(attempt, "busy", next_attempt_at=next_at))


async def retries(stored: Stored, queue_id: int, now: float = LATER) -> list[int]:
    found = await stored.store.due_retries(queue_id, stored.server.id, now, 100)
    return [candidate.id for candidate in found]


async def count(stored: Stored, queue_id: int) -> tuple[int, int]:
    """(pending, terminated)"""
    queue = await stored.store.queue(queue_id, None)
    return queue.pending_count, queue.terminated_count


async def test_a_flush_is_answered_before_all_has_ended_and_tells_all(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(9)], make.item(due_at=LATER))
    loaded = await stored.waiting(added.queue_id)
    assert await stored.store.flush(stored.client.id, make.close, NOW) == 10
    assert await count(stored, added.queue_id) == (10, 0)
    assert [await stored.store.reserve(make.reservation(item)) for item in loaded] == [False] * 9
    assert await stored.waiting(added.queue_id) == ()
    assert await retries(stored, added.queue_id) == []
    assert await finish(stored) == [4, 4, 2]
    assert await count(stored, added.queue_id) == (0, 10)
    assert (await stored.store.totals()).deliveries == {"callback/pending": 10}


async def test_what_comes_in_behind_a_flush_is_dialed_and_retried_meanwhile(
    stored: Stored,
) -> None:
    added = await stored.add(*[make.item() for _ in range(5)], make.item(due_at=NOW))
    await stored.store.flush(stored.client.id, make.close, NOW)
    await stored.store.insert_batch(
        make.batch(make.item(), make.item(due_at=NOW), queue_id=added.queue_id)
    )
    (fresh,) = await stored.waiting(added.queue_id)
    assert await retries(stored, added.queue_id) == [fresh.id + 1]
    await fail(stored, fresh)
    assert await retries(stored, added.queue_id) == [fresh.id + 1, fresh.id]
    assert await finish(stored) == [4, 2]
    assert await retries(stored, added.queue_id) == [fresh.id + 1, fresh.id]
    assert await count(stored, added.queue_id) == (2, 6)


async def test_a_completed_queue_ends_behind_the_answer(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(8)])
    changed = await stored.store.change_queue(added.queue_id, {"closed": True}, make.close, NOW)
    assert (changed.closed, changed.terminated_count) == (True, 3)
    assert await stored.waiting(added.queue_id) == ()
    assert await finish(stored) == [4, 1]
    queue = await stored.store.queue(added.queue_id, None)
    assert (queue.status, queue.terminated_count) == (QueueStatus.COMPLETED, 8)


async def test_a_crash_in_between_is_made_good_by_the_next_process(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(8)])
    await stored.store.flush(stored.client.id, make.close, NOW)
    assert await stored.store.expire_items(NOW, 4, make.close) == 4
    await stored.store.close()
    again = stored.reopen()
    await again.open()
    after = replace(stored, store=again)
    assert await after.waiting(added.queue_id) == ()
    assert await finish(after) == [4, 0]
    assert await count(after, added.queue_id) == (0, 8)
    await again.close()


async def six_retries(stored: Stored) -> tuple[int, list[int]]:
    """A queue with six items that wait for a retry since, and one that was not tried; their ids."""
    added = await stored.add(*[make.item() for _ in range(7)])
    *tried, fresh = await stored.waiting(added.queue_id)
    for candidate in tried:
        await fail(stored, candidate)
    return added.queue_id, [*(c.id for c in tried), fresh.id]


async def test_no_retry_goes_while_they_are_being_ended(stored: Stored) -> None:
    queue_id, ids = await six_retries(stored)
    changed = await stored.store.change_queue(queue_id, {"retry": False}, make.close, NOW)
    assert changed.terminated_count == 3
    assert await retries(stored, queue_id) == []
    assert [c.id for c in await stored.waiting(queue_id)] == ids[6:]
    assert await finish(stored) == [3]
    assert await count(stored, queue_id) == (1, 6)


async def test_retries_switched_on_again_spare_what_has_not_ended(stored: Stored) -> None:
    queue_id, ids = await six_retries(stored)
    await stored.store.change_queue(queue_id, {"retry": False}, make.close, NOW)
    await stored.store.change_queue(queue_id, {"retry": True}, make.close, NOW)
    assert await finish(stored) == []
    assert await count(stored, queue_id) == (4, 3)
    assert set(await retries(stored, queue_id)) < set(ids)


async def test_retries_switched_off_during_a_flush_end_behind_it_too(stored: Stored) -> None:
    queue_id, _ = await six_retries(stored)
    assert await stored.store.flush(stored.client.id, make.close, NOW) == 7
    await stored.store.insert_batch(
        make.batch(make.item(), make.item(), make.item(), queue_id=queue_id)
    )
    for candidate in (await stored.waiting(queue_id))[:2]:
        await fail(stored, candidate)
    due = await stored.store.due_retries(queue_id, stored.server.id, LATER, 9)
    await stored.store.change_queue(queue_id, {"retry": False}, make.close, NOW)
    granted = [await stored.store.reserve(make.reservation(c, LATER)) for c in due]
    assert granted == [False, False]
    assert await stored.store.flush(stored.client.id, make.close, NOW) == 1
    await finish(stored)
    assert await count(stored, queue_id) == (0, 10)


async def test_a_flush_ends_retries_that_are_switched_off_behind_it(stored: Stored) -> None:
    queue_id, _ = await six_retries(stored)
    await stored.store.flush(stored.client.id, make.close, NOW)
    await stored.store.insert_batch(make.batch(make.item(), make.item(), queue_id=queue_id))
    one, two = await stored.waiting(queue_id)
    await fail(stored, one)
    await stored.store.change_queue(queue_id, {"retry": False}, make.close, NOW)
    await finish(stored)
    assert [c.id for c in await stored.waiting(queue_id)] == [two.id]
    assert await count(stored, queue_id) == (1, 8)


async def test_no_retry_goes_by_a_wait_that_is_being_reckoned_anew(stored: Stored) -> None:
    queue_id, ids = await six_retries(stored)
    await stored.store.change_queue(queue_id, {"retry_gap": 10}, make.close, NOW)
    assert await retries(stored, queue_id, NOW + 900) == []
    assert [c.id for c in await stored.waiting(queue_id)] == ids[6:]
    assert await finish(stored) == [0, 0]
    assert await retries(stored, queue_id, NOW + 14) == ids[:6]


async def test_the_least_is_finished_first_and_deadlines_need_not_wait(stored: Stored) -> None:
    many = await stored.add(*[make.item() for _ in range(20)])
    other = await stored.store.add_client(
        replace(make.CLIENT, accountcode="other", username="other"), StoredKey("k", "d"), NOW
    )
    few = await stored.store.insert_batch(
        make.batch(*[make.item() for _ in range(2)], client_id=other.id)
    )
    late = await stored.add(make.item(deadline=NOW - 1), make.item(deadline=NOW - 1))
    await stored.store.change_queue(many.queue_id, {"closed": True}, make.close, NOW)
    await stored.store.flush(other.id, make.close, NOW)
    assert await stored.store.expire_items(NOW, 4, make.close) == 4
    assert await count(stored, few.queue_id) == (0, 2)
    assert await count(stored, late.queue_id) == (0, 2)
    assert await count(stored, many.queue_id) == (17, 3)
