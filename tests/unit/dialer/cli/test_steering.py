"""`dialer pause` and `dialer resume`."""

import pytest

from dialer.store.contract import Snapshot
from tests import store_records as make
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal


def flags(dialer: Terminal) -> tuple[bool, bool, bool]:
    """Whether server, client and queue are paused."""
    snapshot: Snapshot = dialer.store(lambda store: store.snapshot())
    return (
        snapshot.servers[0].paused,
        snapshot.clients[0].paused,
        snapshot.queues[0].paused,
    )


@pytest.mark.parametrize(
    ("option", "value", "place"),
    [("--server", "pbx1", 0), ("--client", "acme", 1), ("--queue", "1", 2)],
)
def test_what_is_named_stops_and_starts(
    dialer: Terminal, option: str, value: str, place: int
) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    dialer.store(lambda store: store.insert_batch(make.batch(make.item())))
    assert dialer("pause", option, value).code == 0
    assert flags(dialer) == tuple(number == place for number in range(3))
    assert dialer("resume", option, value).code == 0
    assert flags(dialer) == (False, False, False)


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_one_thing_is_named(dialer: Terminal, command: str) -> None:
    dialer.refuses(command, saying="one of")
    dialer.refuses(command, "--server", "a", "--client", "b", saying="one of")
    dialer.refuses(command, "--server", "pbx9", saying="no server pbx9")
    dialer.refuses(command, "--client", "nobody", saying="no client nobody")
    dialer.refuses(command, "--queue", "9", saying="not found")
    dialer.refuses(command, "--queue", "x", saying="--queue")
    dialer.refuses(command, "--queue", str(2**63), saying="--queue")


def test_a_completed_queue_is_not_paused(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    dialer.store(lambda store: store.insert_batch(make.batch(make.item())))
    closed = {"status": "completed"}
    dialer.store(lambda store: store.change_queue(1, closed, lambda _: (), make.NOW))
    for command in ("pause", "resume"):
        dialer.refuses(command, "--queue", "1", saying="queue 1 is completed")


def test_pauses_are_noted_with_who_made_them(
    dialer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    before = len(dialer.store(lambda store: store.audit(100)))
    dialer("pause", "--server", "pbx1")
    dialer("resume", "--client", "acme")
    entries = dialer.store(lambda store: store.audit(100))[:-before]
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("operator ann", "client.change", "acme"),
        ("operator ann", "server.change", "pbx1"),
    ]
