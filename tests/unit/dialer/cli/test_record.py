import errno
from pathlib import Path

import pytest

from ami import LinkChange, LinkState
from ami.trace import TraceRecorder, TraceWriter
from dialer.cli.record import Archive, describe, pack, tell, tell_links
from tests.unit.dialer.cli.conftest import ADD_SERVER, Terminal


def test_what_can_not_be_recorded_is_one_sentence(
    dialer: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBX1_SECRET", "hush")
    dialer(*ADD_SERVER)
    dialer.refuses("record", "pbx9", "-o", "x.trace", saying="there is no server pbx9")
    dialer.refuses("record", "pbx1", "-o", "none/x.trace", saying="cannot be written")
    (tmp_path / "notes").write_text("of somebody")
    dialer.refuses("record", "pbx1", "-o", "notes", saying="is no trace")
    dialer.refuses("record", "pbx1", "-o", "x.trace", "--max-mb", "0", saying="max-mb")


def test_full_files_are_compressed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("full")
    packing, keeping = Archive(packing=True), Archive(packing=False)
    packing.take(tmp_path / "one")
    keeping.take(tmp_path / "two")
    packing.close()
    keeping.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.gz", "two"]
    assert (packing.files, keeping.files) == (1, 1)


def test_what_can_not_be_compressed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one"
    path.write_text("full")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    pack(path)
    assert capsys.readouterr().err == f"{path} is not compressed: No space left on device\n"
    assert path.exists()


def test_links_are_told_once_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    tell_change = tell_links("pbx1")
    tell_change(LinkChange(LinkState.BOOTING, 0.0, "welcome"))
    for _ in range(2):
        tell_change(LinkChange(LinkState.DOWN, 0.0, "no route"))
    tell_change(LinkChange(LinkState.UP, 0.0, "fully booted"))
    said = capsys.readouterr().err.splitlines()
    assert said == ["pbx1: no link: no route", "pbx1: connected: fully booted"]


def test_what_was_recorded_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "pbx1.trace"
    writer = TraceWriter(path, {}, 1.0)
    recorder = TraceRecorder(writer, lambda: 1.0, tell=print, enduring=True, backlog=2000)
    recorder.moved(LinkState.UP, "fully booted")
    recorder.received(b"x" * 1000)
    recorder.sent(b"y" * 2000)
    recorder.close()
    archive = Archive(packing=False)
    archive.take(path)
    assert describe(recorder, archive, path, 61.2) == (
        f"{path}: 61 s, 1 connection, 1,000 bytes received, 2,000 sent, 1 full file beside it; "
        "2,000 bytes are missing"
    )


def test_a_terminal_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def close(text: str, err: bool) -> None:
        said.append(text)
        raise BrokenPipeError

    monkeypatch.setattr("dialer.cli.record.typer.echo", close)
    tell("the disk is full")
    assert said == ["the disk is full"]
