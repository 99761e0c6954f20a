"""Deliveries as operators see them, followed ones, and what is known of receivers."""

import asyncio
from dataclasses import replace

import pytest

from dialer.errors import NotFound
from dialer.states import DeliveryState
from dialer.store.contract import (
    Delivery,
    DeliveryFilter,
    DeliveryOutcome,
    IdempotentAnswer,
    KeptAnswer,
    NewDelivery,
    Receivers,
    Signing,
    StoredKey,
    Task,
)
from tests import store_records as make
from tests.conformance.store.conftest import Stored
from tests.patience import PATIENCE

NOW = make.NOW
ANN = "operator ann"
URL = make.delivery().url
TASK = Task(NOW, 2, 1, "failed", "error", "ref", "Zoë \x00 said no", 3)


async def put(stored: Stored, *new: NewDelivery, now: float = NOW) -> tuple[Delivery, ...]:
    attempt = await stored.dial_one()
    return await stored.store.settle(make.settlement(attempt, deliveries=new, now=now))


def dead(delivery: Delivery, **changes: object) -> DeliveryOutcome:
    made = DeliveryOutcome(delivery.id, False, True, None, 500, "HTTP 500", NOW + 9)
    return replace(made, **changes)  # type: ignore[arg-type]


def accepted(delivery: Delivery, **changes: object) -> DeliveryOutcome:
    made = DeliveryOutcome(
        delivery.id, False, False, NOW + 5, 200, None, NOW + 1,
        accepted=True, endpoint="tasks", task=Task(NOW + 1),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_an_accepted_one_stands_in_another_line_until_it_ends(stored: Stored) -> None:
    store = stored.store
    (one,) = await put(stored, make.delivery("a", endpoint="sgapi"))
    assert await store.record_delivery(accepted(one))
    assert (await store.totals()).deliveries == {"callback/accepted": 1}
    assert await store.due_endpoints(NOW + 4) == ()
    assert await store.next_delivery_at() == NOW + 5
    assert await store.due_endpoints(NOW + 5) == ("tasks",)
    (found,) = await store.due_deliveries("tasks", NOW + 5, 0, 10)
    wanted = replace(one, endpoint="tasks", due_at=NOW + 5, tries=1, task=Task(NOW + 1))
    assert found == replace(wanted, state=DeliveryState.ACCEPTED)
    leaves = DeliveryState.ACCEPTED
    done = DeliveryOutcome(
        one.id, True, False, None, 200, None, NOW + 6, False,
        leaves=leaves, endpoint="sgapi", task=TASK,
    )  # fmt: skip
    assert not await store.record_delivery(replace(done, leaves=DeliveryState.PENDING))
    assert await store.record_delivery(done)
    assert not await store.record_delivery(done)
    (record,) = await store.deliveries(DeliveryFilter(), 10)
    assert (record.delivery.state, record.delivery.tries) == (DeliveryState.DELIVERED, 1)
    assert (record.delivery.endpoint, record.delivery.task) == ("sgapi", TASK)
    assert (await store.totals()).deliveries == {"callback/delivered": 1}


async def test_what_was_accepted_and_lost_is_sent_again(stored: Stored) -> None:
    store = stored.store
    (one,) = await put(stored, make.delivery("a", endpoint="sgapi"))
    again = DeliveryOutcome(
        one.id, False, False, NOW + 9, 404, None, NOW + 8,
        leaves=DeliveryState.ACCEPTED, endpoint="sgapi",
    )  # fmt: skip
    results = await asyncio.gather(
        store.record_delivery(accepted(one)), store.record_delivery(again)
    )
    assert list(results) == [True, True]
    (found,) = await store.due_deliveries("sgapi", NOW + 9, 0, 10)
    assert (found.state, found.task) == (DeliveryState.PENDING, Task(NOW + 1))
    assert (await store.totals()).deliveries == {"callback/pending": 1}


async def test_lists_are_of_what_is_wanted_the_latest_first(stored: Stored) -> None:
    store = stored.store
    other = await store.add_client(
        replace(make.CLIENT, accountcode="other", username="other"), StoredKey("l2", "d"), NOW
    )
    one, two = await put(stored, make.delivery("1"), make.delivery("2", kind="sgapi"))
    three, four = await put(
        stored,
        make.delivery("3", client_id=other.id, endpoint="elsewhere"),
        make.delivery("4"),
        now=NOW + 60,
    )
    await asyncio.gather(*(store.record_delivery(dead(d)) for d in (one, two, three)))

    async def find(limit: int = 10, **wanted: object) -> list[int]:
        found = await store.deliveries(DeliveryFilter(**wanted), limit)  # type: ignore[arg-type]
        return [record.delivery.id for record in found]

    assert await find() == [four.id, three.id, two.id, one.id]
    assert await find(2) == [four.id, three.id]
    assert await find(state=DeliveryState.DEAD) == [three.id, two.id, one.id]
    assert await find(state=DeliveryState.DEAD, client_id=stored.client.id) == [two.id, one.id]
    assert await find(kind="sgapi") == [two.id]
    assert await find(endpoint="elsewhere") == [three.id]
    assert await find(since=NOW + 60) == [four.id, three.id]
    assert await find(until=NOW + 60) == [two.id, one.id]
    assert await find(ids=(one.id, four.id, 99)) == [four.id, one.id]
    (record,) = await store.deliveries(DeliveryFilter(client_id=other.id), 10)
    assert (record.accountcode, record.status, record.error) == ("other", 500, "HTTP 500")
    assert (record.ended_at, record.delivery.body) == (NOW + 9, three.body)


async def test_dead_ones_are_sent_again_as_if_new(stored: Stored) -> None:
    store = stored.store
    one, two, three = await put(stored, *(make.delivery(n) for n in "123"))
    await store.record_delivery(dead(one, task=TASK))
    await store.record_delivery(dead(two))
    wanted = DeliveryFilter(state=DeliveryState.PENDING)  # whatever it says: dead ones
    assert await store.retry_deliveries(wanted, NOW + 99, ANN) == 2
    assert await store.retry_deliveries(wanted, NOW + 99, ANN) == 0
    found = await store.due_deliveries(one.endpoint, NOW + 99, 0, 10)
    assert found == (replace(one, due_at=NOW + 99), replace(two, due_at=NOW + 99), three)
    assert (await store.totals()).deliveries == {"callback/pending": 3}
    (entry,) = await store.audit(1)
    assert (entry.actor, entry.action, entry.subject) == (ANN, "delivery.retry", "deliveries")
    assert entry.details["count"] == 2


async def test_more_than_a_transaction_takes_is_sent_again(stored: Stored) -> None:
    store = stored.store
    deliveries = await put(stored, *(make.delivery(str(n)) for n in range(2100)))
    assert all(await asyncio.gather(*(store.record_delivery(dead(d)) for d in deliveries)))
    assert (await store.totals()).deliveries == {"callback/dead": 2100}
    wanted = DeliveryFilter(client_id=stored.client.id)
    assert await store.retry_deliveries(wanted, NOW, ANN) == 2100
    assert (await store.totals()).deliveries == {"callback/pending": 2100}
    (entry,) = await store.audit(1)
    assert (entry.subject, entry.details["count"]) == ("acme", 2100)


async def test_a_retry_is_seen_by_a_running_worker(stored: Stored) -> None:
    (one,) = await put(stored, make.delivery("1"))
    await stored.store.record_delivery(dead(one))
    seen = asyncio.Event()
    stored.store.on_foreign_change(seen.set)
    beside = stored.reopen()
    await beside.open()
    seen.clear()
    assert await beside.retry_deliveries(DeliveryFilter(ids=(one.id,)), NOW, ANN) == 1
    await asyncio.wait_for(seen.wait(), PATIENCE)
    assert await stored.store.due_endpoints(NOW) == (one.endpoint,)
    await beside.close()


@pytest.mark.parametrize("how", ["retry", "callback"])
async def test_a_url_is_gone_until_somebody_says_otherwise(stored: Stored, how: str) -> None:
    store, client = stored.store, stored.client
    one, two = await put(stored, make.delivery("1"), make.delivery("2"))
    assert await store.receivers() == Receivers()
    await store.record_delivery(dead(one, gone=True))
    await store.record_delivery(dead(two, gone=True))
    assert (await store.receivers()).gone == {(client.id, URL)}
    await store.change_client("acme", {"did": "1"}, NOW)
    assert (await store.receivers()).gone == {(client.id, URL)}
    if how == "retry":
        await store.retry_deliveries(DeliveryFilter(ids=(two.id,)), NOW, ANN)
    else:
        await store.change_client("acme", {"callback_url": URL}, NOW)
    assert (await store.receivers()).gone == frozenset()


async def test_signing_secrets_have_versions(stored: Stored) -> None:
    store, client = stored.store, stored.client
    assert await store.rotate_signing(client.id, NOW + 60, NOW, ANN) == Signing(2, NOW + 60)
    assert await store.rotate_signing(client.id, None, NOW, ANN) == Signing(3, None)
    assert (await store.receivers()).signing == {client.id: Signing(3, None)}
    with pytest.raises(NotFound):
        await store.rotate_signing(99, None, NOW, ANN)
    (latest, first) = await store.audit(2)
    assert (first.actor, first.action, first.subject) == (ANN, "client.signing-secret", "acme")
    assert latest.details["version"] == [2, 3]


async def test_the_answer_to_a_rotation_is_kept_with_it(stored: Stored) -> None:
    store, client = stored.store, stored.client

    def keep(signing: Signing) -> KeptAnswer:
        return KeptAnswer(client.id, "key", IdempotentAnswer("d", 200, f"{signing.version}", NOW))

    await store.rotate_signing(client.id, None, NOW, ANN, keep)
    answer = await store.idempotent_answer(client.id, "key")
    assert answer is not None
    assert answer.body == "2"
