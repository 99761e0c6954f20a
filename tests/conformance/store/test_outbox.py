"""The outbox: what is due, to whom, and what became of it."""

import asyncio

import pytest

from dialer.histories import CdrQuery
from dialer.store.contract import Delivery, DeliveryFilter, DeliveryOutcome, NewDelivery
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW = make.NOW


async def put(stored: Stored, *deliveries: NewDelivery) -> tuple[Delivery, ...]:
    attempt = await stored.dial_one()
    return await stored.store.settle(make.settlement(attempt, deliveries=deliveries))


def outcome(delivery: Delivery, kind: str = "delivered", **changes: object) -> DeliveryOutcome:
    made: dict[str, object] = {"due_at": None, "status": 200, "error": None, "now": NOW + 1}
    made |= {"delivered": kind == "delivered", "dead": kind == "dead"} | changes
    return DeliveryOutcome(id=delivery.id, **made)  # type: ignore[arg-type]


async def test_due_deliveries_come_by_endpoint_and_id(stored: Stored) -> None:
    a1, b1, late, a2 = await put(
        stored,
        make.delivery("a1", endpoint="a", due_at=NOW + 1),
        make.delivery("b1", endpoint="b"),
        make.delivery("late", endpoint="a", due_at=NOW + 10),
        make.delivery("a2", endpoint="a"),
    )
    store = stored.store
    assert await store.due_deliveries("a", NOW + 1, 0, 10) == (a1, a2)
    assert await store.due_deliveries("a", NOW + 1, 0, 1) == (a1,)
    assert await store.due_deliveries("a", NOW + 1, a1.id, 10) == (a2,)
    assert await store.due_deliveries("b", NOW + 1, 0, 10) == (b1,)
    assert sorted(await store.due_endpoints(NOW)) == ["a", "b"]
    assert await store.next_delivery_at() == NOW
    assert await store.next_delivery_at(NOW) == NOW + 1
    assert await store.next_delivery_at(NOW + 1) == late.due_at
    assert await store.next_delivery_at(NOW + 10) is None


async def test_an_empty_outbox(stored: Stored) -> None:
    assert await stored.store.due_endpoints(NOW) == ()
    assert await stored.store.next_delivery_at() is None
    assert await stored.store.due_deliveries("a", NOW, 0, 10) == ()


async def test_a_delivered_or_dead_one_leaves_once(stored: Stored) -> None:
    one, two = await put(stored, make.delivery("1"), make.delivery("2"))
    record = stored.store.record_delivery
    results = await asyncio.gather(
        record(outcome(one)), record(outcome(two, "dead", status=410)), record(outcome(one))
    )
    assert list(results) == [True, True, False]
    assert not await record(outcome(two))
    assert await stored.store.due_endpoints(NOW + 99) == ()
    assert (await stored.store.totals()).deliveries == {
        "callback/delivered": 1,
        "callback/dead": 1,
    }


@pytest.mark.parametrize(("counts", "tries"), [(True, 1), (False, 0)])
async def test_a_failed_try_waits_and_counts_unless_it_may_not(
    stored: Stored, counts: bool, tries: int
) -> None:
    (one,) = await put(stored, make.delivery("1"))
    again = outcome(one, "again", due_at=NOW + 30, status=429, error="slow", counts=counts)
    assert await stored.store.record_delivery(again)
    assert await stored.store.due_deliveries(one.endpoint, NOW + 29, 0, 10) == ()
    (found,) = await stored.store.due_deliveries(one.endpoint, NOW + 30, 0, 10)
    assert (found.tries, found.due_at, found.body) == (tries, NOW + 30, one.body)


async def test_outcomes_of_one_delivery_are_taken_in_their_order(stored: Stored) -> None:
    (one,) = await put(stored, make.delivery("1"))
    record = stored.store.record_delivery
    results = await asyncio.gather(
        record(outcome(one, "again", due_at=NOW + 5)),
        record(outcome(one, "again", due_at=NOW + 9)),
        record(outcome(one, "dead")),
        record(outcome(one)),
    )
    assert list(results) == [True, True, True, False]
    assert (await stored.store.totals()).deliveries == {"callback/dead": 1}


