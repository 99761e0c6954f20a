"""Reservations and settlements: guarded, at most once, with everything in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace

import pytest

from ami import LegB
from dialer.errors import Conflict, NotFound
from dialer.states import ItemStatus, QueueStatus
from dialer.store.contract import NewDelivery, NumberedDelivery, Store
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW = make.NOW


async def test_a_reservation_takes_the_item_and_opens_an_attempt(stored: Stored) -> None:
    attempt = await stored.dial_one(wanted_channel_id="wanted-name")
    assert await stored.waiting(attempt.queue_id) == ()
    queue = await stored.store.queue(attempt.queue_id, None)
    assert (queue.status, queue.pending_count, queue.queued_count) == (
        QueueStatus.IN_PROGRESS,
        0,
        1,
    )
    (found,) = await stored.store.open_attempts()
    assert (found.number, found.channel_id, found.action_id, found.cdr_id, found.opened_at) == (
        1,
        attempt.channel_id,
        attempt.action_id,
        attempt.cdr_id,
        NOW,
    )
    assert (found.candidate.id, found.candidate.channel_base) == (attempt.item_id, "wanted-name")


async def test_an_item_is_reserved_once(stored: Stored) -> None:
    added = await stored.add(make.item())
    (candidate,) = await stored.waiting(added.queue_id)
    granted = await asyncio.gather(
        *(stored.store.reserve(make.reservation(candidate)) for _ in range(5))
    )
    assert sorted(granted) == [False] * 4 + [True]
    assert not await stored.store.reserve(make.reservation(candidate))
    assert len(await stored.store.open_attempts()) == 1
    assert (await stored.store.queue(added.queue_id, None)).queued_count == 1


async def test_an_attempt_that_another_ended_meanwhile_leaves_its_item_waiting(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await stored.dial_one()
    await stored.store.settle(make.settlement(ended, "busy", next_attempt_at=NOW + 300))
    # As though it had been made, and had ended, between this look and the reservation behind it.
    monkeypatch.setattr("dialer.store.attempts._NEWEST", Fixed(0))
    dialed = await stored.dial_one()
    assert [found.channel_id for found in await stored.store.open_attempts()] == [dialed.channel_id]
    (waiting,) = (await stored.store.items(ended.queue_id, 0, 10)).rows
    assert waiting.status is ItemStatus.PENDING


class Fixed:
    """A question that is always answered the same."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def ask(self, cursor: object) -> int:
        return self.answer


async def test_a_channel_id_is_used_once_for_ever(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt))
    added = await stored.add(*[make.item() for _ in range(3)])
    one, two, three = await stored.waiting(added.queue_id)
    sound = make.reservation(one)
    results = await asyncio.gather(
        stored.store.reserve(sound),
        stored.store.reserve(make.reservation(two, channel_id=attempt.channel_id.upper())),
        stored.store.reserve(make.reservation(three, cdr_id=sound.cdr_id)),
        return_exceptions=True,
    )
    assert results[0] is True
    assert isinstance(results[1], Conflict)
    assert isinstance(results[2], Conflict)
    assert [c.id for c in await stored.waiting(added.queue_id)] == [two.id, three.id]


async def test_a_delivery_can_tell_the_id_of_its_cdrs_row(stored: Stored) -> None:
    def numbered(name: str) -> NumberedDelivery:
        plain = {f.name: getattr(make.delivery(name), f.name) for f in fields(NewDelivery)}
        return NumberedDelivery(**plain | {"body": ""}, finish=lambda row: f'{{"{name}":{row}}}')

    attempts = [await stored.dial_one(), await stored.dial_one()]
    told = await asyncio.gather(
        *(
            stored.store.settle(
                make.settlement(attempt, deliveries=(numbered(f"n{place}"), make.delivery()))
            )
            for place, attempt in enumerate(attempts)
        )
    )
    rows = {cdr.cdr_id: row for row, cdr in await stored.store.cdrs(None, 0, 10)}
    assert len(rows) == 2
    for place, attempt in enumerate(attempts):
        bodies = [delivery.body for delivery in told[place]]
        assert bodies == [f'{{"n{place}":{rows[attempt.cdr_id]}}}', make.delivery().body]
    kept = await stored.store.due_deliveries("https://acme.example", make.NOW + 10, 0, 10)
    assert {d.body for d in kept} == {d.body for found in told for d in found}


