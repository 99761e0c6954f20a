import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from dialer.delivery.backlog import Limits
from dialer.delivery.following import LINE, LOOKS
from dialer.delivery.outbox import LONGEST_STORE_PAUSE, STORE_PAUSE, Deliverer
from dialer.delivery.schedule import DELAYS
from dialer.delivery.verdict import Answer
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
A, B = "https://a:443", "https://b:443"


class Stage:
    """A deliverer with everything around it in the test's hands."""

    def __init__(self, store: MemoryOutbox, sender: FakeSender, limits: Limits) -> None:
        self.store = store
        self.sender = sender
        self.clock = FakeClock()
        self.pauses = Pauses()
        self.receivers = FakeReceivers()
        self.deliverer = Deliverer(
            store, self.clock, sender, self.receivers, random.Random(1), limits, pause=self.pauses
        )

    async def outcomes(self, count: int) -> None:
        for _ in range(count):
            await soon(self.store.recorded.get())

    async def started(self, count: int) -> list[int]:
        numbers = []
        for _ in range(count):
            delivery = await asyncio.wait_for(self.sender.started.get(), PATIENCE)
            numbers.append(delivery.id)
        return numbers

    def advance(self, seconds: float) -> None:
        """Let time pass; the timer itself sleeps in real time, so it is told."""
        self.clock.time += seconds
        self.deliverer._woken.set()


@asynccontextmanager
async def running(
    sender: FakeSender, *rows: Delivery, limits: Limits | None = None
) -> AsyncIterator[Stage]:
    stage = Stage(MemoryOutbox(*rows), sender, limits or Limits())
    task = asyncio.create_task(stage.deliverer.run())
    try:
        yield stage
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert sender.closed


async def test_what_waits_on_disk_is_delivered_at_start() -> None:
    rows = [make_delivery(n, endpoint) for n, endpoint in ((1, A), (2, B), (3, "sgapi"))]
    async with running(FakeSender(lambda d: OK), *rows) as stage:
        await stage.outcomes(3)
    outcomes = sorted(stage.store.outcomes, key=lambda outcome: outcome.id)
    assert [outcome.delivered for outcome in outcomes] == [True, True, False]
    assert outcomes[2].accepted
    assert set(stage.store.pending) == {3}


async def test_what_is_offered_is_sent_without_a_read() -> None:
    async with running(FakeSender(lambda d: OK)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1), make_delivery(2)))
        await stage.outcomes(2)
    assert stage.store.pages == 0
    assert [delivery.id for delivery in stage.sender.sent] == [1, 2]


async def test_what_is_offered_before_the_start_waits_for_it() -> None:
    sender = FakeSender(lambda d: OK)
    stage = Stage(MemoryOutbox(), sender, Limits())
    stage.deliverer.offer(stage.store.commit(make_delivery(1)))
    assert sender.sent == []
    task = asyncio.create_task(stage.deliverer.run())
    await stage.outcomes(1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_failed_try_comes_back_when_it_is_due_with_the_same_body() -> None:
    answers = iter([Answer(500), Answer(None, error="no answer within 15 s"), OK])
    async with running(FakeSender(lambda d: next(answers))) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1)))
        await stage.outcomes(1)
        stage.advance(DELAYS[0] * 1.2)
        await stage.outcomes(1)
        stage.advance(DELAYS[1] * 1.2)
        await stage.outcomes(1)
    first, second, third = stage.store.outcomes
    assert (first.status, first.error, first.delivered, first.dead) == (
        500,
        "HTTP 500",
        False,
        False,
    )
    assert first.due_at is not None
    assert DELAYS[0] <= first.due_at - NOW <= DELAYS[0] * 1.2
    assert (second.status, second.error) == (None, "no answer within 15 s")
    assert third.delivered
    assert [d.tries for d in stage.sender.sent] == [0, 1, 2]
    assert len({(d.event_id, d.body) for d in stage.sender.sent}) == 1


