import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession, web

from dialer.delivery.callback import build_callback, build_closing
from dialer.delivery.sgapi import SgapiTarget, build_sgapi
from dialer.sinks import Body, CallbackSink, SgapiSink, Sink, find_fault
from dialer.states import ItemEnd
from tests.unit.dialer.delivery.samples import CLIENT, NOW, make_cdr, make_ended

CDR: Body = {
    "uuid": "550e8400-e29b-41d4-a716-446655440000",
    "caller_id": "+15551234567",
    "called_number": "+15559876543",
    "start_time": "2024-01-15T10:30:00Z",
    "end_time": "2024-01-15T10:35:30Z",
    "duration": 330,
    "disposition": "ANSWERED",
    "direction": "inbound",
    "queue_id": "sales_queue_01",
    "agent_id": "agent_1234",
    "recording_url": "https://recordings.example.com/calls/550e8400.mp3",
    "custom_data": {"campaign_id": "camp_2024_01"},
}


async def call(method: str, url: str, body: str | bytes, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        ClientSession() as session,
        session.request(method, url, data=body, headers=headers) as response,
    ):
        return response.status, await response.json()


def dump(body: Body) -> str:
    return json.dumps(body)


async def test_callbacks_are_kept_by_event_and_repetitions_counted() -> None:
    attempt = build_callback(make_cdr(), CLIENT, NOW)
    closing = build_closing(make_ended(ItemEnd.EXPIRED), CLIENT, "pbx1", NOW)
    assert attempt is not None
    assert closing is not None
    seen = asyncio.Event()
    async with CallbackSink() as sink:
        sink.watch(seen.set)
        assert (await call("POST", sink.origin + "/hook", attempt.body))[0] == 200
        assert seen.is_set()
        await call("POST", sink.origin + "/hook", attempt.body)
        await call("POST", sink.origin + "/hook", closing.body)
    assert sink.bodies[make_cdr().cdr_id]["event_type"] == "call_completed"
    assert sink.closings["call-1"]["event_type"] == "call_timeout"
    assert sink.duplicates == {make_cdr().cdr_id: 1}
    assert sink.requests == 3


async def test_what_is_no_callback_is_refused() -> None:
    async with CallbackSink() as sink:
        assert (await call("POST", sink.origin, "[]"))[0] == 400
        assert (await call("POST", sink.origin, b"\xff"))[0] == 400
    assert sink.bodies == {}


async def test_a_script_may_answer_instead() -> None:
    failures = iter([web.Response(status=500, text="{}", content_type="application/json"), None])
    async with CallbackSink(lambda body: next(failures)) as sink:
        assert (await call("POST", sink.origin, '{"cdr_id":"a"}'))[0] == 500
        assert sink.bodies == {}
        assert (await call("POST", sink.origin, '{"cdr_id":"a"}'))[0] == 200
    assert set(sink.bodies) == {"a"}


async def test_the_gateway_answers_as_documented() -> None:
    async with SgapiSink(token="t") as sink:
        url = sink.origin + "/cdrtosgapi"
        status, answer = await call("PUT", url, dump(CDR), "t")
        assert answer["data"].pop("created_at").endswith("Z")
        assert (status, answer) == (
            200,
            {
                "status": "success",
                "data": {
                    "task_id": "task_1",
                    "uuid": CDR["uuid"],
                    "cdr_id": "cdr_1",
                    "state": "pending",
                    "message": "CDR task created successfully",
                },
            },
        )
        status, answer = await call("PUT", url, dump(CDR), "t")
        assert (status, answer["error"]["code"]) == (409, "DUPLICATE_CDR")
        status, answer = await call("PUT", url + "/sales", dump(CDR | {"uuid": "b"}), "t")
        assert (status, answer["data"]["entity"]) == (200, "sales")
        status, answer = await call("PUT", url, dump(CDR | {"uuid": "c"}), "wrong")
        assert (status, answer["error"]["code"]) == (401, "UNAUTHORIZED")
        status, answer = await call("PUT", url, "{", "t")
        assert (status, answer["error"]["code"]) == (400, "INVALID_REQUEST")
    assert set(sink.cdrs) == {CDR["uuid"], "b"}
    assert sink.entities == {CDR["uuid"]: None, "b": "sales"}
    assert sink.duplicates == {CDR["uuid"]: 1}
    assert sink.refused == [("INVALID_REQUEST", None)]


async def test_what_we_send_is_what_the_gateway_takes() -> None:
    async with SgapiSink() as sink:
        sgapi = build_sgapi(make_cdr(caller_id=None), SgapiTarget(sink.origin, "sales"), NOW)
        assert sgapi is not None
        assert (await call(sgapi.method, sgapi.url, sgapi.body))[0] == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uuid": None}, "INVALID_REQUEST"),
        ({"caller_id": 1}, "INVALID_REQUEST"),
        ({"duration": "330"}, "INVALID_REQUEST"),
        ({"duration": True}, "INVALID_REQUEST"),
        ({"queue_id": 3}, "INVALID_REQUEST"),
        ({"recording_url": None}, "INVALID_REQUEST"),
        ({"start_time": "yesterday"}, "INVALID_TIMESTAMP"),
        ({"end_time": "2024-01-15T10:35:30"}, "INVALID_TIMESTAMP"),
        ({"disposition": "CANCEL"}, "INVALID_DISPOSITION"),
        ({"duration": -1}, "VALIDATION_ERROR"),
        ({"end_time": "2024-01-15T10:29:59Z"}, "VALIDATION_ERROR"),
        ({"direction": "sideways"}, "VALIDATION_ERROR"),
    ],
)
def test_the_gateways_rules(change: Body, code: str) -> None:
    fault = find_fault(CDR | change)
    assert fault is not None
    assert fault[1] == code
    assert fault[0] == (422 if code == "VALIDATION_ERROR" else 400)


def test_the_documents_example_is_right() -> None:
    assert find_fault(CDR) is None
    required = {name: CDR[name] for name in list(CDR)[:7]}
    assert find_fault(required) is None


def test_a_closed_sink_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        _ = CallbackSink().origin


def test_a_sink_serves_nothing_by_itself() -> None:
    with pytest.raises(NotImplementedError):
        Sink().routes()


async def test_the_gateway_tells_of_tasks_as_documented() -> None:
    async with SgapiSink(token="t") as sink:
        url = sink.origin + "/cdrtosgapi"
        await call("PUT", url, dump(CDR), "t")
        status, answer = await call("GET", f"{url}/{CDR['uuid']}", b"", "t")
        data = answer["data"]
        assert (status, answer["status"], data["state"]) == (200, "success", "completed")
        assert (data["sgapi_status"], data["sgapi_reference"]) == ("synced", "sgapi_ref_1")
        assert {data[name] for name in ("created_at", "updated_at")} == {data["completed_at"]}
        assert (data["disposition"], data["duration"]) == ("ANSWERED", 330)
        status, answer = await call("GET", f"{url}/unknown", b"", "t")
        assert (status, answer["error"]["code"]) == (404, "NOT_FOUND")
        status, answer = await call("GET", f"{url}/{CDR['uuid']}", b"", "wrong")
        assert (status, answer["error"]["code"]) == (401, "UNAUTHORIZED")
        assert sink.looks == {CDR["uuid"]: 1, "unknown": 1}
        failed = sink.describe_task(str(CDR["uuid"]), "failed", error_message="no", retry_count=3)
    assert failed["data"]["completed_at"] is None
    assert (failed["data"]["sgapi_status"], failed["data"]["retry_count"]) == ("error", 3)
