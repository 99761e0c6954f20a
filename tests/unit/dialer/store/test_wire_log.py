"""What is known of open attempts after a life that ended in mid-flight."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import StoreUnavailable
from dialer.store import wire_log
from dialer.store.wire_log import WireLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dialer.db.wire"


class Database:
    """What a database keeps of its log, beside its open attempts."""

    def __init__(self, *marks: str) -> None:
        self.marks = set(marks)

    def replace(self, old: Iterable[str], new: str) -> None:
        self.marks = (self.marks - set(old)) | {new}

    def renew(self, log: WireLog) -> None:
        old, new = log.marks, log.begin_renewal()
        self.replace(old, new)
        log.end_renewal()

    def back_up(self) -> "Database":
        return Database(*self.marks)


@pytest.fixture
def database() -> Database:
    return Database()


@dataclass
class Starter:
    """Makes lives of one database and one file. The one before is not closed: it was killed."""

    path: Path
    database: Database

    def __call__(
        self, *attempts: str, boot: str = "boot-1", database: Database | None = None
    ) -> WireLog:
        """A life that finds these attempts open."""
        log, database = WireLog(self.path, boot), database or self.database
        log.open(attempts, database.marks)
        database.renew(log)
        return log


@pytest.fixture
def start(path: Path, database: Database) -> Starter:
    return Starter(path, database)


def test_what_is_sent_is_gathered_for_as_long_as_somebody_wants_it(start: Starter) -> None:
    log = start()
    log.note_sent("before")
    with log.gather_sent() as gathered:
        log.note_sent("meanwhile")
        log.forget("meanwhile")
    log.note_sent("after")
    assert gathered == {"meanwhile"}


def test_what_was_noted_is_known_to_the_next_life(path: Path, start: Starter) -> None:
    log = start()
    for name in ("one", "two", "three"):
        log.note_sent(name)
    log.note_unsent("two")
    log.note_answered("three", 1_750_000_000.25)
    again = start("one", "two", "three", "four")
    assert [again.is_sent(name) for name in ("one", "two", "three", "four")] == [
        True,
        False,
        True,
        False,
    ]
    assert (again.answered_at("one"), again.answered_at("three")) == (None, 1_750_000_000.25)


def test_another_start_of_the_machine_proves_nothing(path: Path, start: Starter) -> None:
    start().note_sent("one")
    again = start("one", "two", boot="boot-2")
    assert again.is_sent("one")
    assert again.is_sent("two")
    later = start("two", "three", boot="boot-2")
    assert (later.is_sent("two"), later.is_sent("three")) == (True, False)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe\n+ one\n", b"boot-1", b"boot-1\n", b"boot-1\n# other\n", b"# m\n"],
)
def test_without_a_file_that_can_be_read_everything_counts_as_sent(
    path: Path, start: Starter, content: bytes | None
) -> None:
    if content is not None:
        path.write_bytes(content)
    log = start("one")
    assert log.is_sent("one")


def test_where_a_machine_does_not_tell_its_starts_apart_nothing_is_known(
    path: Path, start: Starter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "_BOOT_ID", path.with_name("missing"))
    for _ in range(2):
        log = WireLog(path)
        assert not log.open(["one"], database.marks)
        database.renew(log)
    assert log.is_sent("one")


def test_before_it_is_opened_everything_counts_as_sent(path: Path, start: Starter) -> None:
    log = WireLog(path, "boot-1")
    assert log.is_sent("one")
    with pytest.raises(StoreUnavailable):
        log.note_sent("one")
    log.open((), ())
    assert log.is_sent("one")
    log.begin_renewal()
    log.end_renewal()
    assert not log.is_sent("one")
    log.close()
    assert log.is_sent("one")


@given(cut=st.integers(0, 60))
def test_a_line_cut_short_by_the_end_is_as_good_as_none(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("wire") / "log"
    start = Starter(path, Database())
    log = start()
    log.note_sent("campaign-1")
    whole = path.read_bytes()
    log.note_sent("campaign-27")
    log.note_answered("campaign-1", 12.5)
    data = path.read_bytes()
    path.write_bytes(data[: max(len(whole), len(data) - cut)])
    again = start("campaign-1", "campaign-27")
    assert again.is_sent("campaign-1")
    if cut == 0:
        assert again.answered_at("campaign-1") == 12.5
    again.note_sent("campaign-3")
    assert start("campaign-3").is_sent("campaign-3")


def test_what_ended_is_forgotten_when_the_file_is_written_anew(
    path: Path, start: Starter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "COMPACT_AT", 100)
    log = start()
    for number in range(50):
        log.note_sent(f"channel-{number}")
        log.note_answered(f"channel-{number}", 1.0)
        if number != 7:
            log.forget(f"channel-{number}")
        if log.is_full:
            database.renew(log)
    assert path.stat().st_size < 200
    names = path.read_text()
    assert "+ channel-7\n" in names
    assert "= channel-7 1000000\n" in names
    assert "channel-8\n" not in names


def test_a_full_disk_lets_no_originate_leave_and_the_file_heals(
    path: Path, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = start()
    log.note_sent("one")
    with monkeypatch.context() as full:
        full.setattr(os, "write", _write_half(os.write))
        with pytest.raises(StoreUnavailable, match="full"):
            log.note_sent("two")
        log.note_answered("one", 3.0)  # not written, and no error
        assert not log.can_note()
    assert log.can_note()
    log.note_sent("three")
    again = start("one", "two", "three")
    assert [again.is_sent(name) for name in ("one", "two", "three")] == [True, False, True]
    assert again.answered_at("one") == 3.0


def _write_half(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    return lambda file, data: write(file, data[: len(data) // 2])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Starter(tmp_path / "missing" / "log", Database())()


def test_a_database_of_before_is_told_nothing_of_what_the_file_left_out(
    start: Starter, database: Database
) -> None:
    log = start()
    log.note_sent("talks")
    log.note_answered("talks", 12.5)
    log.note_sent("ended")
    backup = database.back_up()
    log.forget("ended")
    database.renew(log)
    again = start("talks", "ended", "waited", database=backup)
    assert all(map(again.is_sent, ("talks", "ended", "waited")))
    assert again.answered_at("talks") == 12.5  # what it does say stays true
    later = start("ended", "new", database=backup)
    assert (later.is_sent("ended"), later.is_sent("new")) == (True, False)


def test_a_database_of_before_is_told_all_where_nothing_was_left_out(
    start: Starter, database: Database
) -> None:
    log = start()
    backup = database.back_up()
    log.note_sent("ended")
    log.forget("ended")
    again = start("ended", "waited", database=backup)
    assert (again.is_sent("ended"), again.is_sent("waited")) == (True, False)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_wherever_a_renewal_is_cut_short_the_next_life_knows_what_never_left(
    start: Starter, database: Database, steps: int
) -> None:
    log = start()
    log.note_sent("live")
    old = log.marks
    if steps > 0:
        new = log.begin_renewal()
    if steps > 1:
        database.replace(old, new)
    if steps > 2:
        log.end_renewal()
    again = start("live", "waited")
    assert (again.is_sent("live"), again.is_sent("waited")) == (True, False)
    assert len(again.marks) == len(database.marks) == 1


def test_what_ended_during_a_renewal_is_left_out_by_the_next(
    path: Path, start: Starter, database: Database
) -> None:
    """A backup may have the new mark, and that call as open."""
    log = start()
    log.note_sent("one")
    old, new = log.marks, log.begin_renewal()
    database.replace(old, new)
    backup = database.back_up()
    log.forget("one")
    assert not log.is_sent("one")
    log.end_renewal()
    assert "+ one\n" in path.read_text()
    assert start("one", database=backup).is_sent("one")
    log = start()
    database.renew(log)
    assert "+ one\n" not in path.read_text()


def test_a_renewal_that_was_put_off_loses_nothing(
    start: Starter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "COMPACT_AT", 10)
    monkeypatch.setattr(wire_log, "RETRY_AT", 100)
    log = start()
    log.note_sent("campaign-1")
    full = [log.is_full]
    log.begin_renewal()
    full.append(log.is_full)
    log.put_off()
    full.append(log.is_full)
    for number in range(2, 10):
        log.note_sent(f"campaign-{number}")
    full.append(log.is_full)
    assert full == [True, False, False, True]
    again = start("campaign-1", "campaign-9", "campaign-10")
    assert [again.is_sent(f"campaign-{n}") for n in (1, 9, 10)] == [True, True, False]


def test_a_renewal_for_which_there_is_no_room_leaves_the_file(
    start: Starter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = start()
    log.note_sent("one")
    old, new = log.marks, log.begin_renewal()
    database.replace(old, new)
    with monkeypatch.context() as full:
        full.setattr(os, "write", _write_half(os.write))
        with pytest.raises(StoreUnavailable, match="full"):
            log.end_renewal()
    log.put_off()
    log.note_sent("two")
    again = start("one", "two", "three")
    assert [again.is_sent(name) for name in ("one", "two", "three")] == [True, True, False]
