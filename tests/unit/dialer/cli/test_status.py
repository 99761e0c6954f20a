"""`dialer status`."""

import time
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from dialer.cli import status
from dialer.presence import STALE
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
LEFT = RuntimeNote(None, NOW)
SERVER = replace(make.SERVER, id=1, max_channels=30)
CLIENT = Client(1, "Acme", "acme", "acme", has_key=True)
QUEUE = Queue(1, 1, "autumn", QueueStatus.PAUSED, QueueKind.BATCH, pending_count=3, queued_count=2)
NONE_ENDED: dict[str, Any] = {"dispositions": {}, "reasons": []}


def say(age: float = 3, name: str = "run/1", **said: Any) -> dict[str, RuntimeNote]:
    """The note of a process that dials."""
    role = name.partition("/")[0]
    value = {
        "process": name,
        "role": role,
        "links": {"pbx1": "up"},
        "stopping": False,
        "breakers": {},
        "ends": NONE_ENDED,
        "trouble": None,
    }
    return {name: RuntimeNote(value | said, NOW - age)}


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
    say(),
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
    "notes", [{}, say(STALE + 1), {"links": RuntimeNote({"pbx1": "up"}, NOW)}, {"run/1": LEFT}]
)
def test_a_worker_that_says_nothing_is_not_running(notes: dict[str, RuntimeNote]) -> None:
    printed = show(replace(PICTURE, notes=notes))
    assert "no worker running" in printed
    assert "unknown" in printed


def test_a_worker_that_is_there_and_leaves_no_word_cannot_write() -> None:
    notes = say(STALE + 1)
    printed = " ".join(show(replace(PICTURE, notes=notes, claimed=True)).split())
    assert "worker running, but it cannot write to the database" in printed
    assert "cannot write" not in show(replace(PICTURE, claimed=True))


def test_a_worker_that_starts_no_more_calls_says_so() -> None:
    printed = show(replace(PICTURE, notes=say(stopping=True)))
    assert "worker stopping: no new calls, it waits for the live ones; 2 live calls" in printed
    assert "worker running" not in printed
    assert "stopping" not in show(PICTURE)
    gone = say(STALE + 1, stopping=True)
    assert "no worker running" in show(replace(PICTURE, notes=gone))


def test_of_several_workers_each_shows_what_it_drives_and_what_troubles_it() -> None:
    notes = {
        **say(name="worker/1", drives=["pbx1"], ends={"dispositions": {"busy": 2}, "reasons": []}),
        **say(
            name="worker/2",
            stopping=True,
            links={"pbx1": "the secret is not set"},
            trouble="Redis does not answer",
            ends={"dispositions": {"busy": 1}, "reasons": [["busy", "User busy", 1]]},
        ),
        "api/1": RuntimeNote({"process": "x", "role": "api"}, NOW),
    }
    printed = show(replace(PICTURE, notes=notes))
    assert "2 workers running, of which 1 stopping; 2 live calls" in printed
    assert "worker/2: Redis does not answer" in printed
    assert "up (worker/1)" in printed
    assert "ended in the last 5 minutes: 3 busy" in printed
    assert "1 busy: User busy" in printed


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
        note = say(links={"pbx1": "refused"})["run/1"].value
        await store.put_runtime({"run/1": note}, time.time())

    dialer.store(work)
    answer = dialer("status")
    assert answer.code == 0
    assert "worker running; 0 live calls" in answer.out
    assert "[bold]spring[/bold]" in answer.out
    assert "refused" in answer.out


def test_a_wrong_clock_here_hides_no_worker(dialer: Terminal, wrong_clock: None) -> None:
    async def work(store: Store) -> None:
        await store.put_runtime({"run/1": say()["run/1"].value}, await store.read_clock())

    dialer.store(work)
    assert dialer("status").out.startswith("worker running; 0 live calls")


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
    assert f"active; breaker {why}" in show(replace(PICTURE, notes=say(breakers={"pbx1": why})))
    gone = say(STALE + 1, breakers={"pbx1": why})
    assert "breaker" not in show(replace(PICTURE, notes=gone))


def test_how_the_last_calls_ended_is_shown_with_the_reasons() -> None:
    ends = {
        "dispositions": {"answered": 12, "failed": 7},
        "reasons": [["failed", "No route to [destination]", 6], ["failed", "other reasons", 1]],
    }
    printed = show(replace(PICTURE, notes=say(ends=ends)))
    assert "ended in the last 5 minutes: 12 answered, 7 failed" in printed
    assert "6 failed: No route to [destination]" in printed
    assert "last 5 minutes: none" in show(PICTURE)
    assert "last 5 minutes: not known" in show(replace(PICTURE, notes={}))
