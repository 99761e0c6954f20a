"""Who calls, and for whom."""

import pytest

from dialer.keys import make_key
from tests.unit.dialer.api.conftest import ITEM, Api

QUEUES = "/queues/getmasterqueues/"
INSERT = "/queues/insertdataincallqueue/"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_bearer(api: Api, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {api.keys['alpha']}"}
    assert (await api.get(QUEUES, None, headers=headers)).status_code == 200


async def test_x_api_key(api: Api) -> None:
    headers = {"X-API-KEY": api.keys["alpha"]}
    assert (await api.get(QUEUES, None, headers=headers)).status_code == 200


async def test_wrong_keys_are_401(api: Api) -> None:
    for wrong in ("", "nonsense", "Bearer", "Bearer x", "Basic YTpi", "dk_a_b_c"):
        for header in ("Authorization", "X-API-KEY"):
            answer = await api.get(QUEUES, None, headers={header: wrong})
            assert answer.status_code == 401
            assert answer.json()["message"] == "Invalid API key"
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_well_formed_key_of_nobody_is_401(api: Api) -> None:
    stranger, _ = make_key(b"elsewhere")
    assert (await api.get(QUEUES, stranger)).status_code == 401


async def test_a_revoked_key_is_401(api: Api) -> None:
    client = await api.store.client("alpha")
    await api.store.replace_key(client.id, None, api.clock.now())
    assert (await api.get(QUEUES)).status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"status": "suspended"}])
async def test_a_client_that_is_not_active_is_403(api: Api, change: dict[str, object]) -> None:
    await api.store.change_client("alpha", change, api.clock.now())
    answer = await api.get(QUEUES)
    assert (answer.status_code, answer.json()["message"]) == (403, "Client is not active")


@pytest.mark.parametrize("key", ["root", "chief"])
async def test_a_superuser_names_the_client(api: Api, key: str) -> None:
    missing = await api.get(QUEUES, key)
    assert missing.status_code == 403
    assert missing.json()["message"] == "Account code is required for superuser"
    how = "name the client by accountcode or client_code"
    own = {"root": "", "chief": ", your own is chief"}  # the bootstrap key is no client's
    assert missing.json()["details"] == how + own[key]
    await api.load()
    for number, name in enumerate(("accountcode", "client_code")):
        answer = await api.get(f"{QUEUES}?{name}=alpha", key)
        assert answer.json()["results"][0]["accountcode"] == "alpha"
        body = {"batch_id": number, "data": [ITEM], name: "beta"}
        assert (await api.post(INSERT, key, json=body)).status_code == 200
    assert (await api.get(f"{QUEUES}?accountcode=nobody", key)).status_code == 404
    assert (await api.get(QUEUES, "beta")).json()["pagination"]["total_entries"] == 2


async def test_an_ordinary_client_is_itself_only(api: Api) -> None:
    assert (await api.get(f"{QUEUES}?accountcode=alpha")).status_code == 200
    assert (await api.get(f"{QUEUES}?accountcode=beta")).status_code == 404
    body = {"batch_id": 1, "data": [ITEM], "client_code": "beta"}
    assert (await api.post(INSERT, json=body)).status_code == 404


FLUSH = "/queues/flushqueue/"


@pytest.mark.parametrize("query", ["accountcode=alpha&client_code=beta", "accountcode=alpha,beta"])
async def test_an_ordinary_client_that_names_another_beside_itself_is_404(
    api: Api, query: str
) -> None:
    await api.load()
    query = query.replace(",", "&accountcode=")
    for key in ("alpha", "beta"):
        assert (await api.get(f"{FLUSH}?{query}", key)).status_code == 404
    assert api.closing.ended == []
    same = await api.get(f"{FLUSH}?accountcode=alpha&client_code=alpha")
    assert same.json()["data"] == {"flushed_count": 1}


@pytest.mark.parametrize("key", ["root", "chief"])
async def test_a_superuser_names_one_client_only(api: Api, key: str) -> None:
    await api.load()
    answer = await api.get(f"{FLUSH}?accountcode=alpha&client_code=beta", key)
    assert (answer.status_code, answer.json()["message"]) == (
        409,
        "accountcode and client_code name different clients",
    )
    body = {"batch_id": 7, "data": [ITEM], "accountcode": "alpha"}
    assert (await api.post(f"{INSERT}?client_code=beta", key, json=body)).status_code == 409
    assert (await api.get(f"{FLUSH}?accountcode=alpha&client_code=nobody", key)).status_code == 404
    assert api.closing.ended == []
    assert (await api.post(f"{INSERT}?client_code=alpha", key, json=body)).status_code == 200


async def test_no_bootstrap_key_no_bootstrap(api: Api) -> None:
    deps = api.app.state.deps
    settings = deps.settings.model_copy(update={"superuser_api_key": None})
    api.app.state.deps = type(deps)(
        store=deps.store,
        settings=settings,
        clock=deps.clock,
        ids=deps.ids,
        signals=deps.signals,
        close_item=deps.close_item,
    )
    assert (await api.get(f"{QUEUES}?accountcode=alpha", "root")).status_code == 401


async def test_only_superusers_make_clients(api: Api) -> None:
    body = {"name": "n", "accountcode": "new", "username": "new"}
    answer = await api.post("/clients/", json=body)
    assert answer.status_code == 403
    assert (await api.post("/clients/", "chief", json=body)).status_code == 200


async def test_a_key_is_checked_before_the_body_is_read(api: Api) -> None:
    answer = await api.post(INSERT, "nonsense", content=b"x" * 2 * 10**6)
    assert answer.status_code == 401


async def test_keys_with_odd_characters_are_401(api: Api) -> None:
    headers = [(b"Authorization", b"Bearer \xff\xfe"), (b"X-API-KEY", b"\xe9")]
    for header in headers:
        answer = await api.http.get("/calling/api" + QUEUES, headers=[header])
        assert answer.status_code == 401
