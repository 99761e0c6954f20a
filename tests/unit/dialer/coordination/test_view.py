"""The answer to a sign of life."""

import json

from dialer.coordination.view import State, View, read_view, write_servers


def test_a_view_is_read() -> None:
    text = json.dumps(
        {
            "state": "OPEN",
            "now": "1700000000123456",
            "era": 2,
            "beats": {"a": "7"},
            "offers": {"a": "1 2", "b": ""},
            "leases": {"1": "a"},
        }
    )
    assert read_view(text) == View(
        State.OPEN,
        1700000000.123456,
        2,
        {"a": 7},
        {"a": frozenset({1, 2}), "b": frozenset()},
        {1: "a"},
    )


def test_a_refusal_is_its_state_alone() -> None:
    assert read_view('{"state":"EPOCH"}') is State.EPOCH
    assert read_view('{"state":"STALE"}') is State.STALE


def test_servers_are_written_in_order() -> None:
    assert write_servers({10, 2, 1}) == "1 2 10"
    assert write_servers(set()) == ""
