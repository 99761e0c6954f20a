"""Keys made and revoked by their own client, and by superusers."""

import pytest

from tests.unit.dialer.api.conftest import ITEM, Api

RENEW = "/clients/regenerate-api-key"
REVOKE = "/clients/revoke-api-key"
TEST = "/clients/test-connection/"
FIELDS = [
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


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_client_makes_itself_a_new_key(api: Api, slash: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await api.put(RENEW + slash, content=body, headers=headers)
    assert answer.status_code == 200
    assert list(answer.json()) == FIELDS
    assert (await api.get(TEST)).status_code == 401
    assert (await api.get(TEST, answer.json()["api_key"])).status_code == 200
    assert api.signals.told == [("clients_changed", None)]


async def test_a_revoked_key_stops_at_once_and_calls_are_held(api: Api) -> None:
    await api.load(count=2)
    answer = await api.put(REVOKE)
    assert answer.status_code == 200
    assert answer.json()["api_key"] is None
    assert (await api.get(TEST)).status_code == 401
    client = await api.store.client("alpha")
    assert not client.may_dial
    queues = await api.get("/queues/getmasterqueues/?accountcode=alpha", "chief")
    assert queues.json()["results"][0]["pending_count"] == 2


async def test_a_superuser_gives_a_client_a_key_again(api: Api) -> None:
    await api.put(REVOKE)
    answer = await api.put(f"{RENEW}?client_code=alpha", "chief")
    assert (await api.get(TEST, answer.json()["api_key"])).status_code == 200
    assert (await api.store.client("alpha")).may_dial
    body = {"accountcode": "alpha"}
    assert (await api.put(REVOKE, "chief", json=body)).json()["accountcode"] == "alpha"


async def test_a_superuser_has_to_name_the_client(api: Api) -> None:
    for path in (RENEW, REVOKE):
        answer = await api.put(path, "chief")
        assert answer.status_code == 403
        assert answer.json()["message"] == "Account code is required for superuser"
        assert (await api.put(f"{path}?accountcode=nobody", "chief")).status_code == 404


async def test_a_superuser_names_itself_for_a_key_of_its_own(api: Api) -> None:
    old = (await api.put(f"{RENEW}?accountcode=chief", "chief")).json()
    assert old["accountcode"] == "chief"
    new = (await api.put(RENEW, old["api_key"], json={"client_code": "chief"})).json()["api_key"]
    for key, status in (("chief", 401), (old["api_key"], 401), (new, 200)):
        assert (await api.get(TEST, key)).status_code == status


async def test_nobody_changes_the_key_of_another(api: Api) -> None:
    for path in (RENEW, REVOKE):
        assert (await api.put(f"{path}?accountcode=alpha", "beta")).status_code == 404
        assert (await api.put(path, "beta", json={"client_code": "alpha"})).status_code == 404
    assert (await api.get(TEST)).status_code == 200


async def test_a_replayed_answer_holds_no_key(api: Api) -> None:
    headers = {"Idempotency-Key": "renew-1"}
    path = f"{RENEW}?accountcode=alpha"
    first = (await api.put(path, "chief", headers=headers)).json()
    again = await api.put(path, "chief", headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {**first, "api_key": None}
    assert (await api.get(TEST, first["api_key"])).status_code == 200


async def test_keys_are_noted_without_their_secret_part(api: Api) -> None:
    key = (await api.put(RENEW)).json()["api_key"]
    await api.put(f"{REVOKE}?accountcode=alpha", "chief")
    revoked, renewed = await api.store.audit(2)
    assert (renewed.actor, renewed.action) == ("client alpha", "client.key")
    assert (revoked.actor, revoked.action) == ("superuser chief", "client.revoke")
    assert renewed.details == {"lookup": key.split("_")[1]}


async def test_the_connection_can_be_tested(api: Api) -> None:
    alpha = await api.store.client("alpha")
    assert (await api.get(TEST)).json() == {
        "message": "Connection successful",
        "status": "success",
        "data": {"accountcode": "alpha", "name": alpha.name, "is_superuser": False},
    }
    assert (await api.get(TEST, "chief")).json()["data"]["is_superuser"] is True
    assert (await api.get(TEST, "root")).status_code == 200
    assert (await api.get(TEST, None)).status_code == 401


async def test_a_key_is_no_use_for_an_inactive_client(api: Api) -> None:
    await api.store.change_client("alpha", {"status": "suspended"}, api.clock.now())
    for method, path in (("PUT", RENEW), ("PUT", REVOKE), ("GET", TEST)):
        assert (await api.send(method, f"/calling/api{path}")).status_code == 403
    assert (await api.post("/queues/insertdataincallqueue/", json={"data": [ITEM]})).is_error
