"""What an audit entry holds (when one is written: the conformance suite)."""

from dataclasses import replace

from sqlalchemy import Connection, select

from dialer.dialects import CdrMapping, Shape
from dialer.policy import Policy
from dialer.store import audit_rows
from dialer.store import tables as t
from tests import store_records as make


def test_nobody_named_means_no_entry(connection: Connection) -> None:
    audit_rows.note(connection, None, "client.change", "acme", {}, make.NOW)
    assert connection.execute(select(t.audit)).all() == []


def test_only_what_differs_is_told() -> None:
    changed = replace(make.CLIENT, allocated_channels=5, server_ids=frozenset({2, 1}))
    assert audit_rows.compare(make.CLIENT, changed) == {
        "allocated_channels": [1, 5],
        "server_ids": [[], [1, 2]],
    }


def test_shapes_are_told_by_their_words() -> None:
    changed = replace(make.CLIENT, callback_shape=Shape.PBX, cdr_mapping=CdrMapping.FLEX)
    assert audit_rows.compare(make.CLIENT, changed) == {
        "callback_shape": ["native", "pbx"],
        "cdr_mapping": ["default", "flex"],
    }


def test_a_policy_is_told_by_its_lists() -> None:
    changed = replace(make.CLIENT, policy=Policy(local_contexts=frozenset({"out", "in"})))
    assert audit_rows.compare(make.CLIENT, changed) == {
        "policy": [{}, {"local_contexts": ["in", "out"]}]
    }


def test_times_and_ids_are_not_told() -> None:
    assert not {"id", "created_at", "updated_at"} & audit_rows.show_values(make.CLIENT).keys()


def test_tokens_and_numbers_are_masked_but_that_they_changed_is_told(
    connection: Connection,
) -> None:
    before = replace(make.CLIENT, did="989121234567", callback_url="https://h/x?token=old")
    after = replace(
        before,
        did="989127654321",
        callback_url="https://h/x?token=new",
        policy=Policy(caller_ids=frozenset({"989121234567"})),
    )
    details = audit_rows.compare(before, after)
    audit_rows.note(connection, "operator", "client.change", "acme", details, make.NOW)
    (kept,) = connection.execute(select(t.audit.c.details)).scalars()
    assert kept == {
        "did": ["***4567", "***4321"],
        "callback_url": ["https://h/x?***", "https://h/x?***"],
        "policy": [{}, {"caller_ids": ["***4567"]}],
    }