async def test_after_the_whole_schedule_it_is_dead(caplog: pytest.LogCaptureFixture) -> None:
    async with running(FakeSender(lambda d: Answer(500)), make_delivery(1)) as stage:
        for _ in range(len(DELAYS) + 1):
            await stage.outcomes(1)
            stage.advance(DELAYS[-1] * 1.2)
    assert [outcome.dead for outcome in stage.store.outcomes] == [False] * 10 + [True]
    assert stage.store.pending == {}
    (said,) = [vars(record) for record in caplog.records if record.msg == "a delivery is dead"]
    assert (said["delivery"], said["endpoint"]) == (1, "https://a:443")


async def test_a_black_hole_delays_nobody_else() -> None:
    holes = [make_delivery(n, A) for n in range(1, 301)]
    limits = Limits(callback_in_flight=8, total_in_flight=16, line_in_memory=20, page=10)
    sender = FakeSender(lambda d: None if d.endpoint == A else OK)
    async with running(sender, *holes, limits=limits) as stage:
        await stage.started(8)
        stage.deliverer.offer(stage.store.commit(*(make_delivery(n, B) for n in range(1001, 1051))))
        await stage.outcomes(50)
        assert {outcome.id for outcome in stage.store.outcomes} == set(range(1001, 1051))
        assert sender.most_at_once == 8
        assert stage.deliverer._backlog.held <= 30


async def test_a_backlog_larger_than_memory_is_delivered_in_order() -> None:
    rows = [make_delivery(n, A) for n in range(1, 201)]
    limits = Limits(callback_in_flight=1, line_in_memory=8, total_in_memory=16, page=4)
    async with running(FakeSender(lambda d: OK), *rows, limits=limits) as stage:
        await stage.outcomes(200)
    assert [delivery.id for delivery in stage.sender.sent] == list(range(1, 201))


async def test_an_outcome_that_cannot_be_stored_is_kept_and_stored_later() -> None:
    async with running(FakeSender(lambda d: OK)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1)))
        stage.store.down = True
        for _ in range(8):
            await soon(stage.pauses.begun.get())
            stage.pauses.end()
        await soon(stage.pauses.begun.get())
        stage.store.down = False
        stage.pauses.end()
        await stage.outcomes(1)
    assert len(stage.sender.sent) == 1
    assert stage.store.outcomes[0].delivered
    assert stage.pauses.seconds[:3] == [STORE_PAUSE, 2 * STORE_PAUSE, 4 * STORE_PAUSE]
    assert max(stage.pauses.seconds) == LONGEST_STORE_PAUSE


async def test_an_outbox_that_cannot_be_read_is_read_later() -> None:
    sender = FakeSender(lambda d: OK)
    stage = Stage(MemoryOutbox(make_delivery(1)), sender, Limits())
    stage.store.down = True
    task = asyncio.create_task(stage.deliverer.run())
    await soon(stage.pauses.begun.get())
    stage.store.down = False
    stage.pauses.end()
    await stage.outcomes(1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert stage.store.outcomes[0].delivered


async def test_a_read_that_fails_half_way_is_done_again() -> None:
    sender = FakeSender(lambda d: OK)
    stage = Stage(MemoryOutbox(make_delivery(1, A), make_delivery(2, B)), sender, Limits())

    def fail_once(delivery: Delivery) -> Answer:
        stage.store.down = len(sender.sent) == 1
        return OK

    sender.script = fail_once
    task = asyncio.create_task(stage.deliverer.run())
    await soon(stage.pauses.begun.get())
    stage.store.down = False
    stage.pauses.end()
    stage.pauses.end()
    await stage.outcomes(2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert sorted(outcome.id for outcome in stage.store.outcomes) == [1, 2]


async def test_429_paces_without_counting() -> None:
    answers = iter([Answer(429, retry_after=60.0), OK, OK])
    limits = Limits(callback_in_flight=1)
    async with running(FakeSender(lambda d: next(answers)), limits=limits) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1), make_delivery(2)))
        await stage.outcomes(1)
        assert stage.deliverer.resting() == {A: NOW + 60.0}
        stage.advance(60.0)
        await stage.outcomes(1)
        stage.advance(1.0)
        await stage.outcomes(1)
    assert [outcome.counts for outcome in stage.store.outcomes] == [False, True, True]
    assert [(d.id, d.tries) for d in stage.sender.sent] == [(1, 0), (2, 0), (1, 0)]


