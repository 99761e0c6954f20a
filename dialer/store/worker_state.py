"""What a worker on PostgreSQL keeps on its own machine: which attempts never left it.

SQLite keeps that beside its file (`dialer.store.wire_log`). Here the database is elsewhere and has
attempts of other workers, too: this file can speak only for those that were reserved under a token
which this worker held. So the tokens are kept beside the log, and attempts of others count as sent.

Workers of one machine share the folder: each takes the first place that no living one has.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.claim import Claim
from dialer.store.wire_log import WireLog

PLACES: Final = 64
"""Workers that may share a folder."""


class WorkerState:
    """The first free place in `folder` for the database called `name`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._claim: Claim | None = None
        self._tokens_file: Path | None = None
        self.tokens: set[tuple[int, int]] = set()
        """(server id, token) of all that attempts in the log were reserved under."""
        self._failed = False

    def take(self) -> WireLog:
        """The log of the place, not opened yet. Raises `StoreUnavailable` and `Conflict`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._folder}: {error.strerror}") from None
        for number in range(PLACES):
            path = self._folder / f"{self._name}-{number}"
            claim = Claim(path)
            with suppress(Conflict):
                claim.take()
                self._claim = claim
                self._tokens_file = path.with_name(path.name + ".tokens")
                self.tokens = self._read()
                return WireLog(path.with_name(path.name + ".wire"))
        raise Conflict(f"{PLACES} workers share {self._folder} already")

    def note_tokens(self, tokens: Mapping[int, int], open_under: Iterable[tuple[int, int]]) -> None:
        """These servers are owned from now on; of earlier tokens those are kept that an open
        attempt was reserved under. On disk when it returns; raises `StoreUnavailable`."""
        if self._tokens_file is None:
            return
        self._keep((self.tokens & set(open_under)) | {*self.tokens_of(tokens)})

    def forget_tokens(self) -> None:
        """They are of another database: an older one gives the same out again, perhaps to others.
        On disk when it returns; raises `StoreUnavailable`."""
        self._keep(set())

    def can_keep(self) -> bool:
        """Whether tokens could be noted when that was last wanted; where they could not, it is
        tried again."""
        if self._failed:
            with suppress(StoreUnavailable):
                self._keep(self.tokens)
        return not self._failed

    def _keep(self, tokens: set[tuple[int, int]]) -> None:
        assert self._tokens_file is not None
        self.tokens = tokens
        beside = self._tokens_file.with_name(self._tokens_file.name + ".new")
        try:
            beside.write_text(json.dumps(sorted(self.tokens)), encoding="ascii")
            os.replace(beside, self._tokens_file)
        except OSError as error:
            self._failed = True
            raise StoreUnavailable(f"{self._tokens_file}: {error.strerror}") from None
        self._failed = False

    def tokens_of(self, tokens: Mapping[int, int]) -> Iterable[tuple[int, int]]:
        """Those just given, and the latest of every other server."""
        latest: dict[int, int] = {}
        for server_id, token in self.tokens:
            latest[server_id] = max(token, latest.get(server_id, 0))
        return (latest | dict(tokens)).items()

    def release(self) -> None:
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def _read(self) -> set[tuple[int, int]]:
        assert self._tokens_file is not None
        try:
            kept = json.loads(self._tokens_file.read_text(encoding="ascii"))
            return {(int(server_id), int(token)) for server_id, token in kept}
        except (OSError, ValueError, TypeError):
            return set()  # nothing is vouched for
