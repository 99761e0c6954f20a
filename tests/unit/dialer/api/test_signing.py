"""Signing secrets over HTTP: shown once, live at once, the one before for a while."""

from pathlib import Path
from typing import Any

import pytest

from dialer.api.signing import DEFAULT_GRACE
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.signing import show_secret
from dialer.signing_key import load_signing_key
from tests.unit.dialer.api.conftest import NOW, Api

RENEW = "/clients/regenerate-signing-secret"
SHOW = "/clients/signing-secret"
FIELDS = ["accountcode", "signing_secret", "version", "previous_valid_until"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's file lies beside the database, which these settings name by a relative path."""
    monkeypatch.chdir(tmp_path)


async def live_secrets(api: Api, accountcode: str = "alpha", now: float = NOW) -> list[str]:
    """What a deliverer signs with."""
    book = ReceiverBook(api.store, lambda: load_signing_key(api.app.state.deps.settings))
    await book.refresh()
    client = await api.store.client(accountcode)
    return [show_secret(secret) for secret in book.secrets_of(client.id, now)]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"grace_hours": null}'])
async def test_a_client_makes_itself_a_new_secret(api: Api, slash: str, body: bytes) -> None:
    before = await live_secrets(api)
    headers = {"Content-Type": "application/json"}
    answer = await api.put(RENEW + slash, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert list(made) == FIELDS
    assert (made["accountcode"], made["version"]) == ("alpha", 2)
    assert made["previous_valid_until"] == "2024-01-02T10:00:00Z"
    assert await live_secrets(api) == [made["signing_secret"], *before]
    assert await live_secrets(api, now=NOW + DEFAULT_GRACE * 3600) == [made["signing_secret"]]
    assert api.signals.told == [("clients_changed", None)]
    (entry,) = await api.store.audit(1)
    assert (entry.actor, entry.action, entry.subject) == (
        *("client alpha", "client.signing-secret"),
        "alpha",
    )
    assert made["signing_secret"] not in str(entry)


async def test_without_a_grace_the_one_before_is_dead_at_once(api: Api) -> None:
    made = (await api.put(RENEW, json={"grace_hours": "0"})).json()
    assert made["previous_valid_until"] is None
    assert await live_secrets(api) == [made["signing_secret"]]


async def test_which_one_is_live_is_shown_without_it(api: Api) -> None:
    first = (await api.get(SHOW)).json()
    assert list(first.items()) == list(zip(FIELDS, ["alpha", None, 1, None], strict=True))
    await api.put(RENEW, json={"grace_hours": 1})
    assert (await api.get(f"{SHOW}/")).json() == {
        **first,
        "version": 2,
        "previous_valid_until": "2024-01-01T11:00:00Z",
    }
    api.clock.at += 3600
    assert (await api.get(SHOW)).json()["previous_valid_until"] is None
    assert (await api.get(SHOW, "beta")).json()["version"] == 1


async def test_the_same_key_makes_one_secret_and_shows_it_once(api: Api) -> None:
    once = {"Idempotency-Key": "secret-1"}
    first = await api.put(RENEW, headers=once)
    again = await api.put(RENEW, headers=once)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json() | {"signing_secret": None}
    assert (await api.get(SHOW)).json()["version"] == 2


@pytest.mark.parametrize("grace", [-1, 8761, "soon", 1.5, True, [], {}])
async def test_a_wrong_grace_changes_nothing(api: Api, grace: Any) -> None:
    answer = await api.put(RENEW, json={"grace_hours": grace})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "grace_hours"
    assert (await api.get(SHOW)).json()["version"] == 1


async def test_a_superuser_acts_for_a_client_and_names_it(api: Api) -> None:
    assert (await api.put(RENEW, "chief")).status_code == 403
    assert (await api.get(SHOW, "chief")).status_code == 403
    made = await api.put(RENEW, "chief", json={"client_code": "alpha"})
    assert made.json()["accountcode"] == "alpha"
    assert (await api.get(f"{SHOW}?accountcode=alpha", "chief")).json()["version"] == 2
    (entry,) = await api.store.audit(1)
    assert entry.actor == "superuser chief"


async def test_another_clients_secret_is_not_there(api: Api) -> None:
    assert (await api.put(RENEW, "beta", json={"accountcode": "alpha"})).status_code == 404
    assert (await api.get(f"{SHOW}?accountcode=alpha", "beta")).status_code == 404
    assert (await api.get(SHOW)).json()["version"] == 1
    assert (await api.get(f"{SHOW}?version=1")).status_code == 400
