"""The contract's part that configures, as far as the conformance suite does not show it."""

from dataclasses import replace
from pathlib import Path

import pytest

from dialer.errors import NotFound
from dialer.store.contract import StoredKey
from dialer.store.sqlite import SqliteStore
from tests import store_records as make


async def test_removed_servers_are_not_listed_and_clients_are_found_by_name(
    tmp_path: Path,
) -> None:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()
    await store.add_server(make.SERVER, make.NOW)
    other = await store.add_server(replace(make.SERVER, code="pbx2"), make.NOW)
    await store.change_server("pbx1", {"removed": True}, make.NOW)
    assert await store.servers() == (other,)
    added = await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    assert await store.client("acme") == added
    assert await store.client_by_key("another") is None
    with pytest.raises(NotFound, match="nobody"):
        await store.client("nobody")
    await store.close()
