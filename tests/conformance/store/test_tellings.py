"""Callbacks about calls that go on: once an event, also over a restart, and never after the end."""

import asyncio
from dataclasses import replace

import pytest

from dialer.errors import OwnershipLost
from dialer.states import CallbackEvent
from dialer.store.contract import Reservation, Telling
from tests import store_records as make
from tests.conformance.store.conftest import Stored


def telling(attempt: Reservation, event: CallbackEvent = CallbackEvent.STARTED) -> Telling:
    delivery = make.delivery(f"{attempt.cdr_id}-{event.value}")
    return Telling(attempt.channel_id, event, delivery, make.NOW, attempt.fence)


async def test_an_event_is_told_once_over_a_restart(stored: Stored) -> None:
    attempt = await stored.dial_one()
    (row,) = await stored.store.tell(telling(attempt))
    assert (row.event_id, row.due_at) == (f"{attempt.cdr_id}-call_started", make.NOW)
    (kept,) = await stored.store.due_deliveries(row.endpoint, make.NOW, 0, 10)
    assert kept == row
    await stored.store.close()
    again = stored.reopen()
    await again.open()
    try:
        assert await again.tell(telling(attempt)) == ()
        assert len(await again.tell(telling(attempt, CallbackEvent.ANSWERED))) == 1
    finally:
        await again.close()


async def test_what_is_told_with_an_end_comes_before_it(stored: Stored) -> None:
    attempt = await stored.dial_one()
    end = make.settlement(attempt, deliveries=(make.delivery("end"),))
    ended, told = await asyncio.gather(
        stored.store.settle(end), stored.store.tell(telling(attempt))
    )
    assert told[0].id < ended[0].id
    assert await stored.store.tell(telling(attempt, CallbackEvent.ANSWERED)) == ()


async def test_only_the_owner_tells(stored: Stored) -> None:
    attempt = await stored.dial_one()
    tokens = await stored.store.own([stored.server.id])
    with pytest.raises(OwnershipLost):
        await stored.store.tell(telling(attempt))
    fresh = replace(telling(attempt), fence=tokens[stored.server.id])
    assert len(await stored.store.tell(fresh)) == 1


async def test_what_a_client_asked_for_is_kept(stored: Stored) -> None:
    assert (await stored.store.client(stored.client.accountcode)).callback_events == frozenset()
    for wanted in (frozenset(CallbackEvent), frozenset({CallbackEvent.ANSWERED}), frozenset()):
        changes = {"callback_events": wanted}
        changed = await stored.store.change_client(
            stored.client.accountcode, changes, make.NOW, "operator ann"
        )
        assert changed.callback_events == wanted
    entry = (await stored.store.audit(1))[0]
    assert entry.details["callback_events"] == [["call_answered"], []]
