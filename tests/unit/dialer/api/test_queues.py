"""Queues read and changed by their client."""

from typing import Any

import pytest

from dialer.api.queues import read_changes
from dialer.errors import Refused, StoreUnavailable
from dialer.states import QueueStatus
from tests.unit.dialer.api.conftest import Api
from tests.unit.dialer.test_batch import DOCUMENT

QUEUES = "/queues/getmasterqueues/"
QUICK = {
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "customer_name": "John Doe",
    "action": {"Application": "Dial"},
}
ITEMS = "/queues/getqueues/"


def update(queue_id: object) -> str:
    return f"/queues/updatequeuemaster/{queue_id}"


async def test_queues_are_listed_in_pages(api: Api) -> None:
    ids = [(await api.load(batch_id=n, count=n))["queue_id"] for n in (1, 2, 3)]
    whole = (await api.get(f"{QUEUES}?page=1&page_size=100")).json()
    assert whole["status"] == "success"
    assert sorted(queue["id"] for queue in whole["results"]) == ids
    assert {queue["id"]: queue["total_count"] for queue in whole["results"]} == dict(
        zip(ids, (1, 2, 3), strict=True)
    )
    pages = [(await api.get(f"{QUEUES}?page={n}&page_size=2")).json() for n in (1, 2, 3)]
    assert [len(page["results"]) for page in pages] == [2, 1, 0]
    assert pages[0]["pagination"]["next_page"] == 2
    listed = [queue["id"] for page in pages for queue in page["results"]]
    assert sorted(listed) == ids


