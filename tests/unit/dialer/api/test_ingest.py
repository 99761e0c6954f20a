"""Calls come in."""

import json
from typing import Any

import pytest

from dialer.api.ingest import name_queue
from dialer.api.reading import SMALL
from dialer.api.turns import SLICE
from dialer.bodies import Action, QueueItem
from dialer.errors import StoreUnavailable
from dialer.states import ItemStatus, QueueKind
from tests.unit.dialer.api.conftest import ITEM, NOW, Api
from tests.unit.dialer.builders import make_client
from tests.unit.dialer.test_batch import DOCUMENT
from tests.unit.dialer.test_quick_call import BODY as QUICK

INSERT = "/queues/insertdataincallqueue/"
QUICK_PATH = "/queues/insertquickcall/"
JSON = {"Content-Type": "application/json"}

# The document's curl bodies, byte for byte.
FIRST_CALL = b"""{
    "batch_id": 12345,
    "data": [{
      "asterisk_server_code": "server1",
      "action": {
        "Action": "Originate",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30"
      }
    }]
  }"""
INSERT_DATA = b"""{
    "batch_id": 1001,
    "data": [{
      "asterisk_server_code": "server1",
      "action": {
        "Action": "Originate",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30"
      },
      "create_recording": true,
      "project": "campaign_2024"
    }]
  }"""
QUICK_CALL = b"""{
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "number2": "0987654321",
    "customer_name": "Test Customer",
    "action": {
      "Application": "Dial",
      "Data": "PJSIP/0987654321@endpoint2,30"
    }
  }"""


@pytest.mark.parametrize(("body", "batch_id"), [(FIRST_CALL, 12345), (INSERT_DATA, 1001)])
async def test_the_documents_curl_commands(api: Api, body: bytes, batch_id: int) -> None:
    answer = await api.post(INSERT, content=body, headers=JSON)
    assert answer.status_code == 200
    queue_id = answer.json()["data"]["queue_id"]
    assert answer.json() == {
        "message": "Queue data inserted successfully",
        "status": "success",
        "data": {"queue_id": queue_id, "inserted_count": 1, "batch_id": batch_id},
    }
    assert api.signals.told == [("items_added", queue_id)]
    (item,) = (await api.store.items(queue_id, 0, 10)).rows
    assert (item.status, item.number) == (ItemStatus.PENDING, "1234567890")


async def test_the_documents_quick_call(api: Api) -> None:
    answer = await api.post(QUICK_PATH, content=QUICK_CALL, headers=JSON)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert answer.json() == {
        "message": "Quick call inserted successfully",
        "status": "success",
        "data": data,
    }
    queue = await api.store.queue(data["queue_id"], None)
    assert queue.kind is QueueKind.QUICK
    (item,) = (await api.store.items(queue.id, 0, 10)).rows
    assert (item.call_id, item.deadline) == (data["call_id"], NOW + 60)
    assert item.payload["action"]["Channel"] == "PJSIP/1234567890@trunk"
    assert api.signals.told == [("items_added", queue.id)]


async def test_the_documents_complete_examples(api: Api) -> None:
    body = {"queue_id": None, "batch_id": 1, "dids": ["+1", "+2"], "data": [DOCUMENT]}
    assert (await api.post(INSERT, json=body)).status_code == 200
    assert (await api.post(QUICK_PATH, json=QUICK)).status_code == 200


async def test_the_documents_python_client(api: Api) -> None:
    calls = [{**ITEM}]
    answer = await api.post(INSERT.rstrip("/"), json={"batch_id": 1001, "data": calls})
    assert answer.json()["data"]["inserted_count"] == 1
    body = {
        "asterisk_server_code": "server1",
        "number1": "1234567890",
        "customer_name": "Test",
        "action": {"Application": "Dial"},
    }
    assert (await api.post(QUICK_PATH.rstrip("/"), json=body)).status_code == 200


async def test_further_batches_go_to_the_same_queue(api: Api) -> None:
    first = await api.load(batch_id=1, count=2)
    second = await api.load(batch_id=2, count=3, queue_id=first["queue_id"])
    assert second["queue_id"] == first["queue_id"]
    queue = await api.store.queue(first["queue_id"], None)
    assert (queue.total_count, queue.pending_count) == (5, 5)
    numbered = [item.batch_id for item in (await api.store.items(queue.id, 0, 10)).rows]
    assert numbered == [1, 1, 2, 2, 2]


async def test_a_large_body_is_read_like_a_small_one(api: Api) -> None:
    roomy = {**ITEM, "project": "x" * 250, "note": "y" * 600}
    body = json.dumps({"batch_id": 1, "data": [roomy] * 900}).encode()
    assert len(body) > 10 * SMALL
    answer = await api.post(INSERT, content=body)
    assert answer.json()["data"]["inserted_count"] == 900
    worse = await api.post(INSERT, content=body.replace(b'"Originate"', b'"Hangup"'))
    assert len(worse.json()["errors"]) == 900


