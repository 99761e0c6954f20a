"""Rows of servers, clients and keys (their meaning: the conformance suite)."""

from typing import Any

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from dialer.store import config_rows
from dialer.store import tables as t
from dialer.store.contract import StoredKey
from tests import store_records as make


@pytest.mark.parametrize("changes", [{"id": 5}, {"created_at": 1.0}, {"nonsense": 1}])
def test_only_fields_of_a_client_change(connection: Connection, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such field"):
        config_rows.change_client(connection, "acme", changes, make.NOW)


def test_only_fields_of_a_server_change(connection: Connection) -> None:
    with pytest.raises(ValueError, match="secret"):
        config_rows.change_server(connection, "pbx1", {"secret": "x"}, make.NOW)


def test_revoked_keys_are_kept_and_one_is_live(connection: Connection) -> None:
    for number in range(3):
        config_rows.replace_key(connection, 1, StoredKey(f"l{number}", "d"), make.NOW)
    keys = connection.exec_driver_sql("SELECT lookup, revoked_at IS NULL FROM api_keys ORDER BY id")
    assert [tuple(row) for row in keys] == [("lookup", 0), ("l0", 0), ("l1", 0), ("l2", 1)]
    with pytest.raises(IntegrityError):
        connection.execute(
            insert(t.api_keys).values(client_id=1, lookup="l9", digest="d", created_at=1)
        )


def test_the_first_secret_stays(connection: Connection) -> None:
    assert config_rows.keep_secret(connection, b"first") == b"first"
    assert config_rows.keep_secret(connection, b"second") == b"first"
