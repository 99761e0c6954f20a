"""What becomes of CDRs that the Disposition Gateway took: a real outbox, real sockets, a gateway
that does as it is told, and a clock in the test's hands."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from dialer.delivery.following import LOOKS, PROBE
from dialer.delivery.outbox import Deliverer
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.schedule import DELAYS
from dialer.delivery.sender import Sender, SenderSettings
from dialer.sinks import SgapiSink, find_fault
from dialer.states import DeliveryState
from dialer.store.contract import DeliveryFilter, DeliveryRecord, StoredKey, Task
from dialer.store.sqlite import SqliteStore
from tests import store_records as make
from tests.unit.dialer.delivery.fakes import FakeClock, soon

BODY = (
    '{"uuid":"%s","caller_id":"","called_number":"1","start_time":"2024-01-15T10:30:00Z",'
    '"end_time":"2024-01-15T10:30:01Z","duration":1,"disposition":"BUSY"}'
)
Tasks = Callable[[str, int], Awaitable[web.Response | None]]


@dataclass
class Scene:
    """A store with CDRs "a", "b", … on their way to `gateway`."""

    store: SqliteStore
    gateway: SgapiSink
    clock: FakeClock
    url: str

    @asynccontextmanager
    async def delivering(self, store: SqliteStore | None = None) -> AsyncIterator[Deliverer]:
        used = store or self.store
        book = ReceiverBook(used, lambda: b"k" * 32)
        sender = Sender(self.clock, SenderSettings(sgapi_token="t0ken", total_timeout=0.5))
        deliverer = Deliverer(used, self.clock, sender, book, random.Random(1))
        task = asyncio.create_task(deliverer.run())
        try:
            yield deliverer
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def put(self, *names: str) -> None:
        for name in names:
            new = make.delivery(
                name, kind="sgapi", endpoint="sgapi", method="PUT", body=BODY % name,
                url=f"{self.gateway.origin}/cdrtosgapi/outbound",
            )  # fmt: skip
            queue_id = (await self.store.insert_batch(make.batch(make.item()))).queue_id
            (candidate,) = await self.store.waiting(queue_id, 1, 0, 1)
            attempt = make.reservation(candidate)
            assert await self.store.reserve(attempt)
            await self.store.settle(make.settlement(attempt, deliveries=(new,)))

    async def pass_time(self, deliverer: Deliverer, seconds: float) -> None:
        """Let time pass, and everything be done that is due then."""
        self.clock.time += seconds
        deliverer.wake()
        await soon(deliverer.drain(self.clock.time + 60))

    async def record(self, place: int = 1) -> DeliveryRecord:
        (record,) = await self.store.deliveries(DeliveryFilter(ids=(place,)), 1)
        return record

    async def state(self, place: int = 1) -> DeliveryState:
        return (await self.record(place)).delivery.state

    async def task(self, place: int = 1) -> Task:
        task = (await self.record(place)).delivery.task
        assert task is not None
        return task

    def answer(self, uuid: str, state: str, **changes: object) -> web.Response:
        return web.json_response(self.gateway.describe_task(uuid, state, **changes))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    url = make.make_store_file(tmp_path / "dialer.db")
    store = SqliteStore(url, settle_linger=0, record_linger=0)
    await store.open()
    await store.add_server(make.SERVER, make.NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    async with SgapiSink(token="t0ken") as gateway:
        yield Scene(store, gateway, FakeClock(make.NOW), url)
    await store.close()


def tell(scene: Scene, *states: str, **changes: object) -> Tasks:
    """One state after the other, the last one for ever."""

    async def answer(uuid: str, look: int) -> web.Response:
        return scene.answer(uuid, states[min(look, len(states)) - 1], **changes)

    return answer


async def test_pending_then_processing_then_completed(scene: Scene) -> None:
    scene.gateway.tasks = tell(scene, "pending", "processing", "completed")
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        assert await scene.state() is DeliveryState.ACCEPTED
        assert (await scene.task()).state == "pending"
        assert scene.gateway.looks == {}
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
        await scene.pass_time(deliverer, LOOKS[1] * 1.2)
        task = await scene.task()
        assert (task.state, task.sgapi_status, task.looks) == ("processing", "syncing", 2)
        assert await scene.state() is DeliveryState.ACCEPTED
        await scene.pass_time(deliverer, LOOKS[2] * 1.2)
    record, task = await scene.record(), await scene.task()
    assert (record.delivery.state, record.error) == (DeliveryState.DELIVERED, None)
    assert (task.state, task.sgapi_status, task.reference) == (
        "completed",
        "synced",
        "sgapi_ref_1",
    )
    assert scene.gateway.looks == {"a": 3}
    assert (await scene.store.totals()).deliveries == {"sgapi/delivered": 1}


async def test_a_failed_task_is_a_dead_letter_that_can_be_sent_again(scene: Scene) -> None:
    reason = "SGAPI validation failed: invalid queue_id"
    scene.gateway.tasks = tell(scene, "failed", error_message=reason, retry_count=3)
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
        record, task = await scene.record(), await scene.task()
        assert (record.delivery.state, record.delivery.tries) == (DeliveryState.DEAD, 1)
        assert reason in (record.error or "")
        assert (task.state, task.error, task.retry_count) == ("failed", reason, 3)
        scene.gateway.tasks = None
        await scene.store.retry_deliveries(DeliveryFilter(), scene.clock.time, "operator ann")
        await scene.pass_time(deliverer, 0)
        assert scene.gateway.duplicates == {"a": 1}  # 409: it has it, so it is followed
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
    assert await scene.state() is DeliveryState.DELIVERED


async def test_a_task_that_is_tried_again_is_waited_for(scene: Scene) -> None:
    scene.gateway.tasks = tell(
        scene, "retrying", "retrying", "completed", error_message="sync failed", retry_count=1
    )
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
        record, task = await scene.record(), await scene.task()
        assert (record.delivery.state, record.error) == (DeliveryState.ACCEPTED, "sync failed")
        assert (task.state, task.error, task.retry_count) == ("retrying", "sync failed", 1)
        for wait in LOOKS[1:3]:
            await scene.pass_time(deliverer, wait * 1.2)
    assert await scene.state() is DeliveryState.DELIVERED


async def test_a_task_may_take_a_moment_to_be_known(scene: Scene) -> None:
    async def late(uuid: str, look: int) -> web.Response | None:
        return web.json_response({"error": {"code": "NOT_FOUND"}}, status=404) if look < 3 else None

    scene.gateway.tasks = late
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        for wait in LOOKS[:3]:
            assert await scene.state() is DeliveryState.ACCEPTED
            await scene.pass_time(deliverer, wait * 1.2)
    assert await scene.state() is DeliveryState.DELIVERED
    assert scene.gateway.requests == 1  # one PUT


async def test_what_the_gateway_lost_is_sent_again(scene: Scene) -> None:
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        scene.gateway.cdrs.clear()
        for wait in (*LOOKS[:3], LOOKS[0]):
            await scene.pass_time(deliverer, wait * 1.2)
        assert set(scene.gateway.cdrs) == {"a"}
        assert await scene.state() is DeliveryState.ACCEPTED
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
    assert (await scene.state(), (await scene.task()).lost) == (DeliveryState.DELIVERED, 1)


async def test_looks_that_hang_are_cut_and_hold_up_no_cdr(scene: Scene) -> None:
    hanging = asyncio.Event()

    async def hang(uuid: str, look: int) -> web.Response | None:
        if look == 1:
            await hanging.wait()
        return None

    scene.gateway.tasks = hang
    names = [f"cdr-{n}" for n in range(12)]
    await scene.put(*names)
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        assert set(scene.gateway.cdrs) == set(names)
        scene.clock.time += LOOKS[0] * 1.2
        deliverer.wake()
        while not scene.gateway.looks:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0)
        arrived = asyncio.Event()
        scene.gateway.watch(arrived.set)
        await scene.put("late")
        deliverer.wake()
        await soon(arrived.wait())
        assert "late" in scene.gateway.cdrs
        assert len(scene.gateway.looks) == 4
        await scene.pass_time(deliverer, 0)
        record = await scene.record()
        assert record.error == "no answer within 0.5 s"
        hanging.set()
        for wait in (60.0, 60.0, 60.0):
            await scene.pass_time(deliverer, wait)
    assert (await scene.store.totals()).deliveries == {"sgapi/delivered": 13}


async def test_following_goes_on_in_the_next_life(scene: Scene) -> None:
    scene.gateway.tasks = tell(scene, "processing", "completed")
    await scene.put("a", "b")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
    await scene.store.close()
    scene.store = SqliteStore(scene.url, settle_linger=0, record_linger=0)
    await scene.store.open()
    scene.clock.time += LOOKS[1] * 1.2
    async with scene.delivering() as deliverer:
        await soon(deliverer.drain(scene.clock.time + 60))
    assert (await scene.store.totals()).deliveries == {"sgapi/delivered": 2}
    assert scene.gateway.looks == {"a": 2, "b": 2}
    assert scene.gateway.requests == 2


@pytest.mark.parametrize("status", [405, 501])
async def test_a_gateway_that_tells_nothing_has_what_it_took(scene: Scene, status: int) -> None:
    async def silent(uuid: str, look: int) -> web.Response:
        return web.Response(status=status)

    scene.gateway.tasks = silent
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
    assert await scene.state() is DeliveryState.DELIVERED


async def test_429_paces_and_401_stops_the_looks_and_neither_counts(scene: Scene) -> None:
    answers = {1: web.Response(status=429, headers={"Retry-After": "30"})}

    async def refuse(uuid: str, look: int) -> web.Response | None:
        return answers.get(look)

    scene.gateway.tasks = refuse
    await scene.put("a")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
        assert scene.gateway.looks == {"a": 1}
        scene.gateway.token = "another"
        await scene.pass_time(deliverer, 31.0)
        assert ((await scene.record()).status, scene.gateway.looks) == (401, {"a": 1})
        scene.gateway.token = "t0ken"
        await scene.pass_time(deliverer, PROBE)
    assert (await scene.state(), (await scene.task()).looks) == (DeliveryState.DELIVERED, 1)
    assert (await scene.record()).delivery.tries == 1


async def test_a_gateway_that_comes_back_after_hours_gets_all(scene: Scene) -> None:
    scene.gateway.script = lambda body: web.Response(status=503)
    await scene.put("a", "b", "c")
    async with scene.delivering() as deliverer:
        await scene.pass_time(deliverer, 0)
        for wait in DELAYS[:6]:
            await scene.pass_time(deliverer, wait * 1.2)
        assert scene.gateway.cdrs == {}
        scene.gateway.script = None
        await scene.pass_time(deliverer, DELAYS[6] * 1.2)
        assert set(scene.gateway.cdrs) == {"a", "b", "c"}
        assert all(find_fault(body) is None for body in scene.gateway.cdrs.values())
        await scene.pass_time(deliverer, LOOKS[0] * 1.2)
    assert (await scene.store.totals()).deliveries == {"sgapi/delivered": 3}
