"""The gateway over HTTP: the document's shapes key by key, codes, limits, whose things they are."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dialer.api import gateway_shapes as shapes
from dialer.api.gateway import MESSAGES
from dialer.delivery.sgapi import SgapiTarget
from dialer.errors import StoreUnavailable
from dialer.gateway import Code
from dialer.states import DeliveryState
from dialer.store.contract import Delivery, DeliveryFilter, DeliveryOutcome, Task
from tests.unit.dialer.api.conftest import BOOTSTRAP, NOW, Api

PATH = "/cdrtosgapi"
CDR: dict[str, Any] = shapes.CDR
UUID = CDR["uuid"]
TARGET = SgapiTarget("https://sgapi.example")
OTHER_UUID = UUID[:-1] + "9"


@pytest.fixture(autouse=True)
def offered(api: Api) -> list[Delivery]:
    """There is an SGAPI; what a deliverer of this process is told."""
    told: list[Delivery] = []
    api.app.state.deps = replace(api.app.state.deps, sgapi=TARGET, offer=told.extend)
    return told


async def put(api: Api, body: Any = CDR, path: str = PATH, **request: Any) -> httpx.Response:
    return await api.send("PUT", path, request.pop("key", "alpha"), json=body, **request)


async def show(api: Api, uuid: str = UUID, key: str = "alpha") -> httpx.Response:
    return await api.send("GET", f"{PATH}/{uuid}", key)


def check_error(answer: httpx.Response, status: int, code: str, details: str | None) -> None:
    """The document's envelope, key by key."""
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert list(told) == ["status", "error", "timestamp"]
    assert list(told["error"]) == ["code", "message", "details"]
    assert (told["status"], told["error"]["code"]) == ("error", code)
    assert told["error"]["details"] == details
    assert told["timestamp"] == "2024-01-01T10:00:00Z"


async def delivery_of(api: Api) -> Delivery:
    (record,) = await api.store.deliveries(DeliveryFilter(), 10)
    return record.delivery


async def test_the_documents_request_is_answered_in_its_shape(api: Api) -> None:
    answer = await put(api)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert list(told) == ["status", "data"]
    assert list(told["data"]) == list(shapes.CREATED["data"])
    data = told["data"]
    assert (told["status"], data["uuid"], data["state"]) == ("success", UUID, "pending")
    assert data["created_at"] == "2024-01-01T10:00:00Z"
    assert data["message"] == "CDR task created successfully"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", data["cdr_id"])
    assert data["task_id"] == "task_" + data["cdr_id"].replace("-", "")


async def test_an_entity_stands_after_the_task(api: Api) -> None:
    data = (await put(api, path=f"{PATH}/outbound_sales")).json()["data"]
    assert list(data) == list(shapes.ENTITY_CREATED["data"])
    assert data["entity"] == "outbound_sales"
    assert data["message"] == "CDR task created successfully for entity: outbound_sales"


async def test_paths_work_with_and_without_a_slash(api: Api) -> None:
    assert (await put(api, path=f"{PATH}/")).status_code == 200
    assert (await put(api, {**CDR, "uuid": OTHER_UUID}, f"{PATH}/sales/")).status_code == 200
    assert (await show(api, f"{UUID}/")).status_code == 200


async def test_it_is_told_to_the_deliverer_of_this_process(
    api: Api, offered: list[Delivery]
) -> None:
    assert (await put(api, path=f"{PATH}/sales")).status_code == 200
    delivery = await delivery_of(api)
    assert offered == [delivery]
    assert delivery.url.startswith("https://sgapi.example/cdrtosgapi/sales")
    assert json.loads(delivery.body) == CDR


async def test_without_an_sgapi_a_task_stays_pending(api: Api, offered: list[Delivery]) -> None:
    api.app.state.deps = replace(api.app.state.deps, sgapi=None)
    assert (await put(api)).status_code == 200
    assert offered == []
    assert (await api.store.totals()).deliveries == {}
    data = (await show(api)).json()["data"]
    assert (data["state"], data["sgapi_status"]) == ("pending", "pending")


async def test_what_became_of_it_is_told_in_the_documents_shape(api: Api) -> None:
    created = (await put(api)).json()["data"]
    told = (await show(api, UUID.upper())).json()
    assert list(told) == ["status", "data"]
    pending = {name: CDR[name] for name in ("caller_id", "called_number", "disposition")}
    assert list(told["data"].items()) == [
        ("uuid", UUID),
        ("task_id", created["task_id"]),
        ("cdr_id", created["cdr_id"]),
        ("state", "pending"),
        *pending.items(),
        ("duration", 330),
        ("sgapi_status", "pending"),
        ("sgapi_reference", None),
        ("created_at", "2024-01-01T10:00:00Z"),
        ("updated_at", "2024-01-01T10:00:00Z"),
        ("completed_at", None),
    ]
    task = Task(NOW + 5, state="completed", reference="sgapi_ref_12345")
    id_ = (await delivery_of(api)).id
    done = DeliveryOutcome(id_, True, False, None, 200, None, NOW + 5, task=task)
    assert await api.store.record_delivery(done)
    done_ = (await show(api)).json()["data"]
    assert list(done_) == list(told["data"])
    assert (done_["state"], done_["sgapi_status"]) == ("completed", "synced")
    assert (done_["sgapi_reference"], done_["completed_at"]) == (
        "sgapi_ref_12345",
        "2024-01-01T10:00:05Z",
    )


