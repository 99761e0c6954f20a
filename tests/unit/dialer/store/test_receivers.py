"""Rows of receivers (their meaning: the conformance suite)."""

from sqlalchemy import Connection

from dialer.store import receivers
from dialer.store.contract import Receivers, Signing
from dialer.store.reading import read_all
from tests import store_records as make


def load(connection: Connection) -> Receivers:
    signing = read_all(connection, receivers.changed_signing())
    return receivers.read_receivers(signing, read_all(connection, receivers.gone_callbacks()))


def test_only_clients_that_ever_changed_theirs_have_a_row(connection: Connection) -> None:
    assert load(connection) == Receivers()
    receivers.rotate_signing(connection, 1, make.NOW + 0.5, make.NOW, "operator ann")
    assert load(connection) == Receivers({1: Signing(2, make.NOW + 0.5)})


def test_a_client_with_a_url_is_welcome_back(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO gone_callbacks VALUES (1, 'u', 1), (1, 'v', 1)")
    assert load(connection).gone == {(1, "u"), (1, "v")}
    receivers.welcome_back(connection, 2)
    assert len(load(connection).gone) == 2
    receivers.welcome_back(connection, 1)
    assert load(connection) == Receivers()