async def test_refused_credentials_stop_sgapi_loudly_and_probe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    valid = asyncio.Event()
    sender = FakeSender(lambda d: OK if valid.is_set() else Answer(401))
    limits = Limits(sgapi_in_flight=2)
    async with running(sender, limits=limits) as stage:
        await soon(stage.store.looked.get())
        rows = [make_delivery(n, "sgapi") for n in range(1, 7)]
        stage.deliverer.offer(stage.store.commit(*rows))
        await stage.outcomes(2)
        stage.advance(300.0)
        await stage.outcomes(1)
        valid.set()
        stage.advance(300.0)
        await stage.outcomes(6)
    assert [outcome.counts for outcome in stage.store.outcomes] == [False] * 3 + [True] * 6
    assert caplog.text.count("our credentials are refused") == 1
    assert "our credentials are accepted again" in caplog.text
    assert {row.endpoint for row in stage.store.pending.values()} == {LINE}


async def test_a_delivery_that_was_no_longer_pending_is_only_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(FakeSender(lambda d: OK)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer([make_delivery(5)])  # not in the store
        await stage.outcomes(1)
    (said,) = caplog.records
    assert (said.msg, vars(said)["delivery"]) == ("no longer pending", 5)


async def test_waking_finds_what_others_wrote() -> None:
    async with running(FakeSender(lambda d: OK)) as stage:
        await soon(stage.store.looked.get())
        stage.store.commit(make_delivery(1))
        stage.deliverer.wake()
        await stage.outcomes(1)


async def test_draining_waits_for_what_is_in_flight() -> None:
    async with running(FakeSender(lambda d: None)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1)))
        await stage.started(1)
        drain = asyncio.create_task(stage.deliverer.drain(NOW + 30.0))
        await asyncio.sleep(0)
        assert not drain.done()
        stage.sender.reply(1, OK)
        assert await asyncio.wait_for(drain, PATIENCE) == 0
    assert stage.store.outcomes[0].delivered


async def test_draining_waits_for_the_look_at_the_disk() -> None:
    async with running(FakeSender(lambda d: OK), make_delivery(1)) as stage:
        await soon(stage.store.looked.get())
        assert await asyncio.wait_for(stage.deliverer.drain(NOW + 30.0), PATIENCE) == 0
        assert stage.store.pending == {}


async def test_draining_ends_at_its_deadline_and_says_what_is_left() -> None:
    async with running(FakeSender(lambda d: None)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1), make_delivery(2)))
        await stage.started(2)
        assert await stage.deliverer.drain(NOW) == 2
    assert set(stage.store.pending) == {1, 2}


async def test_draining_does_not_wait_for_an_endpoint_that_rests() -> None:
    sender = FakeSender(lambda d: Answer(429, retry_after=600.0))
    async with running(sender, limits=Limits(callback_in_flight=1)) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1), make_delivery(2)))
        await stage.outcomes(1)
        assert await asyncio.wait_for(stage.deliverer.drain(NOW + 3600.0), PATIENCE) == 1


async def test_what_is_in_flight_at_a_stop_stays_in_the_outbox() -> None:
    async with running(FakeSender(lambda d: None), make_delivery(1)) as stage:
        await stage.started(1)
    assert stage.store.outcomes == []
    assert set(stage.store.pending) == {1}


async def test_our_own_bug_ends_run_instead_of_hiding() -> None:
    def fail(delivery: Delivery) -> Answer:
        raise LookupError("bug")

    stage = Stage(MemoryOutbox(make_delivery(1)), FakeSender(fail), Limits())
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(stage.deliverer.run(), PATIENCE)
    assert caught.group_contains(LookupError)


