"""`dialer status`."""

import time
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from dialer.cli import status
from dialer.states import ItemStatus, QueueKind, QueueStatus
from dialer.store.contract import (
    Activity,
    Client,
    Queue,
    RuntimeNote,
    Server,
    Snapshot,
    Store,
    Totals,
)
from tests import store_records as make
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal

NOW = make.NOW
SERVER = replace(make.SERVER, id=1, max_channels=30)
CLIENT = Client(1, "Acme", "acme", "acme", has_key=True)
QUEUE = Queue(1, 1, "autumn", QueueStatus.PAUSED, QueueKind.BATCH, pending_count=3, queued_count=2)
PICTURE = status.Picture(
    NOW,
    Snapshot((SERVER,), (CLIENT,), (QUEUE,), ((1, 1),)),
    Totals(
        dict.fromkeys(ItemStatus, 5),
        {"busy": 4},
        4,
        {"callback/pending": 2, "sgapi/accepted": 6, "sgapi/dead": 1},
    ),
    Activity({1: 2}, {1: 2}, 17),
    {"links": RuntimeNote({"pbx1": "up"}, NOW - 3)},
)


def show(picture: status.Picture) -> str:
    out = StringIO()
    Console(file=out, width=160, markup=False).print(status.draw(picture))
    return out.getvalue()


def test_everything_is_shown() -> None:
    printed = show(PICTURE)
    assert "worker running; 2 live calls, 17 attempts in the last minute" in printed
    assert "5 pending, 5 queued, 5 processed, 5 terminated" in printed
    assert "CDRs: 4" in printed
    assert "callback 2 pending, callback 0 dead, sgapi 0 pending" in printed
    assert "sgapi 6 accepted, sgapi 1 dead" in printed
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    assert ["pbx1", "up", "2", "30", "none", "active"] in rows
    assert ["acme", "2", "1", "10", "active"] in rows
    assert ["1", "acme", "autumn", "paused", "3", "2", "0", "0"] in rows


@pytest.mark.parametrize(
    "notes", [{}, {"links": RuntimeNote({"pbx1": "up"}, NOW - status.STALE - 1)}]
)
def test_a_worker_that_says_nothing_is_not_running(notes: dict[str, RuntimeNote]) -> None:
    printed = show(replace(PICTURE, notes=notes))
    assert "no worker running" in printed
    assert "unknown" in printed


def test_a_worker_that_is_there_and_leaves_no_word_cannot_write() -> None:
    notes = {"links": RuntimeNote({"pbx1": "up"}, NOW - status.STALE - 1)}
    printed = " ".join(show(replace(PICTURE, notes=notes, claimed=True)).split())
    assert "worker running, but it cannot write to the database" in printed
    assert "cannot write" not in show(replace(PICTURE, claimed=True))


def test_a_worker_that_starts_no_more_calls_says_so() -> None:
    notes = {**PICTURE.notes, "stopping": RuntimeNote(True, NOW - 1)}
    printed = show(replace(PICTURE, notes=notes))
    assert "worker stopping: no new calls, it waits for the live ones; 2 live calls" in printed
    assert "worker running" not in printed
    running = {**notes, "stopping": RuntimeNote(False, NOW - 1)}
    assert "stopping" not in show(replace(PICTURE, notes=running))
    gone = {**notes, "links": RuntimeNote({"pbx1": "up"}, NOW - status.STALE - 1)}
    assert "no worker running" in show(replace(PICTURE, notes=gone))


def test_removed_servers_are_not_shown_and_paused_ones_are() -> None:
    servers: tuple[Server, ...] = (
        replace(SERVER, removed=True),
        replace(SERVER, id=2, code="pbx2", paused=True),
    )
    printed = show(replace(PICTURE, snapshot=replace(PICTURE.snapshot, servers=servers)))
    assert "pbx1" not in printed
    assert "paused" in printed


def test_the_newest_queues_are_shown_and_the_others_counted() -> None:
    queues = tuple(replace(QUEUE, id=n, paused=True) for n in range(1, status.MOST_QUEUES + 4))
    printed = show(replace(PICTURE, snapshot=replace(PICTURE.snapshot, queues=queues)))
    assert f"│ {status.MOST_QUEUES + 3} " in printed
    assert not any(line.startswith("│ 3 ") for line in printed.splitlines())
    assert "and 3 more" in printed
    assert "paused (paused by operator)" in printed


def test_the_command_reads_the_database(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)

    async def work(store: Store) -> None:
        await store.insert_batch(make.batch(make.item(), queue_name="[bold]spring[/bold]"))
        await store.put_runtime({"links": {"pbx1": "refused"}}, time.time())

    dialer.store(work)
    answer = dialer("status")
    assert answer.code == 0
    assert "worker running; 0 live calls" in answer.out
    assert "[bold]spring[/bold]" in answer.out
    assert "refused" in answer.out


def test_watching_ends_with_ctrl_c(dialer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    async def interrupt(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(status, "pause", interrupt)
    answer = dialer("status", "--watch")
    assert answer.code == 0
    assert looks == [status.WATCH_EVERY] * 2
    assert "no worker running" in answer.out


def test_a_breaker_that_is_not_closed_is_shown_with_its_reason() -> None:
    why = "open: Originates are not answered (next try in 3 s)"
    notes = {**PICTURE.notes, "breakers": RuntimeNote({"pbx1": why}, NOW - 1)}
    assert f"active; breaker {why}" in show(replace(PICTURE, notes=notes))
    gone = {"breakers": notes["breakers"]}  # nobody says of a link
    assert "breaker" not in show(replace(PICTURE, notes=gone))


def test_how_the_last_calls_ended_is_shown_with_the_reasons() -> None:
    ends = {
        "dispositions": {"answered": 12, "failed": 7},
        "reasons": [["failed", "No route to [destination]", 6], ["failed", "other reasons", 1]],
    }
    printed = show(replace(PICTURE, notes={**PICTURE.notes, "ends": RuntimeNote(ends, NOW - 1)}))
    assert "ended in the last 5 minutes: 12 answered, 7 failed" in printed
    assert "6 failed: No route to [destination]" in printed
    none = RuntimeNote({"dispositions": {}, "reasons": []}, NOW - 1)
    assert "last 5 minutes: none" in show(replace(PICTURE, notes={**PICTURE.notes, "ends": none}))
    for notes in ({"ends": none}, PICTURE.notes):  # no worker, or one of an earlier version
        assert "last 5 minutes: not known" in show(replace(PICTURE, notes=notes))
