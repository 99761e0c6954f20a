"""The deliverer on a real outbox, over real sockets: what is stored arrives, whatever happens."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dialer.delivery.backlog import Limits
from dialer.delivery.outbox import Deliverer
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.schedule import DELAYS
from dialer.delivery.sender import Sender, SenderSettings
from dialer.delivery.verdict import Answer
from dialer.demo import refuse_first
from dialer.sinks import CallbackSink, SgapiSink
from dialer.store.contract import Delivery, NewDelivery, Store
from tests import store_records as make
from tests.conformance.store.conftest import Stored
from tests.patience import PATIENCE
from tests.unit.dialer.delivery.fakes import FakeClock, soon

KEY = b"a signing key of thirty-two bytes"
SMALL = Limits(callback_in_flight=2, line_in_memory=3, total_in_memory=6, page=2)
CDR = (
    '{"uuid":"%s","caller_id":"","called_number":"1","start_time":"2024-01-15T10:30:00Z",'
    '"end_time":"2024-01-15T10:30:01Z","duration":1,"disposition":"BUSY"}'
)


@asynccontextmanager
async def delivering(store: Store, clock: FakeClock) -> AsyncIterator[Deliverer]:
    book = ReceiverBook(store, lambda: KEY)
    sender = Sender(clock, SenderSettings(allow_private=True), book.secrets_of)
    deliverer = Deliverer(store, clock, sender, book, random.Random(1), SMALL)
    task = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def callback(url: str, name: str) -> NewDelivery:
    return make.delivery(name, endpoint=url, url=url, body=f'{{"cdr_id":"{name}"}}')


def put(url: str, name: str) -> NewDelivery:
    url = f"{url}/cdrtosgapi"
    return make.delivery(
        name, kind="sgapi", endpoint="sgapi", method="PUT", url=url, body=CDR % name
    )


async def test_more_than_memory_holds_arrives_once_at_both_ends(stored: Stored) -> None:
    names = {f"cdr-{n}" for n in range(40)}
    clock = FakeClock(make.NOW)
    async with CallbackSink() as callbacks, SgapiSink() as gateway:
        for name in names:
            rows = (callback(callbacks.origin, name), put(gateway.origin, name))
            attempt = await stored.dial_one()
            await stored.store.settle(make.settlement(attempt, deliveries=rows))
        async with delivering(stored.store, clock) as deliverer:
            assert await asyncio.wait_for(deliverer.drain(make.NOW + 60), PATIENCE) == 0
    assert set(callbacks.bodies) == set(gateway.cdrs) == names
    assert callbacks.requests == gateway.requests == len(names)
    assert (await stored.store.totals()).deliveries == {
        "callback/delivered": 40,
        "sgapi/accepted": 40,
    }


async def test_a_refused_one_comes_back_when_it_is_due_and_not_before(stored: Stored) -> None:
    clock = FakeClock(make.NOW)
    arrived = asyncio.Event()
    async with CallbackSink(refuse_first(1)) as callbacks:
        callbacks.watch(arrived.set)
        async with delivering(stored.store, clock) as deliverer:
            attempt = await stored.dial_one()
            rows = (callback(callbacks.origin, "a"),)
            deliverer.offer(await stored.store.settle(make.settlement(attempt, deliveries=rows)))
            await asyncio.wait_for(deliverer.drain(make.NOW + 60), PATIENCE)
            due_at = await stored.store.next_delivery_at()
            assert due_at is not None
            assert due_at - make.NOW >= DELAYS[0]
            assert callbacks.bodies == {}
            clock.time = due_at
            deliverer.wake()
            await soon(arrived.wait())
            await asyncio.wait_for(deliverer.drain(due_at + 60), PATIENCE)
    assert (await stored.store.totals()).deliveries == {"callback/delivered": 1}


async def test_what_was_in_flight_when_it_was_killed_is_sent_by_the_next_life(
    stored: Stored,
) -> None:
    clock = FakeClock(make.NOW)
    async with CallbackSink() as callbacks:
        attempt = await stored.dial_one()
        rows = (callback(callbacks.origin, "a"),)
        await stored.store.settle(make.settlement(attempt, deliveries=rows))
        reached = asyncio.Event()

        class Dying(Sender):
            async def send(self, delivery: Delivery) -> Answer:
                answer = await super().send(delivery)
                reached.set()
                await asyncio.Event().wait()
                return answer

        sender = Dying(clock, SenderSettings(allow_private=True))
        book = ReceiverBook(stored.store, lambda: KEY)
        deliverer = Deliverer(stored.store, clock, sender, book, random.Random(1))
        task = asyncio.create_task(deliverer.run())
        await soon(reached.wait())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        reopened = stored.reopen()
        await reopened.open()
        async with delivering(reopened, clock) as deliverer:
            assert await asyncio.wait_for(deliverer.drain(make.NOW + 60), PATIENCE) == 0
        await reopened.close()
    assert callbacks.duplicates == {"a": 1}
    assert (await stored.store.totals()).deliveries == {"callback/delivered": 1}