async def test_what_sgapi_took_is_followed_to_its_end() -> None:
    states = iter(["pending", "processing", "completed"])
    sender = FakeSender(
        lambda d: Answer(200, content=b'{"data":{"state":"%b"}}' % next(states).encode())
    )
    async with running(sender) as stage:
        await soon(stage.store.looked.get())
        stage.deliverer.offer(stage.store.commit(make_delivery(1, "sgapi")))
        await stage.outcomes(1)
        for wait in LOOKS[:2]:
            stage.advance(wait * 1.2)
            await stage.outcomes(1)
    assert [d.state.value for d in sender.sent] == ["pending", "accepted", "accepted"]
    assert [outcome.delivered for outcome in stage.store.outcomes] == [False, False, True]
    assert [outcome.counts for outcome in stage.store.outcomes] == [True, False, False]
    assert stage.store.outcomes[-1].task == Task(NOW, 2, 0, "completed")
    assert stage.store.pending == {}


async def test_looks_that_hang_hold_up_no_cdr() -> None:
    accepted = [
        make_delivery(n, LINE, kind="sgapi", state=DeliveryState.ACCEPTED, task=Task(NOW))
        for n in range(1, 50)
    ]
    sender = FakeSender(lambda d: None if d.state is DeliveryState.ACCEPTED else OK)
    limits = Limits(tasks_in_flight=3, total_in_flight=8)
    async with running(sender, *accepted, limits=limits) as stage:
        await stage.started(3)
        rows = [make_delivery(n, "sgapi") for n in range(101, 151)]
        stage.deliverer.offer(stage.store.commit(*rows))
        await stage.outcomes(50)
        assert sender.most_at_once == 3
    assert {outcome.id for outcome in stage.store.outcomes} == set(range(101, 151))


async def test_a_callback_url_that_is_gone_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender = FakeSender(lambda d: Answer(410) if d.url == "https://a/gone" else OK)
    async with running(sender, limits=Limits(callback_in_flight=1)) as stage:
        await soon(stage.store.looked.get())
        gone = [make_delivery(n, A, url="https://a/gone") for n in range(1, 6)]
        others = [make_delivery(6, A, url="https://a/other"), make_delivery(7, A, client_id=8)]
        stage.deliverer.offer(stage.store.commit(*gone, *others))
        await stage.outcomes(7)
    assert [d.id for d in sender.sent] == [1, 6, 7]
    first, *rest = stage.store.outcomes[:5]
    assert (first.dead, first.gone, first.status, first.counts) == (True, True, 410, True)
    assert all(o.dead and not o.gone and not o.counts and "410" in (o.error or "") for o in rest)
    assert caplog.text.count("a callback URL is gone") == 1
    assert caplog.text.count("a delivery is dead") == 1


async def test_receivers_are_read_before_anything_is_sent_and_after_every_change() -> None:
    sender = FakeSender(lambda d: OK)
    stage = Stage(MemoryOutbox(make_delivery(1)), sender, Limits())
    stage.receivers.down = True
    task = asyncio.create_task(stage.deliverer.run())
    await soon(stage.pauses.begun.get())
    stage.deliverer.offer(stage.store.commit(make_delivery(2)))
    assert sender.sent == []
    stage.receivers.down = False
    stage.pauses.end()
    await stage.outcomes(2)
    assert stage.receivers.refreshed == 1
    stage.store.commit(make_delivery(3))
    stage.deliverer.wake()
    await stage.outcomes(1)
    assert stage.receivers.refreshed == 2
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_clock_that_is_set_back_keeps_no_endpoint_resting() -> None:
    answers = iter([Answer(429, retry_after=10.0), OK])
    sender = FakeSender(lambda d: next(answers))
    async with running(sender, limits=Limits(callback_in_flight=1)) as stage:
        await soon(stage.store.looked.get())
        stage.clock.moved = -3600.0
        stage.deliverer.offer(stage.store.commit(make_delivery(1, due_at=NOW - 7200)))
        await stage.outcomes(1)
        stage.clock.moved -= 3600.0
        stage.deliverer.offer(stage.store.commit(make_delivery(2, due_at=NOW - 7200)))
        stage.advance(11.0)
        await stage.outcomes(1)
    assert [outcome.delivered for outcome in stage.store.outcomes] == [False, True]
