"""A clock that stands still, an outbox in memory, and a sender that answers when told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from dialer.delivery.verdict import Answer
from dialer.errors import StoreUnavailable
from dialer.states import DeliveryState
from dialer.store.contract import Delivery, DeliveryOutcome
from tests.patience import PATIENCE
from tests.unit.dialer.delivery.samples import NOW

"""Seconds of real time after which a test that waits for something fails."""


class FakeClock:
    """`moved`: what somebody set the wall clock forward by."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now
        self.moved = 0.0

    def now(self) -> float:
        return self.time + self.moved

    def monotonic(self) -> float:
        return self.time


class MemoryOutbox:
    """`dialer.delivery.outbox.OutboxStore` as the contract has it, without a disk. `down` makes
    every call fail; `reads` counts the looks for due rows."""

    def __init__(self, *rows: Delivery) -> None:
        self.pending = {row.id: row for row in rows}
        self.outcomes: list[DeliveryOutcome] = []
        self.recorded: asyncio.Queue[DeliveryOutcome] = asyncio.Queue()
        self.looked: asyncio.Queue[float] = asyncio.Queue()
        self.pages = 0
        self.down = False

    def commit(self, *rows: Delivery) -> tuple[Delivery, ...]:
        self.pending |= {row.id: row for row in rows}
        return rows

    def record_delivery(self, outcome: DeliveryOutcome) -> Awaitable[bool]:
        return self._record(outcome)

    async def due_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int
    ) -> tuple[Delivery, ...]:
        self._check()
        self.pages += 1
        due = sorted(
            row.id
            for row in self.pending.values()
            if row.endpoint == endpoint and row.due_at <= now and row.id > after_id
        )
        return tuple(self.pending[number] for number in due[:limit])

    async def claim_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int, until: float
    ) -> tuple[Delivery, ...]:
        rows = await self.due_deliveries(endpoint, now, after_id, limit)
        self.pending |= {row.id: replace(row, due_at=until) for row in rows}
        return rows

    async def release_deliveries(self, ids: Sequence[int], until: float, now: float) -> None:
        self._check()
        for number in ids:
            row = self.pending[number]
            if row.due_at == until:
                self.pending[number] = replace(row, due_at=now)

    async def renew_deliveries(
        self, ids: Sequence[int], until: float, later: float
    ) -> frozenset[int]:
        self._check()
        held = [self.pending[number] for number in ids if number in self.pending]
        mine = [row for row in held if row.due_at == until]
        self.pending |= {row.id: replace(row, due_at=later) for row in mine}
        return frozenset(row.id for row in mine)

    async def due_endpoints(self, now: float) -> tuple[str, ...]:
        self.looked.put_nowait(now)
        self._check()
        await asyncio.sleep(0)  # a real read takes its time
        return tuple({row.endpoint for row in self.pending.values() if row.due_at <= now})

    async def next_delivery_at(self, after: float = 0.0) -> float | None:
        self._check()
        return min((r.due_at for r in self.pending.values() if r.due_at > after), default=None)

    async def _record(self, outcome: DeliveryOutcome) -> bool:
        self._check()
        row = self.pending.pop(outcome.id, None)
        assert row is None or row.state is outcome.leaves
        self.outcomes.append(outcome)
        self.recorded.put_nowait(outcome)
        if row is None:
            return False
        if outcome.due_at is not None:
            self.pending[row.id] = replace(
                row,
                due_at=outcome.due_at,
                tries=row.tries + outcome.counts,
                state=DeliveryState.ACCEPTED if outcome.accepted else DeliveryState.PENDING,
                endpoint=outcome.endpoint or row.endpoint,
                task=outcome.task or row.task,
            )
        return True

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("disk full")


class FakeReceivers:
    """`dialer.delivery.outbox.Receivers`: `gone` holds (client_id, url)."""

    def __init__(self) -> None:
        self.gone: set[tuple[int, str]] = set()
        self.refreshed = 0
        self.down = False

    async def refresh(self) -> None:
        if self.down:
            raise StoreUnavailable("locked")
        self.refreshed += 1

    def is_gone(self, client_id: int, url: str) -> bool:
        return (client_id, url) in self.gone

    def note_gone(self, client_id: int, url: str) -> bool:
        news = not self.is_gone(client_id, url)
        self.gone.add((client_id, url))
        return news


class FakeSender:
    """Answers by `script`, or (None) leaves the delivery in flight until `reply`."""

    def __init__(self, script: Callable[[Delivery], Answer | None]) -> None:
        self.script = script
        self.sent: list[Delivery] = []
        self.started: asyncio.Queue[Delivery] = asyncio.Queue()
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self.most_at_once = 0
        self.opened = self.closed = False

    async def __aenter__(self) -> Self:
        self.opened = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed = True

    async def send(self, delivery: Delivery) -> Answer:
        self.sent.append(delivery)
        self.started.put_nowait(delivery)
        answer = self.script(delivery)
        if answer is not None:
            return answer
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting[delivery.id] = future
        self.most_at_once = max(self.most_at_once, len(self.waiting))
        try:
            return await future
        finally:
            del self.waiting[delivery.id]

    def reply(self, number: int, answer: Answer) -> None:
        self.waiting[number].set_result(answer)


class Pauses:
    """Stands in for `asyncio.sleep`: notes the seconds and lets the test decide when it is over."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.begun: asyncio.Queue[float] = asyncio.Queue()
        self._over: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.begun.put_nowait(seconds)
        await self._over.get()

    def end(self) -> None:
        self._over.put_nowait(None)


async def soon(awaitable: Awaitable[object]) -> None:
    """Wait for what must happen, and fail where it does not."""
    await asyncio.wait_for(awaitable, PATIENCE)
