"""Requests a minute, as clients see them."""

import pytest

from tests.unit.dialer.api.conftest import NOW, Api

TEST = "/clients/test-connection/"
INSERT = "/queues/insertdataincallqueue/"


async def limit(api: Api, requests: int | None) -> None:
    await api.store.change_client("alpha", {"rate_limit": requests}, NOW)


async def test_a_client_without_a_limit_is_told_of_none(api: Api) -> None:
    answer = await api.get(TEST)
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


async def test_the_headers_count_down_until_429(api: Api) -> None:
    await limit(api, 2)
    told = []
    for _ in range(3):
        answer = await api.get(TEST)
        told.append(
            (
                answer.status_code,
                answer.headers["x-ratelimit-limit"],
                answer.headers["x-ratelimit-remaining"],
                answer.headers["x-ratelimit-reset"],
                answer.headers.get("retry-after"),
            )
        )
        api.clock.at += 10
    now = int(NOW)
    assert told == [
        (200, "2", "1", str(now), None),
        (200, "2", "0", str(now + 60), None),
        (429, "2", "0", str(now + 60), "40"),
    ]
    assert answer.json() == {
        "message": "Too many requests",
        "status": "error",
        "details": "the limit is 2 requests a minute",
    }
    api.clock.at = NOW + 60
    assert (await api.get(TEST)).status_code == 200


async def test_errors_count_and_carry_the_headers(api: Api) -> None:
    await limit(api, 3)
    for path in (INSERT, "/queues/updatequeuemaster/999"):
        answer = await (api.post if path is INSERT else api.put)(path, json={"retry": True})
        assert answer.is_error
        assert answer.headers["x-ratelimit-limit"] == "3"
    assert answer.headers["x-ratelimit-remaining"] == "1"


async def test_nothing_is_stored_of_a_refused_request(api: Api) -> None:
    await limit(api, 1)
    await api.get(TEST)
    assert (await api.post(INSERT, json={"batch_id": 1, "data": []})).status_code == 429
    assert (await api.store.queues(None, 0, 10)).total == 0


@pytest.mark.parametrize("key", ["beta", "chief", "root"])
async def test_limits_are_each_clients_own(api: Api, key: str) -> None:
    await limit(api, 1)
    for _ in range(3):
        await api.get(TEST)
    assert (await api.get(TEST, key)).status_code == 200


async def test_a_wrong_key_uses_up_nobodys_limit(api: Api) -> None:
    await limit(api, 1)
    for _ in range(3):
        assert (await api.get(TEST, "dk_nobody")).status_code == 401
    assert (await api.get(TEST)).status_code == 200
