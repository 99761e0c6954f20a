"""Records a link while it runs: a `LinkTap` whose bytes a thread of its own writes to a file, so
that no disk, slow or full or hanging, is ever waited for where sockets are read."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from ami.link import LinkState
from ami.trace.encoding import write_note
from ami.trace.records import Direction, Record, TraceError
from ami.trace.writer import TraceWriter

GAP: Final = "gap"  # the note that bytes are missing here: since when, how many, why
LINK: Final = "link"  # the note that the link came up or went down, and why

# What may wait for a disk that hangs: seconds of the busiest link that was measured.
BACKLOG: Final = 64 * 1024 * 1024
_BATCH: Final = 256 * 1024
_OVERHEAD: Final = 200  # bytes that an empty record takes in memory
_LINKS: Final = {LinkState.UP: "up", LinkState.DOWN: "down", LinkState.REFUSED: "down"}


class TraceRecorder:
    """Writes what it is told into `writer`. A killed process loses what was not yet handed to the
    system: what came in the last milliseconds.

    `enduring`: a disk that takes nothing is tried again with whatever comes next, and a note tells
    in the file what is missing; otherwise the first failure ends the recording. Either is one
    sentence to `tell`, which is called in the writing thread, as is its being over.
    """

    def __init__(
        self,
        writer: TraceWriter,
        clock: Callable[[], float],
        *,
        tell: Callable[[str], None],
        enduring: bool,
        backlog: int = BACKLOG,
    ) -> None:
        """`clock`: epoch seconds, UTC."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.connections = 0
        self.over = False
        self._writer = writer
        self._clock = clock
        self._tell = tell
        self._enduring = enduring
        self._backlog = backlog
        self._queue: SimpleQueue[Record | None] = SimpleQueue()
        self._given = 0  # bytes, counted by who gives
        self._taken = 0  # bytes, counted by the thread
        self._missed = 0  # bytes in gaps, counted by who gives
        self._failed = 0  # and by the thread
        self._told: tuple[str, str] | None = None
        self._overrun: _Gap | None = None  # since the backlog is full
        self._failure: _Gap | None = None  # since the disk takes nothing
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
        self._thread.start()

    @property
    def lost_bytes(self) -> int:
        """What is missing in the file."""
        return self._missed + self._failed

    # Called by the link.

    def received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._give(Record(self._clock(), Direction.RECEIVED, data))

    def sent(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        self._give(Record(self._clock(), Direction.SENT, data))

    def moved(self, state: LinkState, reason: str) -> None:
        link = _LINKS.get(state)
        if link is None or (link, reason) == self._told:
            return
        self._told = (link, reason)
        self.connections += link == "up"
        self._give(write_note(self._clock(), {LINK: link, "why": reason}))

    def _give(self, record: Record) -> None:
        if self.over:
            return
        size = len(record.data) + _OVERHEAD
        if self._given - self._taken + size > self._backlog:
            self._overrun = self._overrun or _Gap(record.at, "the disk is too slow")
            self._overrun.size += len(record.data)
            return
        self._note_overrun(record.at)
        self._given += size
        self._queue.put(record)

    def _note_overrun(self, at: float | None) -> None:
        if self._overrun is not None:
            self._queue.put(self._overrun.note(at))
            self._missed += self._overrun.size
            self._overrun = None

    def close(self, timeout: float | None = None) -> bool:
        """Write what waits, for `timeout` seconds at most, and end. False: the disk still hangs,
        and what waits for it is lost with the process."""
        if not self.over:
            self._note_overrun(self._clock())
        self.over = True
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # In the thread.

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._collect()
            self._write(batch)
        self._writer.close()

    def _collect(self) -> tuple[list[Record], bool]:
        """What waits, one record at least, and whether it is the last."""
        batch: list[Record] = []
        size = 0
        record = self._queue.get()
        while record is not None:
            batch.append(record)
            size += len(record.data) + _OVERHEAD
            if size > _BATCH:
                break
            try:
                record = self._queue.get_nowait()
            except Empty:
                break
        self._taken += sum(len(one.data) + _OVERHEAD for one in batch)
        return batch, record is None

    def _write(self, batch: Sequence[Record]) -> None:
        if not batch or (self._failure is not None and not self._enduring):
            return
        gap = self._failure
        try:
            self._writer.extend([gap.note(batch[0].at), *batch] if gap is not None else batch)
        except (OSError, TraceError) as error:
            self._fail(batch, error)
            return
        if gap is not None:
            self._failure = None
            self._tell(f"{self._writer.path}: recording goes on, {gap.size} bytes are missing")

    def _fail(self, batch: Sequence[Record], error: OSError | TraceError) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        lost = sum(len(record.data) for record in batch)
        self._failed += lost
        if self._failure is not None:
            self._failure.size += lost
            return
        self._failure = _Gap(batch[0].at, why, lost)
        if self._enduring:
            self._tell(f"{self._writer.path}: {why}: nothing is recorded until that is over")
        else:
            self.over = True
            self._tell(f"{self._writer.path}: {why}: recording has ended")


class _Gap:
    """What is missing in a file."""

    __slots__ = ("_since", "_why", "size")

    def __init__(self, since: float | None, why: str, size: int = 0) -> None:
        self._since = since
        self._why = why
        self.size = size

    def note(self, at: float | None) -> Record:
        gap = {"since": self._since, "bytes": self.size, "why": self._why}
        return write_note(at, {GAP: gap})
