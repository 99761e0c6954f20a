"""Keys that are revoked and queues that are flushed while their calls run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.plant import Plant
from tests.lab.campaign import make_numbers
from tests.patience import PATIENCE


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with Plant(tmp_path) as running:
        yield running


async def act(plant: Plant, method: str, path: str, key: str | None = None) -> httpx.Response:
    """One request, with the superuser's key where none is given."""
    async with plant.http(key) if key else plant.http() as http:
        return await http.request(method, path)


async def counts(plant: Plant, queue_id: int) -> tuple[int, int, int, int]:
    """pending, queued, processed, terminated; asked by the superuser."""
    answer = await act(plant, "GET", "/queues/getmasterqueues/?accountcode=acme")
    queue = next(row for row in answer.json()["results"] if row["id"] == queue_id)
    names = ("pending", "queued", "processed", "terminated")
    pending, queued, processed, terminated = (queue[f"{name}_count"] for name in names)
    assert queue["total_count"] == pending + queued + processed + terminated
    return pending, queued, processed, terminated


async def settled(plant: Plant, queue_id: int) -> tuple[int, int, int, int]:
    """The counts when no call of the queue is live any more."""
    async with asyncio.timeout(PATIENCE):
        while (found := await counts(plant, queue_id))[1]:
            pass
    return found


async def test_a_revoked_key_holds_what_waits_until_there_is_a_new_one(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=2)
    queue_id = await plant.post(key, make_numbers(1, 12, [0]))
    await plant.until_dialed(2)
    assert (await act(plant, "PUT", "/clients/revoke-api-key", key)).status_code == 200
    assert (await act(plant, "GET", "/clients/test-connection", key)).status_code == 401
    pending, _, processed, terminated = await settled(plant, queue_id)
    dialed = plant.simulator.counters.originates
    assert (pending, processed, terminated) == (12 - dialed, dialed, 0)
    assert pending >= 8
    await plant.until(lambda: len(plant.finals()) == dialed)

    answer = await act(plant, "PUT", "/clients/regenerate-api-key?accountcode=acme")
    renewed = answer.json()["api_key"]
    await plant.until(lambda: len(plant.finals()) == 12)
    assert await counts(plant, queue_id) == (0, 0, 12, 0)
    assert plant.simulator.counters.originates == 12
    assert (await act(plant, "GET", "/clients/test-connection", renewed)).status_code == 200


async def test_an_operator_ends_what_a_revoked_key_holds(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=1)
    queue_id = await plant.post(key, make_numbers(1, 5, [7]))
    await plant.until_dialed(1)
    await act(plant, "PUT", "/clients/revoke-api-key", key)
    flushed = await act(plant, "GET", "/queues/flushqueue/?client_code=acme")
    assert flushed.json()["data"] == {"flushed_count": 4}
    pending, queued, processed, terminated = await counts(plant, queue_id)
    assert (pending, queued + processed, terminated) == (0, 1, 4)
    await plant.until(lambda: len(plant.finals()) == 5)
    assert await counts(plant, queue_id) == (0, 0, 1, 4)
    ends = sorted(body["disposition"] for body in plant.finals())
    assert ends == ["answered", *["terminated"] * 4]


async def test_a_flush_leaves_live_calls_alone_and_queues_open(plant: Plant) -> None:
    key = await plant.add_client(allocated_channels=3)
    numbers = make_numbers(1, 60, [8])
    queue_id = await plant.post(key, numbers)
    await plant.until(lambda: len(plant.finals()) >= 6)
    flushed = (await act(plant, "GET", "/queues/flushqueue/", key)).json()["data"]["flushed_count"]
    dialed = 60 - flushed
    await plant.until(lambda: len(plant.finals()) == 60)
    assert plant.simulator.counters.originates == dialed
    assert await counts(plant, queue_id) == (0, 0, dialed, flushed)
    again = await plant.post(key, make_numbers(2, 3, [8]), batch_id=2, queue_id=queue_id)
    assert again == queue_id
    await plant.until(lambda: len(plant.finals()) == 63)
    assert plant.simulator.counters.originates == dialed + 3
    closings = {body["phone_number"] for body in plant.callbacks.closings.values()}
    dialed_numbers = {body["phone_number"] for body in plant.callbacks.bodies.values()}
    assert not closings & dialed_numbers


async def test_a_flush_ends_waiting_retries_too(plant: Plant) -> None:
    key = await plant.add_client()
    queue_id = await plant.post(key, ["100001", "100001"], item={"retry": 3})
    await plant.until(lambda: len(plant.callbacks.bodies) == 2)
    assert await settled(plant, queue_id) == (2, 0, 0, 0)
    flushed = await act(plant, "GET", "/queues/flushqueue/", key)
    assert flushed.json()["data"] == {"flushed_count": 2}
    await plant.until(lambda: len(plant.finals()) == 2)
    assert {body["attempt"] for body in plant.finals()} == {1}
    assert plant.simulator.counters.originates == 2
