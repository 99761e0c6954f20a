import errno
import logging
from pathlib import Path

import pytest

from ami import LinkState
from ami.trace import Direction, open_trace, read_note
from dialer.errors import SettingsError
from dialer.traces import TraceFolder, open_writer


def test_a_file_for_each_server(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path / "new" / "traces", lambda: 5.0, 1)
    for code in ("pbx1", "pbx2"):
        tap = folder.tap_of(code)
        assert tap is not None
        tap.moved(LinkState.UP, "fully booted")
        tap.received(code.encode())
        tap.sent(b"Action: Ping\r\n\r\n")
    folder.close()
    for code in ("pbx1", "pbx2"):
        about, link, received, sent = open_trace(tmp_path / "new" / "traces" / f"{code}.trace")
        assert read_note(about)["server"] == code
        assert read_note(link) == {"link": "up", "why": "fully booted"}
        assert (received.data, sent.direction) == (code.encode(), Direction.SENT)


def test_a_link_that_was_replaced_is_recorded_no_more(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path, lambda: 5.0, 1)
    first = folder.tap_of("pbx1")
    second = folder.tap_of("pbx1")
    assert first is not None
    assert second is not None
    first.received(b"late")
    first.sent(b"late")
    first.moved(LinkState.DOWN, "left")
    second.received(b"next")
    folder.close()
    assert [record.data for record in open_trace(tmp_path / "pbx1.trace")][1:] == [b"next"]


def test_a_file_that_can_not_be_written_is_one_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pbx1.trace").write_text("of somebody")
    folder = TraceFolder(tmp_path, lambda: 5.0, 1)
    assert [folder.tap_of("pbx1"), folder.tap_of("pbx1")] == [None, None]
    folder.close()
    (line,) = caplog.records
    assert line.getMessage() == "a link is not recorded"


def test_a_disk_that_fails_ends_recording_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = TraceFolder(tmp_path, lambda: 5.0, 1)
    tap = folder.tap_of("pbx1")
    assert tap is not None

    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.write", refuse)
    for _ in range(3):
        tap.received(b"Event: X\r\n\r\n")
    folder.close()
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert "Input/output error: recording has ended" in str(getattr(line, "why", ""))


def test_what_can_not_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot be made"):
        TraceFolder(tmp_path / "file" / "folder", lambda: 5.0, 1)
    with pytest.raises(SettingsError, match="cannot be written"):
        open_writer(tmp_path / "none" / "x.trace", "pbx1", 5.0)
    with pytest.raises(SettingsError, match="is no trace"):
        open_writer(tmp_path / "file", "pbx1", 5.0)


def test_without_a_folder_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = TraceFolder(None, lambda: 5.0, 1)
    assert folder.tap_of("pbx1") is None
    folder.close()
    assert list(tmp_path.iterdir()) == []
