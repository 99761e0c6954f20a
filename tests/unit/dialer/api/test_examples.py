"""The requests that the description shows are taken, and do what is shown."""

import pytest

from dialer.api import examples
from tests.unit.dialer.api.conftest import Api


@pytest.mark.parametrize("body", [examples.CLIENT, examples.SMALL_CLIENT])
async def test_clients_are_made(api: Api, body: dict[str, object]) -> None:
    answer = await api.post("/clients/", "root", json=body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == set(examples.CLIENT_MADE)


@pytest.mark.parametrize("body", [examples.BATCH, examples.SMALL_BATCH, examples.TEXT_BATCH])
async def test_batches_are_taken(api: Api, body: dict[str, object]) -> None:
    answer = await api.post("/queues/insertdataincallqueue/", json=body)
    assert answer.status_code == 200, answer.text
    queue_id = answer.json()["data"]["queue_id"]
    page = (await api.get(f"/queues/getqueues/?master_queue_id={queue_id}")).json()
    assert set(page) == set(examples.ITEMS)
    assert set(page["results"][0]) == set(examples.ITEM)
    assert set(page["results"][0]["action"]) == set(examples.ITEM["action"])


@pytest.mark.parametrize("body", [examples.QUICK_CALL, examples.SMALL_QUICK_CALL])
async def test_quick_calls_are_taken(api: Api, body: dict[str, object]) -> None:
    answer = await api.post("/queues/insertquickcall/", json=body)
    assert answer.status_code == 200, answer.text


async def test_a_queue_is_changed_and_shown(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    answer = await api.put(f"/queues/updatequeuemaster/{queue_id}", json=examples.CHANGE)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["data"]) == set(examples.QUEUE)
    page = (await api.get("/queues/getmasterqueues/")).json()
    assert set(page["pagination"]) == set(examples.QUEUES["pagination"])