async def test_a_failed_task_is_a_success_of_the_request(api: Api) -> None:
    await put(api)
    delivery = await delivery_of(api)
    task = Task(NOW, state="failed", error="SGAPI validation failed", retry_count=3)
    taken = DeliveryOutcome(
        delivery.id, False, False, NOW + 9, 200, None, NOW + 1, accepted=True, task=task
    )
    assert await api.store.record_delivery(taken)
    dead = DeliveryOutcome(
        delivery.id, False, True, None, 200, "failed", NOW + 9, False,
        leaves=DeliveryState.ACCEPTED,
    )  # fmt: skip
    assert await api.store.record_delivery(dead)
    answer = await show(api)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert list(data) == list(shapes.TASK["data"])
    assert (answer.json()["status"], data["state"], data["sgapi_status"]) == (
        *("success", "failed"),
        "error",
    )
    assert (data["error_message"], data["retry_count"]) == ("SGAPI validation failed", 3)


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"duration": None}, 400, "INVALID_REQUEST", "duration"),
        ({"caller_id": 15551234567}, 400, "INVALID_REQUEST", "caller_id"),
        ({"uuid": "call-1"}, 400, "INVALID_UUID", "uuid"),
        ({"start_time": "yesterday"}, 400, "INVALID_TIMESTAMP", "start_time"),
        ({"disposition": "HUNG UP"}, 400, "INVALID_DISPOSITION", "disposition"),
        ({"duration": -1}, 422, "VALIDATION_ERROR", "duration"),
        ({"direction": "sideways"}, 422, "VALIDATION_ERROR", "direction"),
        ({"end_time": "2024-01-15T10:29:00Z"}, 422, "VALIDATION_ERROR", "end_time"),
    ],
)
async def test_codes(api: Api, changes: dict[str, Any], status: int, code: str, field: str) -> None:
    answer = await put(api, CDR | changes)
    details = answer.json()["error"]["details"]
    check_error(answer, status, code, details)
    assert details.startswith(f"{field}: ")
    assert answer.json()["error"]["message"] == MESSAGES[Code(code)]
    assert await api.store.sgapi_task(1, UUID) is None


@pytest.mark.parametrize("uuid", ["x", "1", "client", "550e8400e29b41d4a716446655440000"])
async def test_what_is_no_uuid_is_not_looked_for(api: Api, uuid: str) -> None:
    details = "uuid: must be 8-4-4-4-12 hexadecimal digits"
    check_error(await show(api, uuid), 400, "INVALID_UUID", details)


async def test_a_uuid_is_taken_once_whatever_its_case(api: Api) -> None:
    await put(api)
    for body in (CDR, CDR | {"uuid": UUID.upper(), "duration": 1}):
        check_error(await put(api, body), 409, "DUPLICATE_CDR", None)
    # In the order of the document: it is a duplicate before it breaks a rule, not before a format.
    check_error(await put(api, CDR | {"duration": -1}), 409, "DUPLICATE_CDR", None)
    answer = await put(api, CDR | {"disposition": "x"})
    assert answer.json()["error"]["code"] == "INVALID_DISPOSITION"
    assert (await api.store.totals()).deliveries == {"sgapi/pending": 1}


async def test_another_client_has_uuids_of_its_own_and_sees_none(
    api: Api, offered: list[Delivery]
) -> None:
    await put(api)
    check_error(await show(api, key="beta"), 404, "NOT_FOUND", None)
    assert (await put(api, CDR | {"caller_id": "777"}, key="beta")).status_code == 200
    assert (await show(api)).json()["data"]["caller_id"] == CDR["caller_id"]
    assert (await show(api, key="beta")).json()["data"]["caller_id"] == "777"
    first, second = offered
    assert first.event_id == UUID != second.event_id
    assert json.loads(second.body)["custom_data"]["source_uuid"] == UUID


async def test_the_same_key_gets_the_first_answer(api: Api) -> None:
    once = {"Idempotency-Key": "cdr-1"}
    first = await put(api, headers=once)
    again = await put(api, headers=once, path=f"{PATH}/")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await put(api, CDR | {"duration": 1}, headers=once)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CONFLICT")
    assert "Idempotency-Key" in other.json()["error"]["message"]
    twice = {"X-Idempotency-Key": "two words"}
    bad = await put(api, headers=twice)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "INVALID_REQUEST")


async def test_one_key_sent_twice_at_once_makes_one(api: Api) -> None:
    once = {"Idempotency-Key": "cdr-1"}
    answers = await asyncio.gather(*(put(api, headers=once) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.json()["data"]["task_id"] for answer in answers}) == 1


