"""What is known of open attempts after a life that ended in mid-flight."""

import os
from collections.abc import Callable
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


def start(path: Path, *attempts: str, boot: str = "boot-1") -> WireLog:
    """A life that finds these attempts open. The one before is not closed: it was killed."""
    log = WireLog(path, boot)
    log.open(attempts)
    return log


def test_what_was_noted_is_known_to_the_next_life(path: Path) -> None:
    log = start(path)
    for name in ("one", "two", "three"):
        log.note_sent(name)
    log.note_unsent("two")
    log.note_answered("three", 1_750_000_000.25)
    again = start(path, "one", "two", "three", "four")
    assert [again.is_sent(name) for name in ("one", "two", "three", "four")] == [
        True,
        False,
        True,
        False,
    ]
    assert (again.answered_at("one"), again.answered_at("three")) == (None, 1_750_000_000.25)


def test_another_start_of_the_machine_proves_nothing(path: Path) -> None:
    start(path).note_sent("one")
    again = start(path, "one", "two", boot="boot-2")
    assert again.is_sent("one")
    assert again.is_sent("two")
    later = start(path, "two", "three", boot="boot-2")
    assert (later.is_sent("two"), later.is_sent("three")) == (True, False)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\n+ one\n", b"boot-1", b"+ one\n"])
def test_without_a_file_that_can_be_read_everything_counts_as_sent(
    path: Path, content: bytes | None
) -> None:
    if content is not None:
        path.write_bytes(content)
    log = start(path, "one")
    assert log.is_sent("one") == (content != b"boot-1")


def test_where_a_machine_does_not_tell_its_starts_apart_nothing_is_known(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "_BOOT_ID", path.with_name("missing"))
    WireLog(path).open(())
    again = WireLog(path)
    again.open(["one"])
    assert again.is_sent("one")


def test_before_it_is_opened_everything_counts_as_sent(path: Path) -> None:
    log = WireLog(path, "boot-1")
    assert log.is_sent("one")
    with pytest.raises(StoreUnavailable):
        log.note_sent("one")
    log.open(())
    assert not log.is_sent("one")
    log.close()
    assert log.is_sent("one")


@given(cut=st.integers(0, 60))
def test_a_line_cut_short_by_the_end_is_as_good_as_none(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("wire") / "log"
    log = start(path)
    log.note_sent("campaign-1")
    whole = path.read_bytes()
    log.note_sent("campaign-27")
    log.note_answered("campaign-1", 12.5)
    data = path.read_bytes()
    path.write_bytes(data[: max(len(whole), len(data) - cut)])
    again = start(path, "campaign-1", "campaign-27")
    assert again.is_sent("campaign-1")
    if cut == 0:
        assert again.answered_at("campaign-1") == 12.5
    again.note_sent("campaign-3")
    assert start(path, "campaign-3").is_sent("campaign-3")


def test_what_ended_is_forgotten_when_the_file_is_written_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_log, "COMPACT_AT", 100)
    log = start(path)
    for number in range(50):
        log.note_sent(f"channel-{number}")
        log.note_answered(f"channel-{number}", 1.0)
        if number != 7:
            log.forget(f"channel-{number}")
    assert path.stat().st_size < 200
    names = path.read_text()
    assert "+ channel-7\n" in names
    assert "= channel-7 1000000\n" in names
    assert "channel-8\n" not in names


def test_a_full_disk_lets_no_originate_leave_and_the_file_heals(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = start(path)
    log.note_sent("one")
    with monkeypatch.context() as full:
        full.setattr(os, "write", _write_half(os.write))
        with pytest.raises(StoreUnavailable, match="full"):
            log.note_sent("two")
        log.note_answered("one", 3.0)  # not written, and no error
    log.note_sent("three")
    again = start(path, "one", "two", "three")
    assert [again.is_sent(name) for name in ("one", "two", "three")] == [True, False, True]
    assert again.answered_at("one") == 3.0


def _write_half(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    return lambda file, data: write(file, data[: len(data) // 2])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        start(tmp_path / "missing" / "log")