Change = Callable[[Store, int], Awaitable[object]]

FORBIDDING: dict[str, Change] = {
    "client inactive": lambda s, _: s.change_client("acme", {"is_active": False}, NOW),
    "client status": lambda s, _: s.change_client("acme", {"status": "suspended"}, NOW),
    "client paused": lambda s, _: s.change_client("acme", {"paused": True}, NOW),
    "key revoked": lambda s, _: s.replace_key(1, None, NOW),
    "server paused": lambda s, _: s.change_server("pbx1", {"paused": True}, NOW),
    "server removed": lambda s, _: s.change_server("pbx1", {"removed": True}, NOW),
    "queue paused": lambda s, queue_id: s.change_queue(
        queue_id, {"status": QueueStatus.PAUSED}, make.close, NOW
    ),
    "queue paused by an operator": lambda s, queue_id: s.change_queue(
        queue_id, {"paused": True}, make.close, NOW
    ),
    "queue completed": lambda s, queue_id: s.change_queue(
        queue_id, {"status": QueueStatus.COMPLETED}, make.close, NOW
    ),
}


@pytest.mark.parametrize("forbid", FORBIDDING.values(), ids=FORBIDDING)
async def test_what_forbids_an_attempt_is_looked_at_when_it_is_reserved(
    stored: Stored, forbid: Change
) -> None:
    added = await stored.add(make.item(), make.item())
    first, second = await stored.waiting(added.queue_id)
    await stored.dial(first)
    await forbid(stored.store, added.queue_id)
    assert not await stored.store.reserve(make.reservation(second))
    assert len(await stored.store.open_attempts()) == 1


async def test_no_attempt_starts_when_the_deadline_has_come(stored: Stored) -> None:
    added = await stored.add(make.item(deadline=NOW + 10))
    (candidate,) = await stored.waiting(added.queue_id)
    assert not await stored.store.reserve(make.reservation(candidate, NOW + 10))
    assert await stored.store.reserve(make.reservation(candidate, NOW + 9.999999))


async def test_no_retry_starts_before_it_is_due(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt, "busy", next_attempt_at=NOW + 300))
    (candidate,) = await stored.store.due_retries(attempt.queue_id, 1, NOW + 300, 10)
    assert not await stored.store.reserve(make.reservation(candidate, NOW + 299.999999))
    assert await stored.store.reserve(make.reservation(candidate, NOW + 300))


async def test_a_reservation_of_another_queues_item_is_refused(stored: Stored) -> None:
    added = await stored.add(make.item())
    (candidate,) = await stored.waiting(added.queue_id)
    assert not await stored.store.reserve(make.reservation(candidate, queue_id=999))


async def test_a_final_settlement_ends_the_item(stored: Stored) -> None:
    attempt = await stored.dial_one()
    callback, sgapi = make.delivery("a"), make.delivery("b", kind="sgapi", endpoint="sgapi")
    settlement = make.settlement(attempt, deliveries=(callback, sgapi))
    first, second = await stored.store.settle(settlement)
    assert (first.body, first.event_id, first.tries) == (callback.body, "a", 0)
    assert (second.kind, second.id) == ("sgapi", first.id + 1)
    assert await stored.store.due_deliveries(callback.endpoint, NOW, 0, 10) == (first,)
    (item,) = (await stored.store.items(attempt.queue_id, 0, 10)).rows
    assert (item.status, item.attempts, item.disposition, item.connected) == (
        ItemStatus.PROCESSED,
        1,
        "answered",
        True,
    )
    assert (item.call_success, item.call_failed) == (1, 0)
    assert (item.last_cdr_id, item.ended_at) == (attempt.cdr_id, settlement.now)
    queue = await stored.store.queue(attempt.queue_id, None)
    assert (queue.status, queue.processed_count) == (QueueStatus.COMPLETED, 1)
    assert await stored.store.open_attempts() == ()
    assert [record for _, record in await stored.store.cdrs(None, 0, 10)] == [settlement.cdr]


