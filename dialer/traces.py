"""Recording what the links to Asterisk servers say: a trace for each server (docs/traces.md)."""

import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from ami import LinkState, LinkTap
from ami.trace import TraceError, TraceRecorder, TraceWriter
from dialer.errors import SettingsError

log = logging.getLogger(__name__)

MIB = 1024 * 1024

LAST_WRITES = 2.0
"""Seconds that a hanging disk gets at the end to take what waits for it."""


def open_writer(
    path: Path,
    code: str,
    now: float,
    *,
    max_mb: int | None = None,
    full: Callable[[Path], None] = lambda _: None,
) -> TraceWriter:
    """A trace of the server `code`. Raises `SettingsError` where there can be none."""
    about = {"server": code, "recorder": f"ami-dialer {version('ami-dialer')}"}
    size = None if max_mb is None else max_mb * MIB
    try:
        return TraceWriter(path, about, now, max_bytes=size, full=full)
    except TraceError as error:
        raise SettingsError(str(error)) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None


class TraceFolder:
    """`DIR/CODE.trace` of every server that a worker drives. What goes wrong with a file is one
    line of the log; dialing goes on without it."""

    def __init__(self, folder: Path | None, clock: Callable[[], float], max_mb: int) -> None:
        """Makes the folder; without one nothing is recorded. `clock`: epoch seconds. Raises
        `SettingsError` where that fails."""
        self._folder = folder
        self._clock = clock
        self._max_mb = max_mb
        self._recorders: dict[str, TraceRecorder | None] = {}
        self._strands: dict[str, _Strand] = {}
        try:
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{folder} cannot be made: {error.strerror or error}") from None

    def tap_of(self, code: str) -> LinkTap | None:
        """What records a new link to the server; an earlier link to it is recorded no more."""
        if self._folder is None:
            return None
        if code not in self._recorders:
            self._recorders[code] = self._open(self._folder / f"{code}.trace", code)
        if code in self._strands:
            self._strands[code].recorder = None
        recorder = self._recorders[code]
        if recorder is None:
            return None
        strand = self._strands[code] = _Strand(recorder)
        return strand

    def close(self) -> None:
        """Write what waits."""
        for code, recorder in self._recorders.items():
            if recorder is not None and not recorder.close(LAST_WRITES):
                log.error("the disk hangs: a trace lacks its end", extra={"server": code})

    def _open(self, path: Path, code: str) -> TraceRecorder | None:
        try:
            writer = open_writer(path, code, self._clock(), max_mb=self._max_mb)
        except SettingsError as error:
            log.error("a link is not recorded", extra={"server": code, "why": str(error)})
            return None
        return TraceRecorder(writer, self._clock, tell=_tell(code), enduring=False)


class _Strand:
    """One link's part in its server's trace: while it takes its leave the next one has begun."""

    __slots__ = ("recorder",)

    def __init__(self, recorder: TraceRecorder) -> None:
        self.recorder: TraceRecorder | None = recorder

    def received(self, data: bytes) -> None:
        if self.recorder is not None:
            self.recorder.received(data)

    def sent(self, data: bytes) -> None:
        if self.recorder is not None:
            self.recorder.sent(data)

    def moved(self, state: LinkState, reason: str) -> None:
        if self.recorder is not None:
            self.recorder.moved(state, reason)


def _tell(code: str) -> Callable[[str], None]:
    return lambda text: log.error("a link is not recorded", extra={"server": code, "why": text})
