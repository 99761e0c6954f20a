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
        '"prefixes": ["98"]',
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
    assert show_details(entry) == 'host: "h"'
    assert show_time(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"
