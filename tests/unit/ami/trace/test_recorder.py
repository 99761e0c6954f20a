import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ami.link import LinkState
from ami.trace import Direction, Record, TraceRecorder, TraceWriter, open_trace, read_note
from tests.patience import PATIENCE

EVENT = b"Event: Newchannel\r\nUniqueid: %d\r\n\r\n"
LOGIN = b"Action: Login\r\nUsername: dialer\r\nSecret: hush\r\n\r\n"


class Disk:
    """Stands before os.write: takes all, refuses, or hangs."""

    def __init__(self) -> None:
        self.full = False
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Semaphore(0)
        self._write = os.write

    def write(self, file: int, data: bytes) -> int:
        self.asked.release()
        assert self.free.wait(PATIENCE)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(file, data)

    def await_write(self) -> None:
        assert self.asked.acquire(timeout=PATIENCE)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("os.write", disk.write)
    return disk


class Desk:
    """A recorder, its clock that ticks, its file and what it said."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.said: list[str] = []
        ticks: Iterator[int] = iter(range(1, 1_000_000))
        clock: Callable[[], float] = lambda: float(next(ticks))  # noqa: E731
        writer = TraceWriter(path, {"server": "pbx1"}, 0.5)
        settings = {"enduring": True, **options}
        self.recorder = TraceRecorder(writer, clock, tell=self.said.append, **settings)

    def records(self) -> list[Record]:
        assert self.recorder.close(PATIENCE)
        trace = open_trace(self.path)
        _, *records = trace
        assert trace.problems == []
        return records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pbx1.trace"


def test_both_directions_with_times_and_without_secrets(path: Path) -> None:
    desk = Desk(path)
    desk.recorder.received(b"Asterisk Call Manager/9.0\r\n")
    desk.recorder.sent(LOGIN)
    desk.recorder.received(EVENT % 1)
    banner, login, event = desk.records()
    assert (banner.at, banner.direction) == (1.0, Direction.RECEIVED)
    assert (login.at, login.data) == (2.0, LOGIN.replace(b"hush", b"***"))
    assert event == Record(3.0, Direction.RECEIVED, EVENT % 1)
    assert (desk.recorder.received_bytes, desk.recorder.sent_bytes) == (27 + 34, len(LOGIN))
    assert desk.said == []


def test_links_are_noted_once_a_reason(path: Path) -> None:
    desk = Desk(path)
    for state in (LinkState.CONNECTING, LinkState.LOGGING_IN, LinkState.BOOTING, LinkState.UP):
        desk.recorder.moved(state, "fully booted")
    for _ in range(3):
        desk.recorder.moved(LinkState.DOWN, "no route")
    desk.recorder.moved(LinkState.REFUSED, "wrong secret")
    desk.recorder.moved(LinkState.UP, "fully booted")
    assert [read_note(record) for record in desk.records()] == [
        {"link": "up", "why": "fully booted"},
        {"link": "down", "why": "no route"},
        {"link": "down", "why": "wrong secret"},
        {"link": "up", "why": "fully booted"},
    ]
    assert desk.recorder.connections == 2


def test_a_full_disk_is_told_once_and_got_over(path: Path, disk: Disk) -> None:
    desk = Desk(path)
    disk.await_write()
    desk.recorder.received(EVENT % 1)
    disk.await_write()
    disk.full = True
    for number in (2, 3):
        desk.recorder.received(EVENT % number)
        disk.await_write()
    # The third was refused before the disk is asked for the fourth.
    disk.free.clear()
    desk.recorder.received(EVENT % 4)
    disk.await_write()
    disk.full = False
    disk.free.set()
    first, note, last = desk.records()
    assert (first.data, last.data) == (EVENT % 1, EVENT % 4)
    lost = 2 * len(EVENT % 1)
    gap = {"since": 2.0, "bytes": lost, "why": "No space left on device"}
    assert (note.at, read_note(note)) == (4.0, {"gap": gap})
    assert desk.recorder.lost_bytes == lost
    assert desk.said == [
        f"{path}: No space left on device: nothing is recorded until that is over",
        f"{path}: recording goes on, {lost} bytes are missing",
    ]


def test_beside_a_worker_the_first_failure_ends_it(path: Path, disk: Disk) -> None:
    desk = Desk(path, enduring=False)
    disk.await_write()
    disk.full = True
    desk.recorder.received(EVENT % 1)
    disk.await_write()
    desk.recorder.received(EVENT % 2)
    assert desk.recorder.close(PATIENCE)
    desk.recorder.received(EVENT % 3)
    assert desk.said == [f"{path}: No space left on device: recording has ended"]
    assert desk.recorder.over
    disk.full = False
    assert len(list(open_trace(path))) == 1


def test_a_hanging_disk_holds_nobody_up_and_a_bounded_rest(path: Path, disk: Disk) -> None:
    desk = Desk(path, backlog=700)
    disk.await_write()
    disk.free.clear()
    desk.recorder.received(EVENT % 1)
    disk.await_write()
    for number in range(2, 9):
        desk.recorder.received(EVENT % number)
    assert not desk.recorder.close(0.0)
    disk.free.set()
    *kept, note = desk.records()
    assert [record.data for record in kept] == [EVENT % n for n in (1, 2, 3)]
    assert read_note(note)["gap"]["bytes"] == 5 * len(EVENT % 4) == desk.recorder.lost_bytes


def test_what_a_slow_disk_made_miss_is_noted(path: Path, disk: Disk) -> None:
    desk = Desk(path, backlog=300)
    disk.await_write()
    disk.free.clear()
    desk.recorder.received(EVENT % 1)
    disk.await_write()
    desk.recorder.received(EVENT % 2)
    desk.recorder.received(EVENT % 3)
    disk.free.set()
    disk.await_write()  # the second has left the backlog
    desk.recorder.received(EVENT % 4)
    one, two, note, four = desk.records()
    assert [one.data, two.data, four.data] == [EVENT % n for n in (1, 2, 4)]
    assert read_note(note)["gap"]["bytes"] == len(EVENT % 3) == desk.recorder.lost_bytes