async def test_others_see_nothing_of_them(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    assert (await api.get(QUEUES, "beta")).json()["results"] == []
    listed = await api.get(f"{ITEMS}?master_queue_id={queue_id}", "beta")
    assert listed.status_code == 404
    changed = await api.put(update(queue_id), "beta", json={"queue_status": "paused"})
    assert changed.status_code == 404
    assert (await api.store.queue(queue_id, None)).status is QueueStatus.PENDING


async def test_items_are_echoed_with_what_became_of_them(api: Api) -> None:
    queue_id = (await api.load(data=[DOCUMENT]))["queue_id"]
    content = (await api.get(f"{ITEMS}?master_queue_id={queue_id}")).json()
    assert content["pagination"]["total_entries"] == 1
    (item,) = content["results"]
    assert {"id", "batch_id", "last_cdr_id", "call_id"} < set(item)
    assert item["action"]["Data"] == "PJSIP/0987654321@endpoint2,30"
    for name, value in DOCUMENT.items():
        if name != "action":
            assert item[name] == value
    assert (item["call_status"], item["call_tried"], item["disposition"]) == ("pending", 0, None)


async def test_items_of_no_queue(api: Api) -> None:
    for query, status in (
        ("", 400),
        ("?master_queue_id=", 400),
        ("?master_queue_id=x", 400),
        ("?master_queue_id=-1", 400),
        ("?master_queue_id=999", 404),
        ("?master_queue_id=999999999999999999", 404),
        ("?master_queue_id=99999999999999999999", 400),
    ):
        answer = await api.get(ITEMS + query)
        assert (answer.status_code, answer.json()["status"]) == (status, "error")


async def test_a_queue_is_paused_and_resumed(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    api.signals.told.clear()
    for status in ("paused", "in-progress", "in-progress"):
        answer = await api.put(update(queue_id), json={"queue_status": status})
        assert answer.status_code == 200
        content = answer.json()
        assert (content["message"], content["status"]) == ("Queue updated successfully", "success")
        assert content["data"]["queue_status"] == status
    listed = (await api.get(QUEUES)).json()["results"]
    assert listed == [content["data"]]
    assert api.signals.told == [("queue_changed", queue_id)] * 3


async def test_retries_are_changed_alone_or_together(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    one = await api.put(update(queue_id), json={"retry_count": "3"})
    assert one.json()["data"]["retry_count"] == 3
    body = {"queue_status": "paused", "retry": False, "retry_count": 5, "retry_gap": 60}
    data = (await api.put(update(queue_id), json=body)).json()["data"]
    assert {name: data[name] for name in body} == body
    nothing = await api.put(update(queue_id), json={})
    assert nothing.json()["data"] == data


async def test_a_change_of_which_nothing_is_known_is_refused(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    for body in ({"status": "paused"}, {"accountcode": "alpha", "Queue_Status": "paused"}):
        refused = await api.put(update(queue_id), json=body)
        assert refused.status_code == 400
        key = next(name for name in body if name != "accountcode")
        assert refused.json()["details"].startswith(f"{key}: unknown key, and none of queue_status")
    listed = (await api.get(QUEUES)).json()["results"][0]
    whole = await api.put(update(queue_id), json={**listed, "queue_status": "paused"})
    assert whole.json()["data"]["queue_status"] == "paused", "what was listed may be sent back"


async def test_completing_ends_what_waits(api: Api) -> None:
    queue_id = (await api.load(count=3))["queue_id"]
    answer = await api.put(update(queue_id), json={"queue_status": "completed"})
    data = answer.json()["data"]
    assert (data["queue_status"], data["terminated_count"], data["pending_count"]) == (
        "completed",
        3,
        0,
    )
    assert len(api.closing.ended) == 3
    listed = (await api.get(f"{ITEMS}?master_queue_id={queue_id}")).json()["results"]
    assert {(item["call_status"], item["disposition"]) for item in listed} == {
        ("terminated", "terminated")
    }
    for status in ("in-progress", "paused"):
        again = await api.put(update(queue_id), json={"queue_status": status})
        assert again.status_code == 409
    assert (await api.put(update(queue_id), json={"queue_status": "completed"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"queue_status": "pending"}, "queue_status"),
        ({"queue_status": "PAUSED"}, "queue_status"),
        ({"queue_status": 5}, "queue_status"),
        ({"retry": "maybe"}, "retry"),
        ({"retry_count": -1}, "retry_count"),
        ({"retry_count": True}, "retry_count"),
        ({"retry_count": 1001}, "retry_count"),
        ({"retry_gap": -1}, "retry_gap"),
        ({"retry_gap": "soon"}, "retry_gap"),
        ({"retry_gap": 30 * 86400 + 1}, "retry_gap"),
    ],
)
def test_wrong_changes_by_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        read_changes(body)
    assert [error.field for error in caught.value.errors] == [field]


async def test_wrong_changes_are_400(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    body = {"queue_status": "pending", "retry": "maybe"}
    answer = await api.put(update(queue_id), json=body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["queue_status", "retry"]


async def test_changing_no_queue_is_404(api: Api) -> None:
    for queue_id in ("999", "x", "-1", "1.5", "9" * 30, "%00"):
        answer = await api.put(update(queue_id), json={"retry": True})
        assert (answer.status_code, answer.json()["message"]) == (404, "Queue not found")


async def test_the_quick_queue_can_be_paused_and_never_completes(api: Api) -> None:
    body = {
        "asterisk_server_code": "server1",
        "number1": "1",
        "customer_name": "c",
        "action": {"Application": "Wait"},
    }
    data = (await api.post("/queues/insertquickcall/", json=body)).json()["data"]
    listed = (await api.get(QUEUES)).json()["results"]
    assert [queue["id"] for queue in listed] == [data["queue_id"]]
    path = update(data["queue_id"])
    assert (await api.put(path, json={"queue_status": "paused"})).status_code == 200
    assert (await api.put(path, json={"queue_status": "completed"})).status_code == 409


async def test_items_are_chosen_by_filters(api: Api) -> None:
    data = [
        {**DOCUMENT, "action": {**DOCUMENT["action"], "ActionID": f"call-{n}"}} for n in range(3)
    ]
    queue_id = (await api.load(batch_id=5, data=data))["queue_id"]
    await api.load(batch_id=6, queue_id=queue_id)
    for query, total in (
        ("batch_id=5", 3),
        ("batch_id=6", 1),
        ("batch_id=-7", 0),
        ("call_status=pending", 4),
        ("call_status=Pending", 4),
        ("call_status=processed", 0),
        ("disposition=busy", 0),
        ("call_id=call-1", 1),
        ("phone_number=1234567890", 4),
        ("phone_number=1", 0),
        ("batch_id=5&call_id=call-2&call_status=pending", 1),
    ):
        content = (await api.get(f"{ITEMS}?master_queue_id={queue_id}&{query}")).json()
        counted = (len(content["results"]), content["pagination"]["total_entries"])
        assert counted == (total, total), query


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("call_status=done", "call_status"),
        ("disposition=maybe", "disposition"),
        ("batch_id=x", "batch_id"),
        ("batch_id=", "batch_id"),
    ],
)
async def test_a_wrong_filter_is_named(api: Api, query: str, name: str) -> None:
    queue_id = (await api.load())["queue_id"]
    answer = await api.get(f"{ITEMS}?master_queue_id={queue_id}&{query}")
    assert answer.status_code == 400
    assert answer.json()["details"].startswith(name)


async def test_queues_are_chosen_by_status(api: Api) -> None:
    one = (await api.load(batch_id=1))["queue_id"]
    two = (await api.load(batch_id=2))["queue_id"]
    await api.put(update(two), json={"queue_status": "paused"})
    for status, ids in (("paused", [two]), ("pending", [one]), ("completed", [])):
        content = (await api.get(f"{QUEUES}?queue_status={status}")).json()
        assert [queue["id"] for queue in content["results"]] == ids
        assert content["pagination"]["total_entries"] == len(ids)


FLUSH = "/queues/flushqueue/"


async def test_a_flush_ends_what_waits_and_the_client_is_told(api: Api) -> None:
    queue_id = (await api.load(batch_id=1, count=3))["queue_id"]
    await api.post("/queues/insertquickcall/", json=QUICK)
    answer = await api.get(FLUSH)
    assert answer.json() == {
        "message": "Queue flushed successfully",
        "status": "success",
        "data": {"flushed_count": 4},
    }
    assert [ended.end.value for ended in api.closing.ended] == ["terminated"] * 4
    assert ("clients_changed", None) in api.signals.told
    queue = await api.store.queue(queue_id, None)
    assert (queue.pending_count, queue.terminated_count) == (0, 3)
    assert (await api.get(FLUSH)).json()["data"] == {"flushed_count": 0}
    assert (await api.load(batch_id=2, queue_id=queue_id))["inserted_count"] == 1


async def test_a_flush_is_for_ones_own_or_by_a_superuser(api: Api) -> None:
    await api.load(count=2)
    assert (await api.get(f"{FLUSH}?client_code=alpha", "beta")).status_code == 404
    assert (await api.get(FLUSH, "chief")).status_code == 403
    assert (await api.get(FLUSH, "beta")).json()["data"] == {"flushed_count": 0}
    by_chief = await api.get(f"{FLUSH}?client_code=alpha", "chief")
    assert by_chief.json()["data"] == {"flushed_count": 2}
    (entry,) = await api.store.audit(1)
    assert (entry.actor, entry.action, entry.subject) == (
        "superuser chief",
        "client.flush",
        "alpha",
    )


async def test_a_change_that_fails_half_way_is_heard_of_by_who_finishes_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    queue_id = (await api.load(batch_id=1, count=3))["queue_id"]
    api.signals.told.clear()
    for name in ("flush", "change_queue"):
        monkeypatch.setattr(api.store, name, fail)
    assert (await api.get(FLUSH)).status_code == 503
    assert (await api.put(update(queue_id), json={"retry": False})).status_code == 503
    assert api.signals.told == [("clients_changed", None), ("queue_changed", queue_id)]


async def test_calls_that_a_superuser_places_are_noted(api: Api) -> None:
    body = {"batch_id": 9, "accountcode": "alpha", "data": [DOCUMENT]}
    queue_id = (await api.post("/queues/insertdataincallqueue/", "chief", json=body)).json()[
        "data"
    ]["queue_id"]
    quick = await api.post("/queues/insertquickcall/?client_code=alpha", "root", json=QUICK)
    await api.load(batch_id=10)
    called, added = await api.store.audit(5)
    assert (added.actor, added.action, added.subject) == ("superuser chief", "batch.add", "alpha")
    assert added.details == {"batch_id": 9, "queue_id": queue_id, "items": 1}
    assert (called.actor, called.action) == ("superuser bootstrap", "quick-call.add")
    assert called.details == {"call_id": quick.json()["data"]["call_id"]}


async def test_a_superusers_change_of_a_queue_is_noted(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    await api.put(update(queue_id), json={"queue_status": "paused"})
    assert await api.store.audit(5) == ()
    await api.put(f"{update(queue_id)}?accountcode=alpha", "root", json={"retry_count": 4})
    (entry,) = await api.store.audit(5)
    assert (entry.actor, entry.details) == ("superuser bootstrap", {"retry_count": 4})


@pytest.mark.parametrize("parameter", ["connected=1", "status=pending", "Page=1", "__=1&format="])
async def test_what_would_choose_nothing_is_no_parameter(api: Api, parameter: str) -> None:
    queue_id = (await api.load())["queue_id"]
    name = parameter.split("&")[-1].split("=")[0]
    for path in (f"{QUEUES}?", f"{ITEMS}?master_queue_id={queue_id}&", f"{FLUSH}?"):
        answer = await api.get(path + parameter)
        assert answer.status_code == 400
        assert answer.json()["details"] == f"{name}: unknown parameter"
    assert api.closing.ended == []


async def test_filters_of_items_choose_no_queues_and_end_nothing(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    for path in (f"{QUEUES}?call_status=pending", f"{FLUSH}?master_queue_id={queue_id}"):
        assert (await api.get(path)).status_code == 400
    assert api.closing.ended == []


async def test_what_keeps_caches_away_is_left_alone(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    for path in (QUEUES, f"{ITEMS}?master_queue_id={queue_id}", FLUSH):
        answer = await api.get(path)
        busted = await api.get(f"{path}{'&' if '?' in path else '?'}_=1704103200")
        assert (answer.status_code, busted.status_code) == (200, 200)
