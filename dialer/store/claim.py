"""One dialer a database: two would each keep to the limits, and together exceed them."""

import fcntl
import time
from pathlib import Path
from typing import IO, Final

from dialer.errors import Conflict, StoreUnavailable

PROBES: Final = 3
PROBE_PAUSE: Final = 0.01
"""Tries to take it, and seconds between two: whoever only looks holds it for a moment."""


class Claim:
    """A lock on a file beside the database. The system lets go of it when the process ends, however
    it ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".worker")
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Raises `Conflict` when another process holds it."""
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from None
        for _ in range(PROBES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(PROBE_PAUSE)
            else:
                self._file = file
                return
        file.close()
        raise Conflict("another dialer is running on this database")

    def is_held(self) -> bool:
        """Whether any process has it now."""
        try:
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
