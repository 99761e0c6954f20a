from pathlib import Path

import pytest

from ami.trace import Direction, TraceError, TraceWriter
from dialer.replay.sessions import open_sessions
from tests.unit.dialer.replay.traced import CREATED, HUNG_UP, encode


def record_file(path: Path, server: str, at: float, *messages: str) -> Path:
    writer = TraceWriter(path, {"server": server}, at)
    writer.write(at, Direction.RECEIVED, encode(*messages))
    writer.close()
    return path


def test_files_of_one_server_are_one_session_by_their_times(tmp_path: Path) -> None:
    later = record_file(tmp_path / "a", "pbx1", 2000.0, HUNG_UP)
    other = record_file(tmp_path / "b", "pbx2", 1500.0, CREATED)
    first = record_file(tmp_path / "c", "pbx1", 1000.0, CREATED)
    raw = tmp_path / "d"
    raw.write_bytes(encode(CREATED))
    sessions = open_sessions([later, other, first, raw])
    seen = [
        [r.at or 0.0 for r in session if r.direction is Direction.RECEIVED] for session in sessions
    ]
    assert sorted(seen) == [[1000.0], [1000.0, 2000.0], [1500.0]]


def test_problems_name_their_file_where_there_are_several(tmp_path: Path) -> None:
    files = [record_file(tmp_path / name, "pbx1", 1.0, CREATED) for name in "ab"]
    with files[1].open("ab") as file:
        file.write(b"< 5.0")
    (session,) = open_sessions(files)
    assert len(list(session)) == 4
    assert session.problems == [f"{files[1]}: 5 bytes of a record that was cut or damaged"]


def test_a_file_that_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello")
    with pytest.raises(TraceError):
        open_sessions([path])
