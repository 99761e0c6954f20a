"""Owning a server: only the latest owner writes attempts there; and what a life leaves known."""

import asyncio
from dataclasses import replace

import pytest

from dialer.errors import NotFound, OwnershipLost
from dialer.states import ItemStatus, QueueStatus
from dialer.store.contract import Delivery, Reservation, Withdrawal
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW = make.NOW


def withdrawal(attempt: Reservation, **changes: object) -> Withdrawal:
    return replace(Withdrawal(attempt.channel_id, NOW + 1, attempt.fence), **changes)  # type: ignore[arg-type]


async def own(stored: Stored) -> int:
    return (await stored.store.own([stored.server.id]))[stored.server.id]


async def test_tokens_grow_and_belong_to_a_server(stored: Stored) -> None:
    other = await stored.store.add_server(replace(make.SERVER, code="pbx2"), NOW)
    first = await stored.store.own([stored.server.id, other.id])
    second = await stored.store.own([stored.server.id])
    assert set(first) == {stored.server.id, other.id}
    assert second[stored.server.id] > first[stored.server.id]
    assert await stored.store.own([]) == {}
    added = await stored.add(make.item(server_id=other.id))
    (candidate,) = await stored.store.waiting(added.queue_id, other.id, 0, 10)
    assert await stored.store.reserve(make.reservation(candidate, fence=first[other.id]))


async def test_who_was_overtaken_gets_no_token(stored: Stored) -> None:
    other = await stored.store.add_server(replace(make.SERVER, code="pbx2"), NOW)
    ids = [stored.server.id, other.id]
    seen = await stored.store.fences(ids)
    theirs = await own(stored)
    assert await stored.store.own(ids, seen) == {other.id: seen[other.id] + 1}
    assert await stored.store.own([stored.server.id], {}) == {}
    assert await stored.store.fences(ids) == {stored.server.id: theirs, other.id: 1}
    assert await stored.store.own([], {}) == {}
    assert await stored.store.fences([]) == {}


async def test_who_lost_a_server_reserves_settles_and_withdraws_nothing_there(
    stored: Stored,
) -> None:
    added = await stored.add(*[make.item() for _ in range(4)])
    one, two, three, four = await stored.waiting(added.queue_id)
    stale = await own(stored)
    open_ = [make.reservation(item, fence=stale) for item in (one, two)]
    assert await asyncio.gather(*map(stored.store.reserve, open_)) == [True, True]
    fresh = await own(stored)
    results = await asyncio.gather(
        stored.store.reserve(make.reservation(three, fence=stale)),
        stored.store.reserve(make.reservation(four, fence=fresh)),
        stored.store.settle(make.settlement(open_[0])),
        stored.store.withdraw(withdrawal(open_[1])),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        OwnershipLost,
        bool,
        OwnershipLost,
        OwnershipLost,
    ]
    assert all(r.server_id == stored.server.id for r in results if isinstance(r, OwnershipLost))
    assert len(await stored.store.open_attempts()) == 3
    assert await stored.store.cdrs(None, 0, 10) == ()
    assert await stored.store.settle(make.settlement(open_[0], fence=fresh)) == ()
    assert len(await stored.store.cdrs(None, 0, 10)) == 1


async def test_a_refusal_of_another_kind_is_no_loss(stored: Stored) -> None:
    added = await stored.add(make.item())
    (candidate,) = await stored.waiting(added.queue_id)
    token = await own(stored)
    await stored.store.change_server("pbx1", {"paused": True}, NOW)
    assert await stored.store.reserve(make.reservation(candidate, fence=token)) is False


async def test_what_was_withdrawn_waits_again_as_if_it_had_never_been(stored: Stored) -> None:
    attempt = await stored.dial_one(wanted_channel_id="wanted-name", deadline=NOW + 60)
    assert await stored.store.withdraw(withdrawal(attempt)) == ()
    assert await stored.store.open_attempts() == ()
    (candidate,) = await stored.waiting(attempt.queue_id)
    ids = (attempt.channel_id, attempt.action_id, attempt.cdr_id)
    assert (candidate.attempts, candidate.unplaced, candidate.kept_ids) == (0, 0, ids)
    queue = await stored.store.queue(attempt.queue_id, None)
    assert (queue.status, queue.pending_count, queue.queued_count) == (
        QueueStatus.IN_PROGRESS,
        1,
        0,
    )
    again = make.reservation(
        candidate, channel_id=ids[0], action_id=ids[1], cdr_id=ids[2], now=NOW + 2
    )
    assert await stored.store.reserve(again)
    (found,) = await stored.store.open_attempts()
    assert (found.channel_id, found.number, found.candidate.kept_ids) == (ids[0], 1, None)


async def test_an_ended_attempt_is_not_withdrawn(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt))
    assert await stored.store.withdraw(withdrawal(attempt)) == ()
    (item,) = (await stored.store.items(attempt.queue_id, 0, 10)).rows
    assert item.status is ItemStatus.PROCESSED


