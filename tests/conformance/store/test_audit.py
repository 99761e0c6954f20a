"""The audit log: who changed what, written with the change."""

from dataclasses import replace

import pytest

from dialer.errors import Conflict
from dialer.policy import Policy
from dialer.store.contract import StoredKey
from tests import store_records as make
from tests.conformance.store.conftest import Stored

NOW, LATER = make.NOW, make.NOW + 60
ANN = "operator ann"


async def entries(stored: Stored) -> list[tuple[str, str, str]]:
    return [(e.actor, e.action, e.subject) for e in await stored.store.audit(100)]


async def test_changes_without_a_name_are_not_noted(stored: Stored) -> None:
    await stored.store.change_client("acme", {"did": "1"}, LATER)
    assert await entries(stored) == []


async def test_every_kind_of_change_is_noted_the_latest_first(stored: Stored) -> None:
    store = stored.store
    added = await stored.add(make.item())
    other = replace(make.CLIENT, accountcode="other", username="other")
    await store.add_server(replace(make.SERVER, code="pbx2"), LATER, ANN)
    await store.change_server("pbx2", {"max_channels": 4}, LATER, ANN)
    await store.change_server("pbx2", {"removed": True}, LATER, ANN)
    await store.add_client(other, StoredKey("k1", "d"), LATER, ANN)
    await store.change_client("acme", {"allocated_channels": 3}, LATER, ANN)
    await store.allocate("acme", ["pbx1"], LATER, ANN)
    await store.replace_key(stored.client.id, StoredKey("k2", "d"), LATER, ANN)
    await store.replace_key(stored.client.id, None, LATER, ANN)
    await store.change_queue(added.queue_id, {"paused": True}, make.close, LATER, ANN)
    await store.flush(stored.client.id, make.close, LATER, ANN)
    assert await entries(stored) == [
        (ANN, "client.flush", "acme"),
        (ANN, "queue.change", str(added.queue_id)),
        (ANN, "client.revoke", "acme"),
        (ANN, "client.key", "acme"),
        (ANN, "client.change", "acme"),
        (ANN, "client.change", "acme"),
        (ANN, "client.add", "other"),
        (ANN, "server.remove", "pbx2"),
        (ANN, "server.change", "pbx2"),
        (ANN, "server.add", "pbx2"),
    ]


async def test_an_entry_tells_values_before_and_after_and_no_digest(stored: Stored) -> None:
    await stored.store.change_client("acme", {"allocated_channels": 3, "did": "5"}, LATER, ANN)
    await stored.store.replace_key(stored.client.id, StoredKey("k2", "secret-digest"), LATER, ANN)
    key, change = await stored.store.audit(2)
    assert change.details == {"allocated_channels": [1, 3], "did": [None, "5"]}
    assert (change.at, key.details) == (LATER, {"lookup": "k2"})


async def test_a_change_that_fails_is_not_noted(stored: Stored) -> None:
    with pytest.raises(Conflict):
        await stored.store.add_server(make.SERVER, LATER, ANN)
    assert await entries(stored) == []


async def test_a_policy_is_stored_and_noted(stored: Stored) -> None:
    policy = Policy(prefixes=frozenset({"1", "44"}), endpoints=frozenset({"trunk"}))
    changed = await stored.store.change_client("acme", {"policy": policy}, LATER, ANN)
    assert changed.policy == policy
    assert (await stored.store.client("acme")).policy == policy
    assert (await stored.store.snapshot()).clients[0].policy == policy
    (entry,) = await stored.store.audit(1)
    assert entry.details == {"policy": [{}, {"endpoints": ["trunk"], "prefixes": ["1", "44"]}]}
