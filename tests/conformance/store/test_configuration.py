"""The contract's first part: servers, clients, keys, the installation's secret, runtime notes."""

from dataclasses import replace

import pytest

from dialer.errors import Conflict, NotFound
from dialer.store.contract import (
    Client,
    IdempotentAnswer,
    KeptAnswer,
    RuntimeNote,
    Store,
    StoredKey,
)
from tests import store_records as make
from tests.conformance.store.conftest import Stored

LATER = make.NOW + 60


async def test_a_server_comes_back_as_it_was_added(stored: Stored) -> None:
    assert stored.server == replace(make.SERVER, id=stored.server.id)
    assert await stored.store.servers() == (stored.server,)


async def test_a_taken_server_code_conflicts(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.add_server(make.SERVER, LATER)


async def test_changes_of_a_server(store: Store) -> None:
    changed = await store.change_server("pbx1", {"max_channels": 30, "max_cps": 2.5}, LATER)
    assert (changed.max_channels, changed.max_cps) == (30, 2.5)
    assert await store.servers() == (changed,)


async def test_a_removed_server_is_hidden_but_kept(stored: Stored) -> None:
    await stored.store.change_server("pbx1", {"removed": True}, LATER)
    assert await stored.store.servers() == ()
    assert (await stored.store.snapshot()).servers == (replace(stored.server, removed=True),)
    with pytest.raises(NotFound):
        await stored.store.change_server("pbx1", {"port": 1}, LATER)


async def test_a_removed_code_can_be_added_again_and_is_the_same_server(stored: Stored) -> None:
    await stored.store.change_server("pbx1", {"removed": True}, LATER)
    again = await stored.store.add_server(replace(make.SERVER, host="10.0.0.1"), LATER)
    assert again == replace(stored.server, host="10.0.0.1")


async def test_an_unknown_server_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.change_server("pbx9", {"port": 1}, LATER)


async def test_a_client_comes_back_as_it_was_added(stored: Stored) -> None:
    expected = replace(
        make.CLIENT, id=stored.client.id, has_key=True, created_at=make.NOW, updated_at=make.NOW
    )
    assert stored.client == expected
    assert await stored.store.client("acme") == expected
    assert await stored.store.clients() == (expected,)


@pytest.mark.parametrize(
    ("accountcode", "username", "named"),
    [("acme", "other", "accountcode acme"), ("other", "acme-user", "username acme-user")],
)
async def test_a_taken_client_name_conflicts(
    store: Store, accountcode: str, username: str, named: str
) -> None:
    other = replace(make.CLIENT, accountcode=accountcode, username=username)
    with pytest.raises(Conflict, match=named):
        await store.add_client(other, StoredKey("l2", "d2"), LATER)
    assert len(await store.clients()) == 1


async def test_changes_of_a_client(store: Store) -> None:
    changes = {"callback_url": None, "allocated_channels": 12, "paused": True, "prefix": "9"}
    changed = await store.change_client("acme", changes, LATER)
    assert {name: getattr(changed, name) for name in changes} == changes
    assert changed.updated_at == LATER
    assert await store.client("acme") == changed
    assert not changed.may_dial


async def test_an_unknown_client_is_not_found(store: Store) -> None:
    for call in (
        store.client("nobody"),
        store.change_client("nobody", {"did": "1"}, LATER),
        store.allocate("nobody", [], LATER),
        store.replace_key(99, None, LATER),
    ):
        with pytest.raises(NotFound):
            await call


async def test_allocated_servers(stored: Stored) -> None:
    other = await stored.store.add_server(replace(make.SERVER, code="pbx2"), LATER)
    both = await stored.store.allocate("acme", ["pbx1", "pbx2"], LATER)
    assert both.server_ids == {stored.server.id, other.id}
    assert (await stored.store.allocate("acme", ["pbx2"], LATER)).server_ids == {other.id}
    with pytest.raises(NotFound):
        await stored.store.allocate("acme", ["pbx1", "pbx9"], LATER)
    assert (await stored.store.client("acme")).server_ids == {other.id}
    assert (await stored.store.allocate("acme", [], LATER)).server_ids == frozenset()


async def test_a_key_finds_its_client(stored: Stored) -> None:
    found = await stored.store.client_by_key("lookup")
    assert found == (stored.client, StoredKey("lookup", "digest"))
    assert await stored.store.client_by_key("unknown") is None


async def test_a_replaced_key_finds_nobody(stored: Stored) -> None:
    new = StoredKey("lookup2", "digest2")
    client = await stored.store.replace_key(stored.client.id, new, LATER)
    assert client.has_key
    assert await stored.store.client_by_key("lookup") is None
    assert await stored.store.client_by_key("lookup2") == (client, new)


async def test_a_revoked_key_leaves_the_client_without(stored: Stored) -> None:
    client = await stored.store.replace_key(stored.client.id, None, LATER)
    assert not client.has_key
    assert not client.may_dial
    assert await stored.store.client_by_key("lookup") is None


def keep(client: Client) -> KeptAnswer:
    body = f'{{"accountcode":"{client.accountcode}","has_key":{str(client.has_key).lower()}}}'
    return KeptAnswer(0, "request-1", IdempotentAnswer("digest", 200, body, LATER))


async def kept_of(store: Store) -> str | None:
    answer = await store.idempotent_answer(0, "request-1")
    return None if answer is None else answer.body


async def test_answers_are_kept_with_the_change_itself(stored: Stored) -> None:
    other = replace(make.CLIENT, accountcode="other", username="other")
    await stored.store.add_client(other, StoredKey("l2", "d2"), LATER, keep=keep)
    assert await kept_of(stored.store) == '{"accountcode":"other","has_key":true}'


async def test_a_replaced_key_s_answer_is_kept_with_it(stored: Stored) -> None:
    await stored.store.replace_key(stored.client.id, None, LATER, keep=keep)
    assert await kept_of(stored.store) == '{"accountcode":"acme","has_key":false}'


async def test_a_change_whose_answer_cannot_be_kept_is_none(stored: Stored) -> None:
    taken = IdempotentAnswer("another request", 200, "{}", LATER)
    await stored.store.keep_answer(0, "request-1", taken)
    other = replace(make.CLIENT, accountcode="other", username="other")
    with pytest.raises(Conflict):
        await stored.store.add_client(other, StoredKey("l2", "d2"), LATER, keep=keep)
    with pytest.raises(Conflict):
        await stored.store.replace_key(stored.client.id, None, LATER, keep=keep)
    assert await stored.store.clients() == (stored.client,)
    assert await stored.store.client_by_key("lookup") is not None


async def test_the_installation_secret_is_random_and_stays(stored: Stored) -> None:
    secret = await stored.store.installation_secret()
    assert len(secret) == 32
    assert len(set(secret)) > 8
    other = stored.reopen()
    await other.open()
    assert await other.installation_secret() == secret
    await other.close()


async def test_runtime_notes_are_replaced_by_name(store: Store) -> None:
    await store.put_runtime({"links": {"pbx1": "up"}, "cps": 3}, make.NOW)
    await store.put_runtime({"links": {"pbx1": "down"}}, LATER)
    assert await store.runtime() == {
        "links": RuntimeNote({"pbx1": "down"}, LATER),
        "cps": RuntimeNote(3, make.NOW),
    }
