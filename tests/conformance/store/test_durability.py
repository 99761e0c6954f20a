"""What survives closing, and other processes on the same database."""

import asyncio

import pytest

from dialer.errors import StoreUnavailable
from dialer.states import ItemStatus
from dialer.store.contract import Store
from tests import store_records as make
from tests.conformance.store.conftest import Stored
from tests.patience import PATIENCE


async def test_everything_is_there_after_opening_again(stored: Stored) -> None:
    added = await stored.add(make.item(), make.item(wanted_channel_id="kept-name"))
    one, two = await stored.waiting(added.queue_id)
    await stored.dial(one)
    ended = await stored.dial(two)
    await stored.store.settle(make.settlement(ended, deliveries=(make.delivery(),)))
    before = await state(stored.store, added.queue_id)
    await stored.store.close()
    again = stored.reopen()
    await again.open()
    assert await state(again, added.queue_id) == before
    await again.close()


async def state(store: Store, queue_id: int) -> list[object]:
    return [
        await store.snapshot(),
        await store.items(queue_id, 0, 10),
        await store.open_attempts(),
        await store.cdrs(None, 0, 10),
        await store.due_deliveries(make.delivery().endpoint, make.NOW, 0, 10),
        await store.totals(),
    ]


async def test_what_was_handed_over_is_written_before_closing(stored: Stored) -> None:
    added = await stored.add(*[make.item() for _ in range(300)])
    attempts = [make.reservation(c) for c in await stored.waiting(added.queue_id, 300)]
    granted = [stored.store.reserve(attempt) for attempt in attempts]
    await stored.store.close()
    assert all([await one for one in granted])
    again = stored.reopen()
    await again.open()
    assert len(await again.open_attempts()) == 300
    await again.close()


async def test_a_closed_store_takes_no_writes(stored: Stored) -> None:
    attempt = await stored.dial_one()
    await stored.store.close()
    with pytest.raises(StoreUnavailable):
        await stored.store.settle(make.settlement(attempt))
    with pytest.raises(StoreUnavailable):
        await stored.add(make.item())


async def test_another_process_is_noticed_and_oneself_is_not(stored: Stored) -> None:
    noticed = asyncio.Event()
    stored.store.on_foreign_change(noticed.set)
    await stored.add(make.item())
    await stored.store.clients()
    other = stored.reopen()
    await other.open()
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):  # several looks pass
            await stored.store.runtime()
    assert not noticed.is_set()
    await other.change_server("pbx1", {"paused": True}, make.NOW)
    async with asyncio.timeout(PATIENCE):
        await noticed.wait()
    assert (await stored.store.servers())[0].paused
    await other.close()


async def test_two_processes_write_in_turn(stored: Stored) -> None:
    other = stored.reopen()
    await other.open()
    batches = [make.batch(make.item()) for _ in range(20)]
    await asyncio.gather(
        *((stored.store, other)[n % 2].insert_batch(b) for n, b in enumerate(batches))
    )
    assert (await stored.store.totals()).items[ItemStatus.PENDING] == 20
    await other.close()
