"""Counts are kept, never counted: after any walk they must equal a recount."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from dialer.errors import Conflict
from dialer.states import ItemStatus, QueueStatus
from dialer.store.contract import Delivery, DeliveryOutcome, Reservation, Settlement, Store
from tests import store_records as make
from tests.conformance.store.conftest import Stored

STEPS = 60


class Walk:
    """Random work of clients, worker and operators, many writes at a time."""

    def __init__(self, stored: Stored, seed: int) -> None:
        self.stored, self.store = stored, stored.store
        self.rng = random.Random(seed)
        self.now = make.NOW
        self.queue_ids: list[int] = []
        self.live: list[Reservation] = []
        self.deliveries: list[Delivery] = []

    async def step(self) -> None:
        self.now += self.rng.uniform(0, 20)
        steps = [self.ingest, self.dial, self.settle, self.deliver, self.change, self.expire]
        first, second = self.rng.choices(steps, weights=[3, 6, 5, 3, 1, 1], k=2)
        await asyncio.gather(first(), second())

    async def ingest(self) -> None:
        deadlines = (None, None, self.now + 30, self.now - 1)
        items = [
            make.item(deadline=self.rng.choice(deadlines)) for _ in range(self.rng.randint(1, 6))
        ]
        queue_id = self.rng.choice([None, *self.queue_ids])
        try:
            added = await self.stored.add(*items, queue_id=queue_id)
        except Conflict:
            return  # completed by its client
        if queue_id is None:
            self.queue_ids.append(added.queue_id)

    async def dial(self) -> None:
        if not self.queue_ids:
            return
        queue_id = self.rng.choice(self.queue_ids)
        found = [
            *await self.store.due_retries(queue_id, 1, self.now, 3),
            *await self.store.waiting(queue_id, 1, 0, 3),
        ]
        wanted = [make.reservation(c, self.now) for c in found]
        if wanted and self.rng.random() < 0.3:
            wanted.append(make.reservation(found[0], self.now))
        granted = await asyncio.gather(*map(self.store.reserve, wanted))
        self.live += [r for r, given in zip(wanted, granted, strict=True) if given]

    async def settle(self) -> None:
        ended = [self.live.pop() for _ in range(min(len(self.live), self.rng.randint(0, 4)))]
        stored = await asyncio.gather(*(self.store.settle(self.settlement(r)) for r in ended))
        self.deliveries += [delivery for some in stored for delivery in some]

    def settlement(self, attempt: Reservation) -> Settlement:
        return make.settlement(
            attempt,
            self.rng.choice(["answered", "busy", "no-answer"]),
            next_attempt_at=self.rng.choice([None, self.now + 10]),
            unplaced=self.rng.random() < 0.2,
            deliveries=(make.delivery(), make.delivery(kind="sgapi"))[: self.rng.randint(0, 2)],
            closing=(make.delivery(),),
            now=self.now,
        )

    async def deliver(self) -> None:
        tried = self.rng.sample(self.deliveries, min(3, len(self.deliveries)))
        outcomes = []
        for delivery in tried:
            end = self.rng.choice(["delivered", "dead", "again"])
            outcome = DeliveryOutcome(
                delivery.id, end == "delivered", end == "dead", self.now, 200, None, self.now
            )
            outcomes.append(outcome)
        await asyncio.gather(*map(self.store.record_delivery, outcomes))

    async def change(self) -> None:
        if not self.queue_ids:
            return
        changes: dict[str, Any] = self.rng.choice(
            [
                {"status": QueueStatus.PAUSED},
                {"status": QueueStatus.IN_PROGRESS},
                {"status": QueueStatus.COMPLETED},
                {"retry": False},
                {"retry": True, "retry_gap": 5},
            ]
        )
        try:
            queue_id = self.rng.choice(self.queue_ids)
            await self.store.change_queue(queue_id, changes, make.close, self.now)
        except Conflict:
            return  # a completed queue does not go on

    async def expire(self) -> None:
        await self.store.expire_items(self.now, 5, make.close)


async def recount(store: Store) -> None:
    """Every kept figure against the rows."""
    statuses: Counter[str] = Counter()
    for queue in (await store.queues(None, 0, 1000)).rows:
        rows = (await store.items(queue.id, 0, 10_000)).rows
        counted = Counter(item.status for item in rows)
        kept = [queue.pending_count, queue.queued_count]
        kept += [queue.processed_count, queue.terminated_count]
        assert kept == [counted[status] for status in ItemStatus]
        assert queue.total_count == len(rows)
        ended = not (queue.pending_count or queue.queued_count)
        assert (queue.status is QueueStatus.COMPLETED) >= ended
        statuses.update(counted)
    totals = await store.totals()
    assert totals.items == {status: statuses[status] for status in ItemStatus}
    records = [record for _, record in await store.cdrs(None, 0, 10_000)]
    assert totals.dispositions == Counter(record.disposition for record in records)
    assert totals.cdrs == len(records)
    pending: Counter[str] = Counter()
    for endpoint in await store.due_endpoints(4e9):
        for delivery in await store.due_deliveries(endpoint, 4e9, 0, 10_000):
            pending[f"{delivery.kind}/pending"] += 1
    kept_pending = {n: v for n, v in totals.deliveries.items() if n.endswith("/pending")}
    assert kept_pending == pending
    assert statuses[ItemStatus.QUEUED] == len(await store.open_attempts())


@pytest.mark.parametrize("seed", range(6))
async def test_counts_equal_a_recount_after_any_walk(stored: Stored, seed: int) -> None:
    walk = Walk(stored, seed)
    for _ in range(STEPS):
        await walk.step()
    await recount(stored.store)
    assert len(walk.queue_ids) > 1
    assert (await stored.store.totals()).cdrs > 5
