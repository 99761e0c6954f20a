"""Writes a trace file, so that what was written survives the end of the process at any moment."""

import gzip
import itertools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ami.trace.encoding import MAGIC, encode_record, write_note
from ami.trace.records import Direction, Record
from ami.trace.redaction import mask_secrets

FOLLOWING: Final = "continued"  # the note that a file goes on in another one


class TraceWriter:
    """Appends the records of one AMI session to a file; a new one where it grows too large.

    A record is one `write` to the file, so that killing the process loses none that was given, and
    leaves at most its last one cut. Full files are renamed `NAME.<UTC>` (`pbx1.trace` →
    `pbx1.20261121T060814Z-000.trace`), in their order by name too; `full` is called with each.
    Raises OSError where the disk does not take it: what was given is then lost, the file is whole.
    """

    def __init__(
        self,
        path: Path,
        about: dict[str, Any],
        now: float,
        *,
        max_bytes: int | None = None,
        full: Callable[[Path], None] = lambda _: None,
    ) -> None:
        """`about`: what a reader should know (server, who recorded); no secrets."""
        self.path = path
        self._about = about
        self._max = max_bytes
        self._full = full
        self._file, self._size = self._open(now)

    def write(self, at: float, direction: Direction, data: bytes) -> None:
        """Append bytes that were received, or one whole action that was sent. Of it, secrets are
        masked."""
        if direction is Direction.SENT:
            data = mask_secrets(data)
        self._append(encode_record(Record(at, direction, data)))
        if self._max is not None and self._size >= self._max:
            self._rotate(at)

    def note(self, at: float, note: dict[str, Any]) -> None:
        """Append a note about the recording itself."""
        self._append(encode_record(write_note(at, note)))

    def close(self) -> None:
        """No more records."""
        os.close(self._file)

    def _append(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written < len(data):
            os.ftruncate(self._file, self._size)
            raise OSError(28, "No space left on device", str(self.path))
        self._size += written

    def _open(self, now: float) -> tuple[int, int]:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        # After a cut record a line feed lets the reader find its way again.
        self._append(
            (b"\n" if self._size else b"") + MAGIC + encode_record(write_note(now, self._about))
        )
        return self._file, self._size

    def _rotate(self, at: float) -> None:
        self.note(at, {FOLLOWING: True})
        os.close(self._file)
        aside = self._name_aside(at)
        self.path.rename(aside)
        self._open(at)
        self._full(aside)

    def _name_aside(self, at: float) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        for number in itertools.count():
            aside = self.path.with_name(f"{self.path.stem}.{stamp}-{number:03}{self.path.suffix}")
            if not any(map(Path.exists, (aside, aside.with_name(aside.name + ".gz")))):
                break
        return aside


def compress(path: Path) -> Path:
    """Put `NAME.gz` in the place of a full file; it is there whole or not at all. Takes a while:
    to be called off the event loop. Returns the new file."""
    packed = path.with_name(path.name + ".gz")
    part = packed.with_name(packed.name + ".part")
    with path.open("rb") as source, gzip.open(part, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
    part.chmod(0o600)
    part.rename(packed)
    path.unlink()
    return packed