async def test_an_attempt_is_settled_once(stored: Stored) -> None:
    attempt = await stored.dial_one()
    settlement = make.settlement(attempt, deliveries=(make.delivery(),))
    results = await asyncio.gather(*(stored.store.settle(settlement) for _ in range(3)))
    assert sorted(map(len, results)) == [0, 0, 1]
    assert await stored.store.settle(settlement) == ()
    assert len(await stored.store.cdrs(None, 0, 10)) == 1
    assert (await stored.store.totals()).deliveries == {"callback/pending": 1}


async def test_an_attempt_that_never_was_is_not_found(stored: Stored) -> None:
    attempt = await stored.dial_one()
    unknown = replace(make.settlement(attempt), channel_id="never-was")
    results = await asyncio.gather(
        stored.store.settle(make.settlement(attempt)),
        stored.store.settle(unknown),
        return_exceptions=True,
    )
    assert results[0] == ()
    assert isinstance(results[1], NotFound)


async def test_a_bad_settlement_fails_alone_and_stores_nothing(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item())
    one, two = [await stored.dial(c) for c in await stored.waiting(added.queue_id)]
    bad = make.settlement(one, deliveries=(make.delivery(), make.delivery(kind="pigeon")))
    results = await asyncio.gather(
        stored.store.settle(bad),
        stored.store.settle(make.settlement(two)),
        return_exceptions=True,
    )
    assert isinstance(results[0], Conflict)
    assert results[1] == ()
    assert [found.channel_id for found in await stored.store.open_attempts()] == [one.channel_id]
    assert (await stored.store.totals()).deliveries == {}
    assert len(await stored.store.cdrs(None, 0, 10)) == 1


async def test_a_settlement_with_a_next_attempt_lets_the_item_wait(stored: Stored) -> None:
    attempt = await stored.dial_one(caller_id="1001")
    due = NOW + 300
    await stored.store.settle(make.settlement(attempt, "busy", next_attempt_at=due))
    store, queue_id = stored.store, attempt.queue_id
    assert await stored.waiting(queue_id) == ()
    assert await store.next_retry_at(queue_id, 1) == due
    assert await store.next_retry_at(queue_id, 1, due) is None
    assert await store.next_retry_at(queue_id, 2) is None
    assert await store.due_retries(queue_id, 1, due - 0.000001, 10) == ()
    (candidate,) = await store.due_retries(queue_id, 1, due, 10)
    assert (candidate.attempts, candidate.unplaced, candidate.due_at) == (1, 0, due)
    assert candidate.caller_id == "1001"
    queue = await store.queue(queue_id, None)
    assert (queue.status, queue.pending_count) == (QueueStatus.IN_PROGRESS, 1)
    (item,) = (await store.items(queue_id, 0, 10)).rows
    assert (item.disposition, item.call_failed, item.ended_at) == ("busy", 1, None)


async def test_unplaced_attempts_are_counted_apart(stored: Stored) -> None:
    attempt = await stored.dial_one()
    settlement = make.settlement(attempt, "failed", next_attempt_at=NOW + 60, unplaced=True)
    await stored.store.settle(settlement)
    (candidate,) = await stored.store.due_retries(attempt.queue_id, 1, NOW + 60, 10)
    assert (candidate.attempts, candidate.unplaced) == (0, 1)


async def test_retries_come_by_their_time(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(3)])
    for candidate, wait in zip(await stored.waiting(added.queue_id), (30, 10, 20), strict=True):
        attempt = await stored.dial(candidate)
        settlement = make.settlement(attempt, "busy", next_attempt_at=NOW + wait)
        await stored.store.settle(settlement)
    due = await stored.store.due_retries(added.queue_id, 1, NOW + 60, 10)
    assert [c.due_at for c in due] == [NOW + 10, NOW + 20, NOW + 30]
    assert len(await stored.store.due_retries(added.queue_id, 1, NOW + 60, 2)) == 2


