"""Short claims: who lives keeps what it holds, and what a dead one held is soon sent by others."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from dialer.delivery import claims as claims_module
from dialer.delivery.claims import AT_ONCE, Claims, Sharing
from dialer.delivery.verdict import Answer
from tests.unit.dialer.delivery.fakes import MemoryOutbox, Pauses, soon
from tests.unit.dialer.delivery.samples import NOW, make_delivery
from tests.unit.dialer.delivery.test_sharing import OK, A, Post, running, until_recorded

SHARING = Sharing(follows=lambda: True)


def test_a_dead_deliverers_claims_end_within_fifteen_seconds_and_a_living_ones_never() -> None:
    assert SHARING.claim <= 15.0
    # Whatever was claimed just behind a renewal, and whatever one renewal that fails leaves.
    assert SHARING.claim - 2.5 * SHARING.renew >= SHARING.least


def test_claims_are_sorted_by_their_ends() -> None:
    claims = Claims()
    claims.note([1, 2], 10.0)
    claims.note([3], 12.0)
    assert claims.sort([1, 3, 4, 2]) == [(10.0, [1, 2]), (12.0, [3])]
    assert claims.sort([1, 2, 3], before=12.0) == [(10.0, [1, 2])]
    assert (claims.lasts(3, 12.0), claims.lasts(3, 12.1), claims.lasts(4, 0.1)) == (
        True,
        False,
        False,
    )
    claims.renewed([1, 2], {2}, 20.0)
    assert claims.take_away([1, 2]) == [(20.0, [2])]
    claims.forget(3)
    assert claims.sort([1, 2, 3]) == []


def test_many_claims_are_moved_in_slices() -> None:
    claims, ids = Claims(), list(range(2 * AT_ONCE + 1))
    claims.note(ids, 10.0)
    slices = claims.sort(ids)
    assert [len(some) for _, some in slices] == [AT_ONCE, AT_ONCE, 1]
    assert [id_ for until, some in slices for id_ in some if until == 10.0] == ids


class Watched(Post):
    """Whose renewals the test brings about."""

    def __init__(self, store: MemoryOutbox, answers: bool = False) -> None:
        super().__init__(store, answers)
        self.pauses = Pauses()
        self.deliverer._pause = self.pauses

    async def renew(self, seconds: float = SHARING.renew) -> None:
        """So many seconds go by."""
        self.clock.time += seconds
        self.pauses.end()
        await self.paused()

    async def paused(self) -> None:
        await soon(self.pauses.begun.get())


@asynccontextmanager
async def at_work(*posts: Watched) -> AsyncIterator[None]:
    async with running(posts):
        for post in posts:
            await post.paused()
        yield


async def test_what_waits_and_what_is_sent_stays_its_own_for_as_long_as_it_takes() -> None:
    store = MemoryOutbox(make_delivery(1, A), make_delivery(2, A))
    one, two = Watched(store), Watched(store, answers=True)
    async with at_work(one):
        await soon(one.sender.started.get())
        for _ in range(5):
            await one.renew()
        until = one.clock.time + SHARING.claim
        assert [row.due_at for row in store.pending.values()] == [until, until]
        two.clock.time = one.clock.time
        async with at_work(two):
            one.sender.reply(1, OK)
            await until_recorded(store, 1)
            await soon(one.sender.started.get())
            one.sender.reply(2, OK)
            await until_recorded(store, 1)
    assert (one.sent, two.sent) == ([1, 2], [])


async def test_what_is_kept_for_one_endpoint_in_slices_is_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims_module, "AT_ONCE", 2)
    store = MemoryOutbox(*(make_delivery(n, A) for n in range(1, 5)))
    renew, asked = store.renew_deliveries, []

    async def watch(ids: Sequence[int], until: float, later: float) -> frozenset[int]:
        asked.append(sorted(ids))
        return await renew(ids, until, later)

    store.renew_deliveries = watch  # type: ignore[method-assign]
    one = Watched(store)
    async with at_work(one):
        await soon(one.sender.started.get())
        await one.renew()
        assert {row.due_at for row in store.pending.values()} == {one.clock.time + SHARING.claim}
    assert sorted(map(len, asked)) == [2, 2]


async def test_what_a_dead_one_held_is_sent_by_another_when_its_claims_end() -> None:
    store = MemoryOutbox(make_delivery(1, A), make_delivery(2, A))
    one, two = Watched(store), Watched(store, answers=True)
    async with at_work(one):
        await soon(one.sender.started.get())
        await one.renew()
    two.clock.time = one.clock.time + SHARING.claim
    async with at_work(two):
        await until_recorded(store, 2)
    assert two.sent == [1, 2]


async def test_claims_that_the_database_could_not_renew_are_renewed_the_next_time() -> None:
    store = MemoryOutbox(make_delivery(1, A))
    one = Watched(store)
    async with at_work(one):
        await soon(one.sender.started.get())
        store.down = True
        await one.renew()
        assert store.pending[1].due_at == NOW + SHARING.claim
        store.down = False
        await one.renew()
        assert store.pending[1].due_at == one.clock.time + SHARING.claim


async def test_what_is_another_ones_by_now_is_not_begun() -> None:
    """It was frozen for longer than its claims lasted."""
    store = MemoryOutbox(make_delivery(1, A), make_delivery(2, A))
    one, two = Watched(store), Watched(store)
    async with at_work(one):
        await soon(one.sender.started.get())
        two.clock.time = NOW + SHARING.claim
        async with at_work(two):
            await soon(two.sender.started.get())
            await one.renew(SHARING.claim)
            one.sender.reply(1, OK)
            await until_recorded(store, 1)
            two.sender.reply(1, Answer(200))
            await soon(two.sender.started.get())
    assert (one.sent, two.sent) == ([1], [1, 2])
