"""One dialer a database: two would each keep to the limits, and together exceed them."""

import fcntl
from pathlib import Path
from typing import IO

from dialer.errors import Conflict, StoreUnavailable


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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise Conflict("another dialer is running on this database") from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