async def test_withdrawing_twice_does_it_once(stored: Stored) -> None:
    """Who was not told that it was done does it again. An end of what never was is a mistake."""
    attempt = await stored.dial_one()
    await stored.store.withdraw(withdrawal(attempt, closing=(make.delivery("closing"),)))
    assert await stored.store.withdraw(withdrawal(attempt)) == ()
    assert (await stored.store.queue(attempt.queue_id, None)).pending_count == 1
    with pytest.raises(NotFound):
        await stored.store.settle(make.settlement(attempt))
    (candidate,) = await stored.waiting(attempt.queue_id)
    assert await stored.store.reserve(make.reservation(candidate, now=NOW + 2))


@pytest.mark.parametrize("tried", [True, False])
async def test_a_queue_that_takes_no_more_attempts_ends_what_is_withdrawn(
    stored: Stored, tried: bool
) -> None:
    """Completed ends everything; without retries only a second attempt is too many."""
    attempt = await stored.dial_one()
    if tried:
        await stored.store.settle(make.settlement(attempt, "busy", next_attempt_at=NOW))
        (candidate,) = await stored.store.due_retries(attempt.queue_id, 1, NOW, 10)
        attempt = await stored.dial(candidate)
    await stored.store.change_queue(attempt.queue_id, {"retry": False}, make.close, NOW)
    closing = (make.delivery("closing"),)
    told = await stored.store.withdraw(withdrawal(attempt, closing=closing))
    (item,) = (await stored.store.items(attempt.queue_id, 0, 10)).rows
    if tried:
        assert [row.event_id for row in told] == ["closing"]
        assert (item.status, item.disposition) == (ItemStatus.TERMINATED, "terminated")
        assert (await stored.store.queue(attempt.queue_id, None)).status is QueueStatus.COMPLETED
    else:
        assert told == ()
        assert (item.status, item.disposition) == (ItemStatus.PENDING, None)


async def test_a_completed_queue_ends_what_is_withdrawn(stored: Stored) -> None:
    attempt = await stored.dial_one()
    change = {"status": QueueStatus.COMPLETED}
    await stored.store.change_queue(attempt.queue_id, change, make.close, NOW)
    rows: tuple[Delivery, ...] = await stored.store.withdraw(
        withdrawal(attempt, closing=(make.delivery("closing"),))
    )
    assert [row.event_id for row in rows] == ["closing"]
    assert (await stored.store.queue(attempt.queue_id, None)).terminated_count == 1


async def test_a_withdrawn_item_expires_like_any_other(stored: Stored) -> None:
    attempt = await stored.dial_one(deadline=NOW + 60)
    await stored.store.withdraw(withdrawal(attempt))
    assert await stored.store.expire_items(NOW + 61, 10, make.close) == 1
    (item,) = (await stored.store.items(attempt.queue_id, 0, 10)).rows
    assert item.disposition == "expired"


async def test_the_next_life_knows_what_left_and_what_was_answered(stored: Stored) -> None:
    await stored.store.claim()
    fence = await own(stored)
    added = await stored.add(*[make.item() for _ in range(4)])
    attempts = [
        make.reservation(item, fence=fence) for item in await stored.waiting(added.queue_id)
    ]
    assert all([await stored.store.reserve(attempt) for attempt in attempts])
    for attempt in attempts[:3]:
        stored.store.note_sent(attempt.channel_id)
    stored.store.note_answered(attempts[1].channel_id, NOW + 3.5)
    stored.store.note_unsent(attempts[2].channel_id)
    assert stored.store.can_note()
    await stored.store.close()
    again = stored.reopen()
    await again.open()
    unknowing = await again.open_attempts()
    assert not any(found.unsent for found in unknowing)  # until it is claimed: anything may be
    await again.claim()
    found = await again.open_attempts()
    assert [(one.unsent, one.answered_at) for one in found] == [
        (False, None),
        (False, NOW + 3.5),
        (True, None),
        (True, None),
    ]
    await again.close()


async def test_a_claim_is_seen_by_others(stored: Stored) -> None:
    assert not stored.store.is_claimed()
    await stored.store.claim()
    assert stored.store.is_claimed()
    other = stored.reopen()
    await other.open()
    assert other.is_claimed()
    await other.close()


async def test_a_queue_may_redial_what_is_unknown(stored: Stored) -> None:
    added = await stored.add(make.item())
    assert not (await stored.store.queue(added.queue_id, None)).redial_unknown
    change = {"redial_unknown": True}
    assert (await stored.store.change_queue(added.queue_id, change, make.close, NOW)).redial_unknown
    assert (await stored.store.snapshot()).queues[0].redial_unknown


async def test_what_is_open_can_be_asked_of_single_servers(stored: Stored) -> None:
    """As one who takes over a server that another worker had."""
    other = await stored.store.add_server(replace(make.SERVER, code="pbx2"), NOW)
    here = await stored.dial_one()
    added = await stored.add(make.item(server_id=other.id))
    (candidate,) = await stored.store.waiting(added.queue_id, other.id, 0, 10)
    there = await stored.dial(candidate, NOW + 1)
    both = {here.channel_id, there.channel_id}
    for ids, channels, servers in (
        (None, both, {stored.server.id, other.id}),
        ([other.id], {there.channel_id}, {other.id}),
        ({stored.server.id, other.id}, both, {stored.server.id, other.id}),
        ((), set(), set()),
    ):
        found = await stored.store.open_attempts(ids)
        assert {attempt.channel_id for attempt in found} == channels
        starts = await stored.store.recent_starts(NOW - 10, ids)
        assert {start.server_id for start in starts} == servers