async def test_one_uuid_sent_twice_at_once_makes_one(api: Api) -> None:
    answers = await asyncio.gather(*(put(api) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]


async def test_a_superuser_says_for_whom_in_the_query(api: Api) -> None:
    refused = await put(api, key="chief")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    for key, uuid in (("chief", UUID), (BOOTSTRAP, OTHER_UUID)):
        path = f"{PATH}?accountcode=alpha"
        assert (await put(api, CDR | {"uuid": uuid}, path, key=key)).status_code == 200
        assert (await show(api, uuid)).status_code == 200
    (entry, _) = await api.store.audit(2)
    assert (entry.action, entry.subject) == ("cdr.add", "alpha")
    unknown = await show(api, f"{UUID}?client_code=nobody", "chief")
    check_error(unknown, 404, "NOT_FOUND", "Client not found")


async def test_an_accountcode_in_the_body_is_the_other_systems(api: Api) -> None:
    assert (await put(api, CDR | {"accountcode": "beta"})).status_code == 200
    assert (await show(api)).status_code == 200


@pytest.mark.parametrize("key", [None, "dk_wrong"])
@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("GET", f"{PATH}/{UUID}")])
async def test_who_has_no_key_is_unauthorized(
    api: Api, method: str, path: str, key: str | None
) -> None:
    answer = await api.send(method, path, key, content=b"nonsense")
    details = "Invalid API key" + (": no API key was given" if key is None else "")
    check_error(answer, 401, "UNAUTHORIZED", details)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_may_stand_in_its_own_header(api: Api) -> None:
    headers = {"X-API-KEY": api.keys["alpha"]}
    assert (await put(api, key=None, headers=headers)).status_code == 200


async def test_who_is_not_active_is_forbidden(api: Api) -> None:
    await api.store.change_client("alpha", {"is_active": False}, NOW)
    answer = await put(api)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_errors_below_the_path_have_the_documents_shape(api: Api) -> None:
    check_error(await show(api), 404, "NOT_FOUND", None)
    details = "Not found"
    check_error(await api.send("GET", f"{PATH}/a/b/c"), 404, "NOT_FOUND", details)
    for method, path, allowed in (
        ("POST", PATH, "PUT"),
        ("GET", PATH, "PUT"),
        ("DELETE", f"{PATH}/{UUID}", "GET, PUT"),
    ):
        answer = await api.send(method, path)
        check_error(answer, 405, "INVALID_REQUEST", "Method not allowed")
        assert answer.headers["Allow"] == allowed
    large = await put(api, CDR | {"custom_data": {"a": "b" * 70_000}})
    check_error(large, 413, "INVALID_REQUEST", large.json()["error"]["details"])
    text = await api.send("PUT", PATH, content=b"x", headers={"Content-Type": "text/plain"})
    check_error(text, 415, "INVALID_REQUEST", text.json()["error"]["details"])
    elsewhere = await api.send("GET", "/cdrtosgapis")
    assert elsewhere.json() == {"message": "Not found", "status": "error"}


async def test_a_database_that_takes_nothing_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(api.store, "add_foreign_cdr", fail)
    answer = await put(api)
    check_error(answer, 503, "SGAPI_UNAVAILABLE", answer.json()["error"]["details"])
    assert answer.headers["Retry-After"] == "2"


async def test_a_fault_of_ours_is_told_without_its_words(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object) -> None:
        raise RuntimeError("+15551234567")

    monkeypatch.setattr(api.store, "sgapi_task", fail)
    check_error(await show(api), 500, "INTERNAL_ERROR", "Internal server error")


async def test_twenty_a_second_and_a_hundred_a_minute(api: Api) -> None:
    async def use(count: int) -> list[httpx.Response]:
        return [await show(api) for _ in range(count)]

    first = (await use(20))[0]
    assert first.headers["X-RateLimit-Limit"] == "100"
    assert first.headers["X-RateLimit-Remaining"] == "19"
    (refused,) = await use(1)
    details = "Too many requests: the limits are 100 a minute, 20 a second"
    check_error(refused, 429, "RATE_LIMIT_EXCEEDED", refused.json()["error"]["details"])
    assert refused.json()["error"]["details"] in (details, details.partition(": ")[2])
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Limit"]) == ("1", "20")
    assert (await show(api, key="beta")).status_code == 404  # a client's own
    assert (await api.get("/clients/test-connection")).status_code == 200  # elsewhere
    for _ in range(4):
        api.clock.at += 1
        await use(20)
    api.clock.at += 1
    (refused,) = await use(1)
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Limit"]) == ("55", "100")
    assert refused.headers["X-RateLimit-Reset"] == str(int(NOW) + 60)
    assert (await put(api)).status_code == 429
    api.clock.at = NOW + 60
    assert (await put(api)).status_code == 200


async def test_a_clients_own_limit_holds_here_too(api: Api) -> None:
    await api.store.change_client("alpha", {"rate_limit": 1}, NOW)
    assert (await put(api)).status_code == 200
    answer = await show(api)
    check_error(answer, 429, "RATE_LIMIT_EXCEEDED", answer.json()["error"]["details"])
