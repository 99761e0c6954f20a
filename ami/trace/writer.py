"""Writes a trace file, so that what was written survives the end of the process at any moment."""

import errno
import fcntl
import gzip
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ami.trace.encoding import MAGIC, encode_record, write_note
from ami.trace.records import Direction, Record, TraceError
from ami.trace.redaction import mask_secrets

FOLLOWING: Final = "continued"  # the note that a file goes on in another one
_CLOSED: Final = -1


class TraceWriter:
    """Appends the records of one AMI session to a file; a new one where it grows too large.

    What is given at once is one `write` to the file, so that killing the process loses nothing that
    was given before, and leaves at most the last record cut. A file of `max_bytes` is renamed
    `NAME.<UTC>` (`pbx1.trace` → `pbx1.20261121T060814Z-000.trace`), in their order by name too;
    `full` is called with each. Nobody else may write the file meanwhile. Raises OSError where the
    disk does not take it: then nothing of what was given is in the file, it is whole, and the next
    call tries again.
    """

    def __init__(
        self,
        path: Path,
        about: dict[str, Any],
        now: float | None,
        *,
        max_bytes: int | None = None,
        full: Callable[[Path], None] = lambda _: None,
    ) -> None:
        """`about`: what a reader should know (server, who recorded); no secrets. Also raises
        TraceError where the file is there and is no trace, or another process writes it."""
        self.path = path
        self._about = about
        self._max = max_bytes
        self._full = full
        self._file = _CLOSED
        self._size = 0
        self._open(now)

    def write(self, at: float | None, direction: Direction, data: bytes) -> None:
        """Append bytes that were received, or one whole action that was sent. Of it, secrets are
        masked."""
        self.extend((Record(at, direction, data),))

    def note(self, at: float | None, note: dict[str, Any]) -> None:
        """Append a note about the recording itself."""
        self.extend((write_note(at, note),))

    def extend(self, records: Sequence[Record]) -> None:
        """Append all of these or none."""
        if not records:
            return
        if self._file == _CLOSED:
            self._open(records[0].at)
        elif self._max is not None and self._size >= self._max:
            self._rotate(records[0].at)
        self._append(self._file, b"".join(map(_encode, records)))

    def close(self) -> None:
        """No more records for now."""
        file, self._file = self._file, _CLOSED
        if file != _CLOSED:
            os.close(file)

    def _append(self, file: int, data: bytes) -> None:
        written = os.write(file, data)
        if written < len(data):
            os.ftruncate(file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._size += written

    def _open(self, now: float | None) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._reserve(file)
            self._size = os.fstat(file).st_size
            # After a cut record a line feed lets the reader find its way again.
            begin = b"\n" if self._size else b""
            self._append(file, begin + MAGIC + encode_record(write_note(now, self._about)))
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _reserve(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TraceError(f"{self.path} is being written by another process") from None
        if os.pread(file, len(MAGIC), 0) not in (MAGIC, b""):
            raise TraceError(f"{self.path} is there and is no trace: it is left as it is")

    def _rotate(self, at: float | None) -> None:
        self._append(self._file, encode_record(write_note(at, {FOLLOWING: True})))
        self.close()
        aside = self._name_aside(at or 0.0)
        self.path.rename(aside)
        self._full(aside)
        self._open(at)

    def _name_aside(self, at: float) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        for number in itertools.count():
            aside = self.path.with_name(f"{self.path.stem}.{stamp}-{number:03}{self.path.suffix}")
            if not any(map(Path.exists, (aside, aside.with_name(aside.name + ".gz")))):
                break
        return aside


def write_trace(path: Path, records: Iterable[Record]) -> int:
    """Write a new trace of these records; it is there whole or not at all. How many they were.
    Raises FileExistsError, other OSErrors, and what `records` raises."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    part = path.with_name(path.name + ".part")
    count = 0
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            file.write(MAGIC)
            for count, record in enumerate(records, 1):  # noqa: B007 (it is the result)
                file.write(_encode(record))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.rename(path)
    return count


def _encode(record: Record) -> bytes:
    if record.direction is Direction.SENT:
        record = replace(record, data=mask_secrets(record.data))
    return encode_record(record)


def compress(path: Path) -> Path:
    """Put `NAME.gz` in the place of a full file; it is there whole or not at all. Takes a while:
    to be called off the event loop. Returns the new file. Raises OSError, and leaves `path`."""
    packed = path.with_name(path.name + ".gz")
    part = packed.with_name(packed.name + ".part")
    try:
        with path.open("rb") as source, gzip.open(part, "wb", compresslevel=6) as target:
            part.chmod(0o600)
            shutil.copyfileobj(source, target, 1024 * 1024)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    part.rename(packed)
    path.unlink()
    return packed
