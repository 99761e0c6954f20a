"""Bodies within the limit, types, query parameters."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.unit.dialer.api.conftest import ITEM, Api

INSERT = "/queues/insertdataincallqueue/"
BODY = json.dumps({"batch_id": 1, "data": [ITEM]}).encode()


async def test_a_body_over_the_limit_is_413_before_it_is_parsed(api: Api) -> None:
    answer = await api.post(INSERT, content=b"x" * (10**6 + 1))
    assert answer.status_code == 413
    assert answer.json()["message"] == "Request body too large"


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": str(10**8)}, {"Content-Length": "1000001", "Expect": "100-continue"}],
)
async def test_a_body_that_need_not_be_sent_is_not_read(api: Api, headers: dict[str, str]) -> None:
    sent: list[bytes] = []

    async def watched() -> AsyncIterator[bytes]:
        sent.append(BODY)
        yield BODY

    answer = await api.post(INSERT, content=watched(), headers=headers)
    assert answer.status_code == 413
    assert sent == []
    assert answer.headers["connection"] == "close"


async def test_a_chunked_body_is_cut_off_at_the_limit(api: Api) -> None:
    poured = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal poured
        while True:
            poured += 100_000
            assert poured < 10**7, "read far past the limit"
            yield b" " * 100_000

    answer = await api.post(INSERT, content=endless())
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


async def test_a_chunked_body_within_the_limit_is_read(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for place in range(0, len(BODY), 7):
            yield BODY[place : place + 7]

    assert (await api.post(INSERT, content=chunks())).status_code == 200


async def test_at_the_limit(api: Api) -> None:
    answer = await api.post(INSERT, content=BODY + b" " * (10**6 - len(BODY)))
    assert answer.status_code == 200


async def test_json_types(api: Api) -> None:
    for given in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/problem+json",
        "application/json;",
    ]:
        answer = await api.post(INSERT, content=BODY, headers={"Content-Type": given})
        assert answer.status_code == 200


async def test_other_types_are_415(api: Api) -> None:
    for given in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "",
        "x",
    ]:
        answer = await api.post(INSERT, content=BODY, headers={"Content-Type": given})
        assert answer.status_code == 415
        assert answer.json()["status"] == "error"


async def test_no_type_is_taken_for_json(api: Api) -> None:
    assert (await api.post(INSERT, content=BODY)).status_code == 200


async def test_packed_bodies_are_415(api: Api) -> None:
    answer = await api.post(INSERT, content=BODY, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


async def test_no_json_object_is_400(api: Api) -> None:
    for body in [b"", b"{", b"[]", b"\xff", b"null", b"[" * 900_000, b'{"a":' * 150_000, b'"x"']:
        answer = await api.post(INSERT, content=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Request body")


async def test_wrong_pages_are_400(api: Api) -> None:
    for query in (
        *("page=0", "page=-1", "page=x", "page=", "page=1.5", "page=\u0663"),
        *("page_size=0", "page_size=1001"),
    ):
        answer = await api.get(f"/queues/getmasterqueues/?{query}")
        assert answer.status_code == 400
        assert query.split("=")[0] in answer.json()["details"]
