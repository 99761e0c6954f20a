"""Whole campaigns on a simulated Asterisk: what goes in over HTTP comes out as CDRs, once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.acceptance.plant import Plant
from tests.lab.campaign import make_numbers, read_time
from tests.patience import PATIENCE

ITEM = {
    "asterisk_server_code": "pbx1",
    "action": {"Action": "Originate", "Channel": "PJSIP/100008@carrier"},
}
OUTCOMES = {
    "00": "answered",
    "01": "busy",
    "02": "no-answer",
    "03": "congestion",
    "04": "invalid",
    "05": "not-available",
    "06": "answered",
    "07": "answered",
    "08": "answered",
    "09": "busy",
    "10": "busy",
    "11": "failed",
}


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with Plant(tmp_path) as running:
        yield running


async def test_every_outcome_ends_as_what_it_was_and_is_delivered_to_both(plant: Plant) -> None:
    key = await plant.add_client()
    numbers = make_numbers(1, 48, range(12))
    queue_id = await plant.post(key, numbers, item={"call_timeout": 1})
    await plant.until(lambda: len(plant.sgapi.cdrs) == 48 and len(plant.finals()) == 48)
    said = {b["phone_number"]: b["disposition"] for b in plant.callbacks.bodies.values()}
    assert said == {number: OUTCOMES[number[-2:]] for number in numbers}
    assert plant.callbacks.bodies.keys() == plant.sgapi.cdrs.keys()
    queue = await plant.queue(key, queue_id)
    assert (queue["queue_status"], queue["processed_count"]) == ("completed", 48)
    assert plant.simulator.counters.originates == 48
    assert plant.simulator.counters.most_calls <= 10


async def test_what_is_retried_is_dialed_again_after_the_gap_and_no_more(plant: Plant) -> None:
    key = await plant.add_client()
    queue_id = await plant.post(key, ["100001", "100004", "100011"], item={"retry": 2})
    await plant.change(key, queue_id, retry_gap=1)
    await plant.until(lambda: len(plant.finals()) == 3)
    busy = [b for b in plant.callbacks.bodies.values() if b["phone_number"] == "100001"]
    busy.sort(key=lambda body: body["attempt"])
    assert [(b["attempt"], b["final"]) for b in busy] == [(1, False), (2, False), (3, True)]
    assert len({b["channel_id"] for b in busy}) == len({b["cdr_id"] for b in busy}) == 3
    assert {b["call_id"] for b in busy} == {busy[0]["call_id"]}
    for earlier, later in pairwise(busy):
        assert read_time(later["start_time"]) - read_time(earlier["end_time"]) >= 1.0
    assert len(plant.callbacks.bodies) == 5


async def test_two_clients_share_a_server_within_its_cap(tmp_path: Path) -> None:
    async with Plant(tmp_path, server={"max_channels": 4}) as plant:
        keys = [await plant.add_client("one"), await plant.add_client("two")]
        for prefix, key in enumerate(keys, 1):
            await plant.post(key, make_numbers(prefix, 40, [0, 8]))
        await plant.until(lambda: len(plant.finals()) == 80)
        assert plant.simulator.counters.most_calls == 4
        assert set(Counter(b["disposition"] for b in plant.finals())) == {"answered"}


@pytest.mark.realtime
async def test_calls_a_second_hold_in_every_rolling_second(plant: Plant) -> None:
    key = await plant.add_client(max_cps=20.0)
    await plant.post(key, make_numbers(1, 45, [8]))
    await plant.until(lambda: len(plant.finals()) == 45)
    starts = sorted(call.arrived_at for call in plant.simulator.calls)
    assert max(sum(at <= s < at + 1.0 for s in starts) for at in starts) <= 20
    assert starts[-1] - starts[0] >= 2.0


async def test_a_paused_queue_starts_nothing_and_goes_on_where_it_was(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=1)
    queue_id = await plant.post(key, make_numbers(1, 10, [8]))
    await plant.until(lambda: len(plant.finals()) >= 2)
    await plant.change(key, queue_id, queue_status="paused")
    async with plant.http(key):
        started = plant.simulator.counters.originates
        await plant.until(lambda: len(plant.finals()) >= started)
    assert plant.simulator.counters.originates == started < 10
    await plant.change(key, queue_id, queue_status="in-progress")
    await plant.until(lambda: len(plant.finals()) == 10)
    assert plant.simulator.counters.originates == 10


async def test_a_quick_call_goes_before_the_batch_and_is_told_apart(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=1)
    await plant.post(key, make_numbers(1, 6, [8]))
    async with plant.http(key) as http:
        answer = await http.post(
            "/queues/insertquickcall/",
            json={
                "asterisk_server_code": "pbx1",
                "number1": "9999908",
                "endpoint": "carrier",
                "customer_name": "Ann",
                "action": {"Application": "Wait", "Data": "1"},
            },
        )
    assert answer.status_code == 200, answer.text
    await plant.until(lambda: len(plant.finals()) == 7)
    order = [call.number for call in plant.simulator.calls]
    assert order.index("9999908") <= 2


async def test_an_item_past_its_deadline_expires_and_is_told_once(plant: Plant) -> None:
    key = await plant.add_client()
    queue_id = await plant.post(key, ["100000"], item={"deadline": "2020-01-01T00:00:00Z"})
    await plant.until(lambda: len(plant.callbacks.closings) == 1)
    (body,) = plant.callbacks.closings.values()
    assert (body["event_type"], body["disposition"]) == ("call_timeout", "expired")
    assert (body["call_status"], body["start_time"]) == ("terminated", None)
    assert plant.simulator.counters.originates == 0
    assert plant.sgapi.cdrs == {}
    assert (await plant.queue(key, queue_id))["terminated_count"] == 1


async def test_a_slow_endpoint_delays_neither_dialing_nor_the_other(tmp_path: Path) -> None:
    async with Plant(tmp_path) as plant:
        hanging = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await hanging.wait()
            writer.close()

        black_hole = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = black_hole.sockets[0].getsockname()[1]
        slow = await plant.add_client("slow", callbackurl=f"http://127.0.0.1:{port}/")
        quick = await plant.add_client("quick")
        await plant.post(slow, make_numbers(1, 60, [8]))
        await plant.post(quick, make_numbers(2, 60, [8]))
        await plant.until(lambda: len(plant.sgapi.cdrs) == 120 and len(plant.finals()) == 60)
        hanging.set()
        black_hole.close()


def _has_cdrs(plant: Plant, count: int) -> bool:
    return len(plant.sgapi.cdrs) == count


async def test_a_client_that_hangs_delays_no_other_on_its_host(tmp_path: Path) -> None:
    told, hanging = asyncio.Queue[str](), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await hanging.wait()
        told.put_nowait(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_post("/{name}", answer)
    host = TestServer(app)
    async with Plant(tmp_path) as plant, host:
        for name, calls, ended in (("slow", 20, 20), ("quick", 1, 21)):
            key = await plant.add_client(name, callbackurl=str(host.make_url(name)))
            await plant.post(key, make_numbers(1, calls, [8]))
            await plant.until(partial(_has_cdrs, plant, ended))
        async with asyncio.timeout(PATIENCE):
            assert await told.get() == "/quick"
        hanging.set()


@pytest.mark.realtime
async def test_a_second_life_takes_over_live_calls_and_waiting_items(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=2)
    await plant.post(key, ["100002", "100002", "100008", "100008"], item={"call_timeout": 4})
    await plant.until_dialed(2)
    await plant.product.stop(0.0)
    assert plant.finals() == []
    await plant.start_product()
    await plant.until(lambda: len(plant.finals()) == 4)
    said = Counter(body["disposition"] for body in plant.finals())
    assert said == {"no-answer": 2, "answered": 2}
    assert plant.simulator.counters.originates == 4


async def test_a_lost_link_loses_no_call(plant: Plant) -> None:
    key = await plant.add_client()
    await plant.post(key, ["100006"] * 5, item={"call_timeout": 30})
    await plant.until_dialed(5)
    plant.simulator.drop_links()
    await plant.until(lambda: len(plant.finals()) == 5)
    said = Counter(body["disposition"] for body in plant.finals())
    assert set(said) <= {"answered", "unknown"}
    assert plant.simulator.counters.originates == 5


async def test_a_restart_at_the_cap_stays_under_it(tmp_path: Path) -> None:
    async with Plant(tmp_path, server={"max_channels": 3}) as plant:
        key = await plant.add_client()
        await plant.post(key, ["100002"] * 3 + ["100008"] * 6, item={"call_timeout": 3})
        await plant.until_dialed(3)
        await plant.product.stop(0.0)
        await plant.start_product()
        await plant.until(lambda: len(plant.finals()) == 9)
        assert plant.simulator.counters.most_calls == 3
        assert plant.simulator.counters.originates == 9


@pytest.mark.realtime
async def test_an_item_whose_deadline_comes_between_attempts_expires_on_time(plant: Plant) -> None:
    key = await plant.add_client()
    posted_at = time.time()
    deadline = datetime.fromtimestamp(posted_at + 6.0, UTC).isoformat()
    item = {"retry": 3, "call_timeout": 1, "deadline": deadline}
    await plant.post(key, ["100002"], item=item)
    await plant.until_dialed(1)
    await plant.post(key, ["100008"], batch_id=2)
    await plant.until(lambda: len(plant.callbacks.closings) == 1)
    assert 5.5 <= time.time() - posted_at <= 9.0
    (first,) = [b for b in plant.callbacks.bodies.values() if b["phone_number"] == "100002"]
    assert (first["final"], first["next_attempt_at"]) == (False, None)


async def test_calls_on_a_server_that_is_removed_end_as_what_they_were(plant: Plant) -> None:
    key = await plant.add_client()
    await plant.post(key, ["100002"] * 2, item={"call_timeout": 3})
    await plant.until_dialed(2)
    await plant.product.store.change_server("pbx1", {"removed": True}, time.time())
    await plant.product.stop(0.0)
    await plant.start_product()
    await plant.until(lambda: len(plant.finals()) == 2)
    assert {body["disposition"] for body in plant.finals()} == {"no-answer"}
    async with asyncio.timeout(PATIENCE):
        while plant.product.engine.links:  # noqa: ASYNC110 (links tell only the engine)
            await asyncio.sleep(0)


async def test_a_queue_completed_by_its_client_ends_what_waits_and_tells_it(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=1)
    queue_id = await plant.post(key, make_numbers(1, 20, [8]))
    await plant.until(lambda: len(plant.finals()) >= 2)
    await plant.change(key, queue_id, queue_status="completed")
    await plant.until(lambda: len(plant.finals()) == 20)
    called = len(plant.callbacks.bodies)
    assert called == plant.simulator.counters.originates < 20
    assert {b["disposition"] for b in plant.callbacks.closings.values()} == {"terminated"}
    async with plant.http(key) as http:
        again = await http.post(
            "/queues/insertdataincallqueue/",
            json={"batch_id": 2, "queue_id": queue_id, "data": [ITEM]},
        )
    assert again.status_code == 409
