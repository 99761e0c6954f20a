"""Idempotency-Key on every POST and PUT."""

import asyncio
from typing import Any

import pytest

from dialer.api.idempotency import InFlight
from dialer.errors import StoreUnavailable
from tests.patience import PATIENCE
from tests.unit.dialer.api.conftest import BASE, ITEM, Api
from tests.unit.dialer.test_quick_call import BODY as QUICK

NEW = {"name": "n", "accountcode": "new", "username": "new"}
QUICK_PATH = "/queues/insertquickcall/"


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Idempotency-Key"])
async def test_a_quick_call_is_made_once(api: Api, header: str) -> None:
    headers = {header: "key-1"}
    first = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    again = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    queue = await api.store.queue(first.json()["data"]["queue_id"], None)
    assert queue.total_count == 1


async def test_without_a_key_two_calls_are_two(api: Api) -> None:
    calls = [(await api.post(QUICK_PATH, json=QUICK)).json()["data"] for _ in range(2)]
    assert calls[0]["call_id"] != calls[1]["call_id"]


async def test_another_body_under_the_key_is_409(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    await api.post(QUICK_PATH, json=QUICK, headers=headers)
    other = await api.post(QUICK_PATH, json={**QUICK, "number1": "5"}, headers=headers)
    assert other.status_code == 409
    path = await api.put("/queues/updatequeuemaster/1", json=QUICK, headers=headers)
    assert path.status_code == 409


async def test_a_key_is_its_clients_own(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    body = {**QUICK, "endpoint": "trunk"}
    one = await api.post(QUICK_PATH, json=body, headers=headers)
    other = await api.post(QUICK_PATH, "beta", json=body, headers=headers)
    assert one.json()["data"]["queue_id"] != other.json()["data"]["queue_id"]


@pytest.mark.parametrize("path", ["/calling/api/clients", "/calling/api/v1/clients/"])
async def test_a_replayed_client_has_no_key(api: Api, path: str) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first = await api.send("POST", BASE + "/clients/", "root", json=NEW, headers=headers)
    again = await api.send("POST", path, "root", json=NEW, headers=headers)
    assert first.json()["api_key"].startswith("dk_")
    assert again.json() == {**first.json(), "api_key": None}
    assert again.headers["idempotent-replayed"] == "true"


async def test_errors_are_not_kept(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    wrong = await api.post(QUICK_PATH, json={**QUICK, "number1": "a b"}, headers=headers)
    right = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    assert (wrong.status_code, right.status_code) == (400, 200)


@pytest.mark.parametrize("key", ["a b", "x" * 256, "é"])
async def test_wrong_keys_are_400(api: Api, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    headers.append((b"Authorization", f"Bearer {api.keys['alpha']}".encode()))
    answer = await api.http.post(BASE + QUICK_PATH, json=QUICK, headers=headers)
    assert answer.status_code == 400


async def test_a_batch_is_its_own_key(api: Api) -> None:
    body: dict[str, Any] = {"batch_id": 77, "data": [ITEM, ITEM]}
    path = "/queues/insertdataincallqueue/"
    first = await api.post(path, json=body)
    again = await api.post(path, json={"data": [ITEM, ITEM], "batch_id": "77"})
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await api.post(path, json={"batch_id": 77, "data": [ITEM]})
    assert other.status_code == 409
    assert (await api.store.queue(first.json()["data"]["queue_id"], None)).total_count == 2
    assert (await api.post(path, "beta", json=body)).json()["data"]["queue_id"] > 1


async def test_two_at_once_are_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    inserting, go_on = asyncio.Event(), asyncio.Event()
    insert = api.store.insert_quick_call

    async def slow(*args: Any) -> int:
        inserting.set()
        await go_on.wait()
        return await insert(*args)

    monkeypatch.setattr(api.store, "insert_quick_call", slow)
    headers = {"Idempotency-Key": "key-1"}
    first = asyncio.create_task(api.post(QUICK_PATH, json=QUICK, headers=headers))
    await asyncio.wait_for(inserting.wait(), PATIENCE)
    inserting.clear()
    second = asyncio.create_task(api.post(QUICK_PATH, json=QUICK, headers=headers))
    go_on.set()
    answers = await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
    assert answers[0].json() == answers[1].json()
    assert not inserting.is_set()


async def test_of_two_at_once_in_two_processes_one_is_made_and_both_are_answered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process answers between our look for an answer and our write."""
    headers = {"Idempotency-Key": "key-1"}
    first = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    look, looks = api.store.idempotent_answer, 0

    async def look_too_early(*name: Any) -> Any:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await look(*name)

    monkeypatch.setattr(api.store, "idempotent_answer", look_too_early)
    second = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    assert (second.status_code, second.json()) == (200, first.json())
    assert second.headers["idempotent-replayed"] == "true"
    queue_id = first.json()["data"]["queue_id"]
    assert (await api.store.queue(queue_id, None)).total_count == 1
    looks = 0
    other = await api.post(QUICK_PATH, json=QUICK | {"call_timeout": 9}, headers=headers)
    assert other.status_code == 409


async def test_a_crash_after_a_quick_call_was_stored_places_it_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*args: Any) -> None:
        raise StoreUnavailable("the process was killed")

    headers = {"Idempotency-Key": "key-1"}
    monkeypatch.setattr(api.store, "keep_answer", crash)
    assert (await api.post(QUICK_PATH, json=QUICK, headers=headers)).status_code == 503
    monkeypatch.undo()
    again = await api.post(QUICK_PATH, json=QUICK, headers=headers)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    queue_id = again.json()["data"]["queue_id"]
    assert (await api.store.queue(queue_id, None)).total_count == 1


async def test_a_batch_that_was_taken_is_given_again_though_the_rules_changed(api: Api) -> None:
    body: dict[str, Any] = {"batch_id": 78, "data": [ITEM]}
    path = "/queues/insertdataincallqueue/"
    first = await api.post(path, json=body)
    assert first.status_code == 200
    code = ITEM["asterisk_server_code"]
    await api.store.change_server(code, {"removed": True}, 2.0)
    again = await api.post(path, json=body)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (await api.post(path, json={**body, "batch_id": 79})).status_code == 404


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    in_flight = InFlight()
    name = (1, "key")
    await in_flight.enter(name)
    waiter = asyncio.create_task(in_flight.enter(name))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    in_flight.exit(name)
    assert in_flight._locks == {}
