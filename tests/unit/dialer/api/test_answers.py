"""Every error in the documented format."""

import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI, Response

from dialer.api.answers import ApiError, answer_error, from_refused, install_handlers, success
from dialer.bodies import NO_DATA, TOO_MANY
from dialer.errors import FieldError, NotFound, Refused, StoreUnavailable
from dialer.items import NO_SERVER
from tests.unit.dialer.api.conftest import BASE, ITEM, Api

QUEUES = "/queues/getmasterqueues/"


def test_success() -> None:
    assert success("m", {"a": 1}) == {"message": "m", "status": "success", "data": {"a": 1}}


def _refused(*errors: FieldError) -> ApiError:
    return from_refused(Refused(list(errors)))


@pytest.mark.parametrize("message", [NO_DATA, TOO_MANY])
def test_the_documents_texts_are_the_message(message: str) -> None:
    error = _refused(FieldError("data", message))
    assert (error.status, error.message, error.details, error.errors) == (400, message, "", [])


def test_an_unknown_server_is_404_when_it_is_all() -> None:
    lost = FieldError("asterisk_server_code", NO_SERVER, 0)
    assert _refused(lost).status == 404
    assert _refused(lost, FieldError("asterisk_server_code", NO_SERVER, 1)).message == NO_SERVER
    mixed = _refused(lost, FieldError("retry", "bad", 1))
    assert (mixed.status, mixed.message) == (400, "Validation failed")


def test_details_are_one_bounded_string_and_errors_are_all() -> None:
    error = _refused(*[FieldError("retry", "bad", n) for n in range(8)])
    assert error.details.startswith("data[0].retry: bad; data[1].retry: bad")
    assert error.details.endswith("; and 3 more")
    assert len(error.errors) == 8


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1001])
def test_an_answer_has_every_error_once(count: int) -> None:
    given = [FieldError("retry", 'is "bad"', number) for number in range(count)]
    content = json.loads(bytes(answer_error(ApiError(400, "m", "d", given)).body))
    assert list(content) == ["message", "status", "details", "errors"]
    assert [error["index"] for error in content["errors"]] == list(range(count))
    assert content["errors"][0] == {"index": 0, "field": "retry", "message": 'is "bad"'}


async def test_unknown_paths_and_methods(api: Api) -> None:
    lost = await api.get("/nowhere/")
    assert (lost.status_code, lost.json()) == (404, {"message": "Not found", "status": "error"})
    assert (await api.send("GET", "/")).json()["status"] == "error"
    wrong = await api.get("/queues/insertdataincallqueue/")
    assert wrong.status_code == 405
    assert wrong.json() == {"message": "Method not allowed", "status": "error"}
    assert wrong.headers["allow"] == "POST"


async def test_a_batchs_errors_stand_in_errors(api: Api) -> None:
    body = {"batch_id": 1, "data": [ITEM, {**ITEM, "retry": "x", "call_timeout": 0}]}
    answer = await api.post("/queues/insertdataincallqueue/", json=body)
    assert answer.status_code == 400
    content = answer.json()
    assert list(content) == ["message", "status", "details", "errors"]
    assert content["errors"] == [
        {"index": 1, "field": "retry", "message": "must be a whole number"},
        {"index": 1, "field": "call_timeout", "message": "must be 1 to 120 seconds"},
    ]
    assert "data[1].retry" in content["details"]


def _fail(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def queues(*args: object) -> object:
        raise error

    monkeypatch.setattr(api.store, "queues", queues)


async def test_an_unavailable_store_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail(api, monkeypatch, StoreUnavailable("disk full at /secret/path"))
    answer = await api.get(QUEUES)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["message"] == "Service temporarily unavailable"
    assert "secret" not in answer.text


async def test_surprises_are_500_without_a_word_of_why(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail(api, monkeypatch, RuntimeError("secret"))
    answer = await api.get(QUEUES)
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal server error", "status": "error"}


@pytest.mark.parametrize("make", [NotFound, lambda text: ApiError(404, text)])
async def test_raised_errors_become_answers(
    api: Api, monkeypatch: pytest.MonkeyPatch, make: Callable[[str], Exception]
) -> None:
    _fail(api, monkeypatch, make("Gone"))
    answer = await api.send("GET", BASE + QUEUES)
    assert (answer.status_code, answer.json()["message"]) == (404, "Gone")


async def test_an_api_in_anothers_shape_writes_its_own_errors() -> None:
    app = FastAPI()

    async def refuse() -> None:
        raise Refused([FieldError("retry", "bad", 0)])

    async def fall() -> None:
        raise RuntimeError("of ours")

    async def lose() -> None:
        raise NotFound("lost")

    for path, route in (("/theirs", refuse), ("/theirs/fall", fall), ("/theirsnot", lose)):
        app.add_api_route(path, route)

    def write(error: ApiError) -> Response:
        return Response(f"{error.status} {error.message}", error.status, error.headers)

    install_handlers(app, {"/theirs": write})
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        seen = [(await http.get(path)).text for path in ("/theirs", "/theirs/fall", "/theirs/x")]
        assert seen == ["400 Validation failed", "500 Internal server error", "404 Not found"]
        wrong = await http.post("/theirs")
        assert (wrong.text, wrong.headers["allow"]) == ("405 Method not allowed", "GET")
        assert (await http.get("/theirsnot")).json() == {"message": "lost", "status": "error"}
