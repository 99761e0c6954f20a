"""Several deliverers over one outbox: each delivery is claimed by one."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from dialer.delivery.backlog import Limits
from dialer.delivery.following import LINE
from dialer.delivery.outbox import Deliverer, Sharing
from dialer.delivery.verdict import Answer
from dialer.errors import StoreUnavailable
from dialer.states import DeliveryState
from dialer.store.contract import Delivery, Task
from tests.patience import PATIENCE
from tests.unit.dialer.delivery.fakes import (
    FakeClock,
    FakeReceivers,
    FakeSender,
    MemoryOutbox,
    Pauses,
    soon,
)
from tests.unit.dialer.delivery.samples import NOW, make_delivery

OK = Answer(200)
A = "https://a:443"
ONE_AT_A_TIME = Limits(callback_in_flight=1)


class Post:
    """One deliverer of several, over an outbox that all have."""

    def __init__(
        self,
        store: MemoryOutbox,
        answers: bool = True,
        follows: bool = True,
        limits: Limits = ONE_AT_A_TIME,
        recheck: float = 5.0,
    ) -> None:
        self.clock = FakeClock()
        self.sender = FakeSender(lambda delivery: OK if answers else None)
        self.sharing = Sharing(follows=lambda: follows, recheck=recheck)
        self.deliverer = Deliverer(
            store,
            self.clock,
            self.sender,
            FakeReceivers(),
            random.Random(1),
            limits,
            pause=Pauses(),
            sharing=self.sharing,
        )

    @property
    def sent(self) -> list[int]:
        return [delivery.id for delivery in self.sender.sent]


@asynccontextmanager
async def running(posts: Iterable[Post]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(post.deliverer.run()) for post in posts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until_recorded(store: MemoryOutbox, count: int) -> None:
    for _ in range(count):
        await soon(store.recorded.get())


async def test_what_two_find_is_sent_by_one() -> None:
    store = MemoryOutbox(*(make_delivery(n, A) for n in range(1, 21)))
    posts = Post(store), Post(store)
    async with running(posts):
        await until_recorded(store, 20)
    assert sorted(posts[0].sent + posts[1].sent) == list(range(1, 21))
    assert store.pending == {}


async def test_what_was_just_committed_is_claimed_before_it_is_sent() -> None:
    store = MemoryOutbox()
    one, two = Post(store), Post(store)
    async with running([one, two]):
        await soon(store.looked.get())
        await soon(store.looked.get())
        committed = store.commit(make_delivery(1, A))
        one.deliverer.offer(committed)
        two.deliverer.wake()
        await until_recorded(store, 1)
    assert len(one.sent + two.sent) == 1


async def test_a_claim_that_is_nearly_over_is_left_to_whoever_comes_next() -> None:
    store = MemoryOutbox(make_delivery(1, A), make_delivery(2, A))
    one = Post(store, answers=False)
    async with running([one]):
        await soon(one.sender.started.get())
        one.clock.time += one.sharing.claim - one.sharing.least + 1
        one.sender.reply(1, OK)
        await until_recorded(store, 1)
        assert one.sent == [1]
        assert store.pending[2].due_at == NOW + one.sharing.claim
        one.clock.time = NOW + one.sharing.claim
        one.deliverer.wake()
        await soon(one.sender.started.get())
    assert one.sent == [1, 2]


async def test_who_ends_leaves_what_it_has_not_begun_to_the_others_at_once() -> None:
    store = MemoryOutbox(*(make_delivery(n, A) for n in range(1, 4)))
    one, two = Post(store, answers=False), Post(store)
    async with running([one]):
        await soon(one.sender.started.get())
        draining = asyncio.create_task(one.deliverer.drain(NOW + 60))
        async with running([two]):
            await until_recorded(store, 2)
        one.sender.reply(1, OK)
        assert await asyncio.wait_for(draining, PATIENCE) == 0
    assert (one.sent, two.sent) == ([1], [2, 3])


async def test_what_cannot_be_left_now_waits_until_its_claim_ends() -> None:
    store = MemoryOutbox(make_delivery(1, A), make_delivery(2, A))
    one = Post(store, answers=False)
    async with running([one]):
        await soon(one.sender.started.get())

        async def fail(ids: object, until: float, now: float) -> None:
            raise StoreUnavailable("gone")

        store.release_deliveries = fail  # type: ignore[method-assign]
        draining = asyncio.create_task(one.deliverer.drain(NOW + 60))
        one.sender.reply(1, OK)
        assert await asyncio.wait_for(draining, PATIENCE) == 0
    assert store.pending[2].due_at == NOW + one.sharing.claim


async def test_what_was_claimed_and_has_no_room_is_left_to_the_others() -> None:
    """The room goes to another line while the read is under way."""
    store = MemoryOutbox(make_delivery(1, A))
    limits = Limits(callback_in_flight=1, total_in_memory=1, line_in_memory=1)
    one = Post(store, answers=False, limits=limits)
    claim = store.claim_deliveries

    async def claim_more(
        endpoint: str, now: float, after_id: int, limit: int, until: float
    ) -> tuple[Delivery, ...]:
        store.commit(*(make_delivery(n, A) for n in range(2, 6)))
        return await claim(endpoint, now, after_id, 5, until)

    store.claim_deliveries = claim_more  # type: ignore[method-assign]
    async with running([one]):
        await soon(one.sender.started.get())
        store.claim_deliveries = claim  # type: ignore[method-assign]
        left = [row.id for row in store.pending.values() if row.due_at == NOW]
    assert left
    assert 1 not in left


async def test_tasks_are_looked_at_by_one_alone() -> None:
    task = make_delivery(1, LINE, state=DeliveryState.ACCEPTED, task=Task(since=NOW))
    store = MemoryOutbox(task, make_delivery(2, A))
    idle, busy = Post(store, follows=False), Post(store, answers=False)
    async with running([idle]):
        await until_recorded(store, 1)
        assert idle.sent == [2]
        async with running([busy]):
            await soon(busy.sender.started.get())
    assert busy.sent == [1]


async def test_what_another_left_without_a_word_is_found() -> None:
    store = MemoryOutbox()
    one = Post(store, recheck=0.01)
    async with running([one]):
        await soon(store.looked.get())
        store.commit(make_delivery(1, A))
        one.clock.time += one.sharing.recheck
        await until_recorded(store, 1)
    assert one.sent == [1]