async def test_an_unknown_delivery_is_reported(stored: Stored) -> None:
    (one,) = await put(stored, make.delivery("1"))
    unknown = DeliveryOutcome(one.id + 1, True, False, None, 200, None, NOW)
    assert not await stored.store.record_delivery(unknown)


async def test_an_answer_may_hold_anything(stored: Stored) -> None:
    (one,) = await put(stored, make.delivery("1"))
    again = outcome(one, "again", due_at=NOW, status=500, error="a\0b")
    assert await stored.store.record_delivery(again)
    (found,) = await stored.store.deliveries(DeliveryFilter(ids=(one.id,)), 10)
    assert found.error in ("a\0b", "a\ufffdb")
    assert await stored.store.sgapi_task(stored.client.id, "\0") is None
    assert (await stored.store.queues(None, 0, 10, {"name": "\0"})).rows == ()
    assert (await stored.store.cdr_page(CdrQuery(1, number="\0"), 10)).rows == ()
    assert (await stored.store.cdr_page(CdrQuery(1, duration=2**40), 10)).rows == ()


async def test_what_one_deliverer_takes_is_due_for_no_other_until_its_time(
    stored: Stored,
) -> None:
    store, until = stored.store, NOW + 60
    one, two, three = await put(stored, *(make.delivery(name) for name in "123"))
    endpoint = one.endpoint
    assert await store.claim_deliveries(endpoint, NOW, 0, 2, until) == (one, two)
    assert await store.claim_deliveries(endpoint, NOW, 0, 2, until) == (three,)
    assert await store.claim_deliveries(endpoint, NOW, 0, 2, until) == ()
    assert await store.due_endpoints(NOW) == ()
    assert await store.next_delivery_at(NOW) == until
    assert await store.record_delivery(outcome(one))
    assert await store.record_delivery(outcome(two, "again", due_at=NOW + 5))
    assert [d.id for d in await store.due_deliveries(endpoint, until - 1, 0, 9)] == [two.id]
    taken = await store.claim_deliveries(endpoint, until, 0, 9, until + 60)
    assert [delivery.id for delivery in taken] == [two.id, three.id]


async def test_several_deliverers_share_what_is_due(stored: Stored) -> None:
    rows = await put(stored, *(make.delivery(str(n)) for n in range(30)))
    claim = stored.store.claim_deliveries
    taken = await asyncio.gather(*(claim(rows[0].endpoint, NOW, 0, 10, NOW + 60) for _ in range(4)))
    ids = [delivery.id for some in taken for delivery in some]
    assert len(ids) == len(set(ids))
    rest = await claim(rows[0].endpoint, NOW, 0, 99, NOW + 60)
    assert sorted([*ids, *(delivery.id for delivery in rest)]) == [row.id for row in rows]


async def test_what_was_not_tried_after_all_is_released(stored: Stored) -> None:
    store, until = stored.store, NOW + 60
    one, two, three = await put(stored, *(make.delivery(name) for name in "123"))
    await store.claim_deliveries(one.endpoint, NOW, 0, 3, until)
    await store.record_delivery(outcome(one))
    await store.record_delivery(outcome(two, "again", due_at=NOW + 30))
    await store.release_deliveries([one.id, two.id, three.id], until, NOW + 1)
    (found,) = await store.due_deliveries(one.endpoint, NOW + 1, 0, 9)
    assert (found.id, found.due_at) == (three.id, NOW + 1)


async def test_what_is_still_claimed_is_claimed_for_longer(stored: Stored) -> None:
    store, until = stored.store, NOW + 15
    one, two, three = await put(stored, *(make.delivery(name) for name in "123"))
    ids = [one.id, two.id, three.id]
    await store.claim_deliveries(one.endpoint, NOW, 0, 3, until)
    await store.record_delivery(outcome(one))
    await store.record_delivery(outcome(two, "again", due_at=NOW + 16))
    assert await store.renew_deliveries(ids, until, until + 4) == {three.id}
    assert await store.renew_deliveries(ids, until, until + 8) == frozenset()
    assert await store.renew_deliveries([], until, until + 4) == frozenset()
    due = await store.due_deliveries(one.endpoint, until + 4, 0, 9)
    assert [(row.id, row.due_at) for row in due] == [(two.id, NOW + 16), (three.id, until + 4)]
