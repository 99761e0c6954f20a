"""CDRs of other telephony systems: stored once for each client, with their delivery, told of."""

from dataclasses import replace

import pytest

from dialer.errors import DuplicateCdr, NotFound
from dialer.states import DeliveryState
from dialer.store.contract import (
    DeliveryOutcome,
    ForeignCdr,
    Forwards,
    IdempotentAnswer,
    KeptAnswer,
    NewDelivery,
    SgapiTask,
    StoredKey,
    Task,
)
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW = make.NOW
UUID = "550e8400-e29b-41d4-a716-446655440000"
CONTENT = {
    "caller_id": '"Zoë" <+15551234567>',
    "called_number": "+15559876543",
    "start_time": "2024-01-15T10:30:00Z",
    "end_time": "2024-01-15T10:35:30Z",
    "duration": 330,
    "disposition": "no-answer",
    "custom_data": {"deep": [{"er": None}]},
}


def cdr(client_id: int = 1, uuid: str = UUID, **changes: object) -> ForeignCdr:
    made = ForeignCdr(client_id, uuid, f"ours-{client_id}-{uuid}", "sales", CONTENT, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def forward(cdr: ForeignCdr, uuid: str) -> NewDelivery:
    return make.delivery(
        uuid, kind="sgapi", method="PUT", endpoint="sgapi", client_id=cdr.client_id,
        body=f"{cdr.entity} {cdr.content['custom_data']}",
    )  # fmt: skip


FORWARDS = Forwards(
    forward,
    own=lambda cdr: make.delivery(cdr.cdr_id, kind="sgapi", method="PUT", endpoint="sgapi"),
)


def untold(**changes: object) -> SgapiTask:
    made = SgapiTask(
        UUID, f"ours-1-{UUID}", True, '"Zoë" <+15551234567>', "+15559876543", "no-answer", 330,
        NOW, NOW,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_it_is_stored_with_its_delivery(stored: Stored) -> None:
    store = stored.store
    (delivery,) = await store.add_foreign_cdr(cdr(), forward)
    assert (delivery.event_id, delivery.kind) == (UUID, "sgapi")
    assert await store.due_deliveries("sgapi", NOW, 0, 10) == (delivery,)
    assert (await store.totals()).deliveries == {"sgapi/pending": 1}
    assert await store.sgapi_task(1, UUID) == untold(state=DeliveryState.PENDING)
    assert await store.audit(10) == ()


async def test_a_uuid_is_unique_for_its_client(stored: Stored) -> None:
    store = stored.store
    await store.add_foreign_cdr(cdr(), forward)
    with pytest.raises(DuplicateCdr):
        await store.add_foreign_cdr(cdr(cdr_id="another"), forward)
    assert (await store.totals()).deliveries == {"sgapi/pending": 1}


async def test_another_clients_uuid_is_free_and_goes_out_under_ours(stored: Stored) -> None:
    """SGAPI would take them for one CDR."""
    store = stored.store
    other = await store.add_client(
        replace(make.CLIENT, accountcode="other", username="other"), StoredKey("l2", "d"), NOW
    )
    await store.add_foreign_cdr(cdr(), forward)
    second = cdr(other.id)
    (delivery,) = await store.add_foreign_cdr(second, forward)
    assert delivery.event_id == second.cdr_id
    told = await store.sgapi_task(other.id, UUID)
    assert told is not None
    assert (told.uuid, told.cdr_id) == (UUID, second.cdr_id)


async def test_the_id_of_a_call_of_ours_is_taken(stored: Stored) -> None:
    store = stored.store
    attempt = await stored.dial_one()  # it has not ended
    with pytest.raises(DuplicateCdr):
        await store.add_foreign_cdr(cdr(uuid=attempt.cdr_id), forward)
    other = await store.add_client(
        replace(make.CLIENT, accountcode="other", username="other"), StoredKey("l2", "d"), NOW
    )
    second = cdr(other.id, attempt.cdr_id)
    (delivery,) = await store.add_foreign_cdr(second, forward)
    assert delivery.event_id == second.cdr_id


async def test_what_came_without_an_sgapi_is_forwarded_later(stored: Stored) -> None:
    store = stored.store
    uuids = [UUID[:-1] + digit for digit in "123"]
    for uuid in uuids:
        assert await store.add_foreign_cdr(cdr(uuid=uuid), None) == ()
    assert await store.due_endpoints(NOW) == ()
    assert await store.sgapi_task(1, uuids[0]) == untold(uuid=uuids[0], cdr_id=f"ours-1-{uuids[0]}")
    later = NOW + 60
    counts = [await store.forward_unsent(FORWARDS, later, 2) for _ in range(3)]
    assert counts == [2, 1, 0]
    found = await store.due_deliveries("sgapi", later, 0, 10)
    assert [delivery.event_id for delivery in found] == uuids
    assert found[0].body == "sales {'deep': [{'er': None}]}"
    assert (await store.totals()).deliveries == {"sgapi/pending": 3}
    told = await store.sgapi_task(1, uuids[2])
    assert told is not None
    assert told.state is DeliveryState.PENDING


async def end_calls(stored: Stored, count: int, *deliveries: NewDelivery) -> list[str]:
    """The cdr_ids of calls of ours that were dialed and ended."""
    ended = []
    for _ in range(count):
        attempt = await stored.dial_one()
        await stored.store.settle(make.settlement(attempt, deliveries=deliveries))
        ended.append(attempt.cdr_id)
    return ended


async def test_calls_that_ended_without_an_sgapi_are_forwarded_later(stored: Stored) -> None:
    store = stored.store
    await end_calls(stored, 1)  # before anybody said that there is no SGAPI
    assert await store.forward_unsent(None, NOW, 0) == 0
    ended = await end_calls(stored, 3)
    assert await store.forward_unsent(None, NOW, 0) == 0  # the next start has none either
    ended += await end_calls(stored, 2)
    assert await store.due_endpoints(NOW) == ()
    counts = [await store.forward_unsent(FORWARDS, NOW, 2) for _ in range(5)]
    assert counts == [2, 2, 1, 0, 0]
    found = await store.due_deliveries("sgapi", NOW, 0, 10)
    assert [delivery.event_id for delivery in found] == ended
    assert (await store.totals()).deliveries == {"sgapi/pending": 5}


async def test_a_call_is_forwarded_once_whatever_ended_a_start(stored: Stored) -> None:
    """SGAPI was there, then not, then again, and the start that forwards is not the last one."""
    store = stored.store
    sent = make.delivery("sent", kind="sgapi", method="PUT", endpoint="sgapi")
    await end_calls(stored, 1, sent)
    await store.forward_unsent(None, NOW, 0)
    ended = await end_calls(stored, 3)
    assert await store.forward_unsent(FORWARDS, NOW, 1) == 1
    await store.forward_unsent(None, NOW, 0)  # ends here, and starts without
    ended += await end_calls(stored, 1)
    while await store.forward_unsent(FORWARDS, NOW, 2):
        pass
    found = await store.due_deliveries("sgapi", NOW, 0, 10)
    assert [delivery.event_id for delivery in found] == ["sent", *ended]


async def test_a_call_that_came_with_its_delivery_gets_no_second(stored: Stored) -> None:
    store = stored.store
    await store.forward_unsent(None, NOW, 0)
    (unsent,) = await end_calls(stored, 1)
    attempt = await stored.dial_one()
    own = make.delivery(attempt.cdr_id, kind="sgapi", method="PUT", endpoint="sgapi")
    await store.settle(make.settlement(attempt, deliveries=(own,)))  # SGAPI is there again
    assert await store.forward_unsent(FORWARDS, NOW, 9) == 2
    found = await store.due_deliveries("sgapi", NOW, 0, 10)
    assert sorted(delivery.event_id for delivery in found) == sorted([unsent, attempt.cdr_id])


async def test_what_its_tries_came_to_is_told(stored: Stored) -> None:
    store = stored.store
    (one,) = await store.add_foreign_cdr(cdr(), forward)
    failed = DeliveryOutcome(one.id, False, False, NOW + 9, 503, "HTTP 503", NOW + 1)
    assert await store.record_delivery(failed)
    assert await store.sgapi_task(1, UUID) == untold(
        state=DeliveryState.PENDING, tries=1, status=503, error="HTTP 503", updated_at=NOW + 1
    )
    task = Task(NOW + 2, state="completed", reference="ref")
    done = DeliveryOutcome(one.id, True, False, None, 200, None, NOW + 2, task=task)
    assert await store.record_delivery(done)
    assert await store.sgapi_task(1, UUID) == untold(
        state=DeliveryState.DELIVERED, tries=2, status=200, updated_at=NOW + 2, ended_at=NOW + 2,
        task=task,
    )  # fmt: skip


async def test_a_call_of_ours_is_told_of(stored: Stored) -> None:
    store = stored.store
    attempt = await stored.dial_one()
    assert await store.sgapi_task(1, attempt.cdr_id) is None  # it has not ended
    new = make.delivery(attempt.cdr_id, kind="sgapi", method="PUT", endpoint="sgapi")
    other = make.delivery(attempt.cdr_id)
    await store.settle(make.settlement(attempt, "busy", deliveries=(other, new), now=NOW + 4))
    assert await store.sgapi_task(1, attempt.cdr_id) == SgapiTask(
        attempt.cdr_id, attempt.cdr_id, False, None, "9800000001", "busy", 3, NOW + 3.5, NOW + 3.5,
        DeliveryState.PENDING,
    )  # fmt: skip


async def test_a_call_that_ended_without_an_sgapi_was_not_sent_so_far(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt))
    told = await stored.store.sgapi_task(1, attempt.cdr_id)
    assert told is not None
    assert (told.state, told.created_at) == (None, told.updated_at)
    await stored.store.forward_unsent(None, NOW, 0)
    late = await stored.dial_one()
    await stored.store.settle(make.settlement(late))
    unsent = await stored.store.sgapi_task(1, late.cdr_id)
    assert unsent is not None
    while await stored.store.forward_unsent(FORWARDS, NOW + 9000, 9):
        pass
    sent = replace(unsent, state=DeliveryState.PENDING)
    assert await stored.store.sgapi_task(1, late.cdr_id) == sent


async def test_nothing_is_told_to_another_client(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.settle(make.settlement(attempt))
    await stored.store.add_foreign_cdr(cdr(), forward)
    for uuid in (UUID, attempt.cdr_id, "unknown"):
        assert await stored.store.sgapi_task(2, uuid) is None


async def test_the_answer_is_kept_with_it(stored: Stored) -> None:
    store = stored.store
    answer = IdempotentAnswer("digest", 200, "{}", NOW)
    await store.add_foreign_cdr(cdr(), forward, lambda: KeptAnswer(1, "key", answer), "superuser x")
    assert await store.idempotent_answer(1, "key") == answer
    (entry,) = await store.audit(1)
    assert (entry.actor, entry.action, entry.subject) == ("superuser x", "cdr.add", "acme")
    assert entry.details == {"uuid": UUID}

    def fail() -> KeptAnswer:
        raise NotFound("no answer")

    with pytest.raises(NotFound):
        await store.add_foreign_cdr(cdr(uuid=UUID[:-1] + "9"), forward, fail)
    assert await store.sgapi_task(1, UUID[:-1] + "9") is None
    assert (await store.totals()).deliveries == {"sgapi/pending": 1}