async def test_a_quick_call_is_no_large_body(api: Api) -> None:
    body = json.dumps({**QUICK, "action": {f"k{n}": n for n in range(9000)}}).encode()
    assert len(body) > SMALL
    answer = await api.post(QUICK_PATH, content=body)
    assert (answer.status_code, answer.json()["details"]) == (413, f"the limit is {SMALL} bytes")


async def test_a_wrong_batch_looks_at_the_clock_after_each_item(api: Api) -> None:
    """So that others have turns, however long an item takes (`take_turns`)."""
    wrong: dict[str, Any] = {name: {} for name in QueueItem.__annotations__}
    wrong["action"] = {name: {} for name in Action.__annotations__}
    body = json.dumps({"batch_id": 1, "data": [wrong] * 50}).encode()
    standing = await api.post(INSERT, content=body)
    api.clock.looks, api.clock.step = 0, SLICE  # each look finds a slice gone by
    moving = await api.post(INSERT, content=body)
    assert api.clock.looks > 3 * 50  # spelled, checked and built
    assert moving.json() == standing.json()
    assert len(moving.json()["errors"]) == 50 * 34  # all fields but action itself


async def test_a_queue_of_another_client_is_404(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    for unknown in (queue_id, 999, 0):
        body = {"batch_id": 1, "queue_id": unknown, "data": [ITEM]}
        answer = await api.post(INSERT, "beta", json=body)
        assert (answer.status_code, answer.json()["message"]) == (404, "Queue not found")


async def test_a_queue_completed_by_its_client_takes_no_more(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    await api.put(f"/queues/updatequeuemaster/{queue_id}", json={"queue_status": "completed"})
    body = {"batch_id": 2, "queue_id": queue_id, "data": [ITEM]}
    assert (await api.post(INSERT, json=body)).status_code == 409


async def test_a_thousand_items_and_not_one_more(api: Api) -> None:
    assert (await api.load(count=1000))["inserted_count"] == 1000
    body = {"batch_id": 2, "data": [ITEM] * 1001}
    answer = await api.post(INSERT, json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Queue data exceeds max batch size 1000"


@pytest.mark.parametrize("body", [{"batch_id": 1}, {"batch_id": 1, "data": []}])
async def test_data_is_required(api: Api, body: dict[str, Any]) -> None:
    answer = await api.post(INSERT, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, "Queue Data is required")


@pytest.mark.parametrize("path", [INSERT, QUICK_PATH])
async def test_an_unknown_server_is_404(api: Api, path: str) -> None:
    lost = {"asterisk_server_code": "nowhere"}
    body = {"batch_id": 1, "data": [{**ITEM, **lost}]} if path == INSERT else {**QUICK, **lost}
    answer = await api.post(path, json=body)
    assert (answer.status_code, answer.json()["message"]) == (404, "Asterisk server not found")


async def test_a_server_that_is_not_allocated_is_unknown(api: Api) -> None:
    await api.store.allocate("alpha", ["server2"], NOW)
    answer = await api.post(INSERT, json={"batch_id": 1, "data": [ITEM]})
    assert answer.status_code == 404


async def test_nothing_of_a_batch_with_an_error_is_stored(api: Api) -> None:
    bad = {**ITEM, "action": {**ITEM["action"], "Channel": "PJSIP/1&PJSIP/2"}}
    answer = await api.post(INSERT, json={"batch_id": 1, "data": [ITEM, bad, ITEM]})
    assert answer.status_code == 400
    assert [(error["index"], error["field"]) for error in answer.json()["errors"]] == [
        (1, "action.Channel")
    ]
    assert (await api.store.queues(None, 0, 10)).total == 0
    assert api.signals.told == []


async def test_no_answer_before_it_is_stored(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(batch: object) -> object:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(api.store, "insert_batch", fail)
    answer = await api.post(INSERT, json={"batch_id": 1, "data": [ITEM]})
    assert answer.status_code == 503
    assert api.signals.told == []


async def test_a_quick_call_without_an_endpoint_goes_where_its_second_leg_does(api: Api) -> None:
    answer = await api.post(QUICK_PATH, "beta", content=QUICK_CALL, headers=JSON)
    assert answer.status_code == 200
    (item,) = (await api.store.items(answer.json()["data"]["queue_id"], 0, 10)).rows
    assert item.payload["action"]["Channel"] == "PJSIP/1234567890@endpoint2"


def test_queues_are_named_of_project_and_local_time() -> None:
    client = make_client(timezone="Asia/Kolkata")
    assert name_queue("campaign", client, NOW) == "campaign 2024-01-01 15:30:00"
    assert name_queue(None, client, NOW) == "client1 2024-01-01 15:30:00"