async def test_waiting_pages_by_id_and_server(stored: Stored) -> None:
    other = await stored.store.add_server(replace(make.SERVER, code="pbx2"), NOW)
    added = await stored.add(make.item(), make.item(server_id=other.id), make.item())
    first, second = await stored.waiting(added.queue_id)
    assert await stored.store.waiting(added.queue_id, 1, first.id, 10) == (second,)
    assert len(await stored.store.waiting(added.queue_id, other.id, 0, 10)) == 1
    assert (await stored.store.snapshot()).lanes == (
        (added.queue_id, stored.server.id),
        (added.queue_id, other.id),
    )


@pytest.mark.parametrize("closed", [True, False], ids=["completed", "retries switched off"])
async def test_no_item_waits_for_a_retry_that_its_queue_no_longer_makes(
    stored: Stored, closed: bool
) -> None:
    attempt = await stored.dial_one()
    change = {"status": QueueStatus.COMPLETED} if closed else {"retry": False}
    await stored.store.change_queue(attempt.queue_id, change, make.close, NOW)
    settlement = make.settlement(
        attempt,
        "busy",
        next_attempt_at=NOW + 300,
        deliveries=(make.delivery("cdr"),),
        closing=(make.delivery("closing"),),
    )
    stored_deliveries = await stored.store.settle(settlement)
    assert [d.event_id for d in stored_deliveries] == ["cdr", "closing"]
    (item,) = (await stored.store.items(attempt.queue_id, 0, 10)).rows
    assert (item.status, item.disposition) == (ItemStatus.TERMINATED, "terminated")
    queue = await stored.store.queue(attempt.queue_id, None)
    assert (queue.status, queue.terminated_count) == (QueueStatus.COMPLETED, 1)


async def test_a_gap_that_was_changed_meanwhile_moves_the_wait(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item())
    one, two = [await stored.dial(c) for c in await stored.waiting(added.queue_id)]
    await stored.store.change_queue(added.queue_id, {"retry_gap": 30}, make.close, NOW)
    for attempt, gap in ((one, 300.0), (two, None)):
        settlement = make.settlement(attempt, "busy", next_attempt_at=NOW + 300, retry_gap=gap)
        await stored.store.settle(settlement)
    due = await stored.store.due_retries(added.queue_id, 1, NOW + 300, 10)
    assert [(c.id, c.due_at) for c in due] == [(one.item_id, NOW + 30), (two.item_id, NOW + 300)]


async def test_a_cdr_comes_back_whole_in_the_order_of_the_ends(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item())
    one, two = [await stored.dial(c) for c in await stored.waiting(added.queue_id)]
    legs = LegB(channel="PJSIP/x-1", dial_status="ANSWER", cause=16, answered_at=NOW + 0.1)
    settled = [
        make.settlement(two, cdr=make.cdr(two, leg_b=legs, details={"a": [1, None]})),
        make.settlement(one, cdr=make.cdr(one, "no-answer", answered_at=None)),
    ]
    for settlement in settled:
        await stored.store.settle(settlement)
    found = await stored.store.cdrs(stored.client.id, 0, 10)
    assert [record for _, record in found] == [s.cdr for s in settled]
    assert await stored.store.cdrs(stored.client.id, found[0][0], 10) == found[1:]
    assert await stored.store.cdrs(99, 0, 10) == ()


async def test_activity_counts_live_calls_and_recent_attempts(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(4)])
    times = (NOW, NOW + 50, NOW + 70, NOW + 80)
    for candidate, at in zip(await stored.waiting(added.queue_id), times, strict=True):
        attempt = await stored.dial(candidate, at)
    await stored.store.settle(make.settlement(attempt))
    activity = await stored.store.activity(NOW + 90)
    assert activity.calls_by_server == {stored.server.id: 3}
    assert activity.calls_by_client == {stored.client.id: 3}
    assert activity.attempts_last_minute == 3
