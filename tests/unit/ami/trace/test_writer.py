import errno
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from ami.trace import (
    Direction,
    Record,
    TraceError,
    TraceWriter,
    compress,
    open_trace,
    read_note,
    write_trace,
)
from ami.trace.writer import FOLLOWING

NOW = 1763705623.5
EVENT = b"Event: Newchannel\r\nUniqueid: 1\r\n\r\n"
LOGIN = b"Action: Login\r\nUsername: dialer\r\nSecret: hush\r\n\r\n"


def test_what_was_given_is_in_the_file_without_closing_it(tmp_path: Path) -> None:
    path = tmp_path / "pbx1.trace"
    writer = TraceWriter(path, {"server": "pbx1"}, NOW)
    writer.write(NOW, Direction.SENT, LOGIN)
    writer.write(NOW + 1, Direction.RECEIVED, EVENT)
    about, sent, received = open_trace(path)
    writer.close()
    assert read_note(about) == {"server": "pbx1"}
    assert sent.data == LOGIN.replace(b"hush", b"***")
    assert (received.at, received.data) == (NOW + 1, EVENT)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "pbx1.trace"
    for _ in range(2):
        writer = TraceWriter(path, {}, NOW)
        writer.write(NOW, Direction.RECEIVED, EVENT)
        writer.close()
    with path.open("ab") as file:
        file.write(b"< 1.000000 500\nEvent: cut")
    writer = TraceWriter(path, {}, NOW)
    writer.write(NOW, Direction.RECEIVED, EVENT)
    writer.close()
    trace = open_trace(path)
    assert [record.data for record in trace if record.direction is not Direction.NOTE] == [
        EVENT
    ] * 3
    assert len(trace.problems) == 1


def test_full_files_are_put_aside_in_order(tmp_path: Path) -> None:
    path, full = tmp_path / "pbx1.trace", list[Path]()
    writer = TraceWriter(path, {"server": "pbx1"}, NOW, max_bytes=150, full=full.append)
    for number in range(9):
        writer.write(NOW, Direction.RECEIVED, EVENT.replace(b"1", str(number).encode()))
    writer.close()
    assert len(full) >= 3
    assert full == sorted(full)
    packed = [compress(aside) for aside in full]
    assert all(gzip.decompress(file.read_bytes()).startswith(b"AMI trace 1\n") for file in packed)
    events = []
    for file in [*packed, path]:
        first, *rest = open_trace(file)
        assert read_note(first) == {"server": "pbx1"}
        events += [record.data for record in rest if record.direction is Direction.RECEIVED]
        if file is not path:
            assert read_note(rest[-1]) == {FOLLOWING: True}
    assert events == [EVENT.replace(b"1", str(number).encode()) for number in range(9)]
    assert sorted(tmp_path.iterdir()) == sorted([*packed, path])


def test_a_full_disk_leaves_whole_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pbx1.trace"
    writer = TraceWriter(path, {}, NOW)
    writer.write(NOW, Direction.RECEIVED, EVENT)
    with monkeypatch.context() as patch:
        from os import write

        patch.setattr("os.write", lambda file, data: write(file, data[:7]))
        with pytest.raises(OSError, match="No space left") as raised:
            writer.write(NOW, Direction.RECEIVED, EVENT)
    assert raised.value.errno == errno.ENOSPC
    writer.write(NOW, Direction.RECEIVED, EVENT)
    writer.close()
    trace = open_trace(path)
    assert [record.data for record in trace][1:] == [EVENT, EVENT]
    assert trace.problems == []


def test_a_full_disk_at_a_rotation_is_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pbx1.trace"
    writer = TraceWriter(path, {"server": "pbx1"}, NOW, max_bytes=80)
    writer.write(NOW, Direction.RECEIVED, EVENT)

    def refuse(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                writer.write(NOW, Direction.RECEIVED, EVENT.replace(b"1", b"lost"))
    from os import write

    writes: list[bytes] = []

    def refuse_the_new_file(file: int, data: bytes) -> int:
        writes.append(data)
        return refuse(file, data) if len(writes) == 2 else write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr("os.write", refuse_the_new_file)
        with pytest.raises(OSError, match="No space"):
            writer.write(NOW, Direction.RECEIVED, EVENT.replace(b"1", b"lost"))
    writer.write(NOW, Direction.RECEIVED, EVENT)
    writer.close()
    events = []
    for file in sorted(tmp_path.iterdir()):
        trace = open_trace(file)
        first, *rest = trace
        assert read_note(first) == {"server": "pbx1"}
        events += [record.data for record in rest if record.direction is Direction.RECEIVED]
        assert trace.problems == []
    assert events == [EVENT, EVENT]


def test_other_files_and_files_of_another_writer_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("of somebody")
    with pytest.raises(TraceError, match="is no trace"):
        TraceWriter(other, {}, NOW)
    assert other.read_text() == "of somebody"
    path = tmp_path / "pbx1.trace"
    writer = TraceWriter(path, {}, NOW)
    with pytest.raises(TraceError, match="another process"):
        TraceWriter(path, {}, NOW)
    writer.close()
    TraceWriter(path, {}, NOW).close()


def test_what_cannot_be_compressed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pbx1.trace"
    path.write_bytes(b"x" * 1000)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="No space"):
        compress(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_trace_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new.trace"
    records = [Record(None, Direction.RECEIVED, EVENT), Record(1.5, Direction.SENT, LOGIN)]

    def break_off() -> Iterator[Record]:
        yield records[0]
        raise TraceError("damaged")

    with pytest.raises(TraceError, match="damaged"):
        write_trace(path, break_off())
    assert list(tmp_path.iterdir()) == []
    assert write_trace(path, records) == 2
    received, sent = open_trace(path)
    assert (received, sent.at) == (records[0], 1.5)
    assert b"hush" not in sent.data
    with pytest.raises(FileExistsError):
        write_trace(path, records)
    assert list(tmp_path.iterdir()) == [path]
