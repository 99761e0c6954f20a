"""POST /clients/."""

import json
from typing import Any

import httpx
import pytest

from dialer.errors import StoreUnavailable
from tests.unit.dialer.api.conftest import BASE, Api
from tests.unit.dialer.test_clients import FULL

# The document's curl body, byte for byte.
CURL = b"""{
    "name": "Client Company",
    "accountcode": "client_xyz",
    "username": "client_user",
    "allocated_channels": 10,
    "is_active": true
  }"""


async def test_the_documents_curl_command(api: Api) -> None:
    answer = await api.post(
        "/clients/", "root", content=CURL, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    content = answer.json()
    key = content.pop("api_key")
    client = await api.store.client("client_xyz")
    assert content == {
        "id": client.id,
        "name": "Client Company",
        "accountcode": "client_xyz",
        "username": "client_user",
        "is_active": True,
        "status": "active",
        "created_at": "2024-01-01T10:00:00Z",
        "updated_at": "2024-01-01T10:00:00Z",
    }
    assert client.allocated_channels == 10
    assert api.signals.told == [("clients_changed", None)]
    queues = await api.get("/queues/getmasterqueues/", key)
    assert queues.json()["results"] == []


async def test_all_documented_fields(api: Api) -> None:
    answer = await api.post("/clients/", "root", json=FULL)
    assert list(answer.json()) == [
        "id",
        "name",
        "accountcode",
        "username",
        "api_key",
        "is_active",
        "status",
        "created_at",
        "updated_at",
    ]
    client = await api.store.client("client_xyz")
    assert (client.callback_url, client.rate_limit) == ("https://client.com/callback", 1000)


@pytest.mark.parametrize("change", [{"username": "other"}, {"accountcode": "other"}])
async def test_duplicates_are_409(api: Api, change: dict[str, Any]) -> None:
    await api.post("/clients/", "root", json=FULL)
    answer = await api.post("/clients/", "root", json={**FULL, **change})
    assert answer.status_code == 409
    assert answer.json()["status"] == "error"


async def test_what_is_missing_is_named(api: Api) -> None:
    answer = await api.post("/clients/", "root", json={})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [
        "name",
        "accountcode",
        "username",
    ]
    assert api.signals.told == []


async def test_a_suspended_client_can_be_made(api: Api) -> None:
    answer = await api.post("/clients/", "root", json={**FULL, "is_active": False})
    refused = await api.get("/queues/getmasterqueues/", answer.json()["api_key"])
    assert refused.status_code == 403


async def test_the_key_is_stored_nowhere(api: Api, tmp_path: Any) -> None:
    answer = await api.post("/clients/", "root", json=FULL, headers={"Idempotency-Key": "k"})
    secret = answer.json()["api_key"].split("_")[2].encode()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("dialer.db*"))
    assert json.dumps("client_xyz").encode()[1:-1] in written
    assert secret not in written


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clients/", FULL),
        ("PUT", "/clients/regenerate-api-key", {"accountcode": "alpha"}),
    ],
)
async def test_a_crash_after_a_client_or_key_was_made_makes_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any]
) -> None:
    async def send() -> httpx.Response:
        return await api.send(
            method, BASE + path, "root", json=body, headers={"Idempotency-Key": "k"}
        )

    async def crash(*args: Any) -> None:
        raise StoreUnavailable("the process was killed")

    monkeypatch.setattr(api.store, "keep_answer", crash)
    assert (await send()).status_code == 503
    monkeypatch.undo()
    left = await api.store.clients()
    again = await send()
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert (again.json()["accountcode"], again.json()["api_key"]) == (body["accountcode"], None)
    assert await api.store.clients() == left
