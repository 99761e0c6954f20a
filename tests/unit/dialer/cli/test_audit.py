"""`dialer audit`."""

import json

import pytest

from dialer.cli.audit import show_details, show_time
from dialer.store.contract import AuditEntry
from tests.unit.dialer.cli.conftest import ADD_CLIENT, Terminal


@pytest.fixture
def changed(dialer: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A client that was added, changed and given another key."""
    monkeypatch.setenv("SUDO_USER", "ann")
    dialer(*ADD_CLIENT)
    dialer("clients", "set", "acme", "--channels", "9", "--policy", "prefixes=98")
    dialer("clients", "rotate-key", "acme")
    return dialer


def test_the_latest_change_comes_first(changed: Terminal) -> None:
    lines = changed("audit", "--format", "json").out.splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["action"] for entry in entries] == ["client.key", "client.change", "client.add"]
    assert {entry["actor"] for entry in entries} == {"operator ann"}
    assert {entry["subject"] for entry in entries} == {"acme"}
    assert entries[1]["details"]["allocated_channels"] == [7, 9]
    assert entries[0]["at"].endswith("Z")


def test_the_table_says_what_was_and_what_is(changed: Terminal) -> None:
    printed = changed("audit").out
    for words in (
        "operator ann",
        "client.change",
        "allocated_channels: 7 → 9",
        "policy prefixes: * → 98\n",
    ):
        assert words in printed


def test_no_more_than_the_limit(changed: Terminal) -> None:
    assert len(changed("audit", "--limit", "2", "--format", "json").out.splitlines()) == 2
    changed.refuses("audit", "--limit", "0", saying="--limit")
    changed.refuses("audit", "--format", "xml", saying="--format")


def test_keys_are_not_in_the_log(dialer: Terminal) -> None:
    keys = [dialer(*ADD_CLIENT).out.strip(), dialer("clients", "rotate-key", "acme").out.strip()]
    printed = dialer("audit", "--format", "json").out
    assert [key for key in keys if key in printed] == []


def test_nothing_changed_yet(dialer: Terminal) -> None:
    assert dialer("audit", "--format", "json").out == ""


def test_details_of_what_was_added_are_its_values() -> None:
    entry = AuditEntry(1, 0.0, "superuser a", "server.add", "pbx1", {"host": "h", "tls": None})
    assert show_details(entry) == ['host: "h"']
    assert show_time(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_a_policy_is_shown_by_what_came_and_what_went(changed: Terminal) -> None:
    wanted = ("applications-=Echo", "dial_options+=gU", "gosub_contexts=whisper", "prefixes=97,98")
    options = [part for change in wanted for part in ("--policy", change)]
    changed("clients", "set", "acme", *options)
    changed("clients", "set", "acme", "--policy", "prefixes+=99", "--policy", "prefixes-=97")
    entries = changed("audit", "--limit", "2").out.splitlines()
    assert entries[0].endswith("operator ann  client.change  acme")
    assert entries[1] == "    policy prefixes+=99 -=97"
    assert entries[3:] == [
        "    policy applications-=Echo",
        "    policy gosub_contexts+=whisper",
        "    policy dial_options+=gU",
        "    policy prefixes+=97",
    ]


def test_a_client_is_added_with_the_policy_that_it_has() -> None:
    lists = {"endpoints": ["a", "b"], "functions": ["QUEUE_PRIO"], "of a later version": ["x"]}
    entry = AuditEntry(1, 0.0, "operator a", "client.add", "acme", {"policy": lists})
    assert show_details(entry) == ["policy endpoints: * → a,b", "policy functions+=QUEUE_PRIO"]
