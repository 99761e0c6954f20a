"""Which open attempts may have left this process, and which were answered, in a file beside the
database.

The database has every attempt before its Originate leaves, and its end; what lies between would
cost a commit more. This file has it for one system call: it is written (not synced) before the
Originate's first byte, so that it outlives this process however that ends. It does not outlive
the machine: a file that another start of the machine wrote proves nothing, and then every open
attempt counts as sent.

Lines: `+ ChannelId` may have left, `- ChannelId` certainly did not after all, `= ChannelId micros`
was answered, `# mark` see below. A line that the end of the process cut short is as good as none:
what it announces had not happened yet.

From time to time the file is written anew, without what has ended. What it does not name never left
then, as far as this database goes; not so with an older one that was restored from a backup, in
which that is open. So whenever something is left out the file gets a new mark, and the database
keeps that (`dialer.store.wire_marks`) in place of the old one: a file without a mark of the
database's proves nothing of what it does not name. In three steps, for the end may come between any
two: the new mark is added to the old file, put into the database, then the file is written anew.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from dialer.errors import StoreUnavailable

COMPACT_AT: Final = 1 << 20
"""Bytes after which the file is to be written anew, with what is open alone."""

RETRY_AT: Final = 1 << 16
"""Bytes after which that is tried again where it was not possible."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id() -> str | None:
    """What tells one start of this machine from another; None where nothing does."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


class WireLog:
    """The file of one database, kept by the process that claimed it."""

    def __init__(self, path: Path, boot_id: str | None = None) -> None:
        self._path = path
        self._boot_id = boot_id if boot_id is not None else read_boot_id()
        self._file: int | None = None
        self._size = 0  # of what was written whole
        self._torn = False  # there may be more in the file than that
        self._failed = False  # the last write
        self._full_at = COMPACT_AT
        self._vouches = False
        self._sent: set[str] = set()
        self._answered: dict[str, float] = {}
        self._owed: list[str] = []  # lines that could not be written yet
        self._leaving: set[str] | None = None  # sent, and ended while the mark is renewed
        self._gathered: set[str] | None = None
        self.marks: tuple[str, ...] = ()
        """Of the file as it is on disk."""

    def open(self, attempts: Iterable[str], marks: Collection[str]) -> bool:
        """Take over what an earlier life wrote of `attempts`, the ChannelIds that are open; `marks`
        are the database's. False: it proves nothing of what it does not name. Then the mark has to
        be renewed; before, nothing can be noted."""
        attempts = set(attempts)
        try:
            same_machine = self._read()
        except (OSError, ValueError):
            same_machine = False
        self._vouches = same_machine and not set(marks).isdisjoint(self.marks)
        if self._vouches:
            self._sent &= attempts
        else:
            self._sent = attempts
        known = self._answered if same_machine else {}
        self._answered = {name: at for name, at in known.items() if name in self._sent}
        return self._vouches

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_sent(self, channel_id: str) -> bool:
        """Whether it may have left; true of everything as long as nothing is known."""
        return self._file is None or channel_id in self._sent

    def answered_at(self, channel_id: str) -> float | None:
        return self._answered.get(channel_id)

    @property
    def sent(self) -> frozenset[str]:
        """What may have left and has not ended, as far as is known here."""
        return frozenset(self._sent)

    @contextmanager
    def gather_sent(self) -> Iterator[set[str]]:
        """What is noted as sent meanwhile, again perhaps: an attempt that was taken back is
        reserved under the same ChannelId. One at a time."""
        self._gathered = gathered = set[str]()
        try:
            yield gathered
        finally:
            self._gathered = None

    def note_sent(self, channel_id: str) -> None:
        """Raises `StoreUnavailable`: then the Originate must not leave."""
        self._append(f"+ {channel_id}\n")
        self._sent.add(channel_id)
        if self._gathered is not None:
            self._gathered.add(channel_id)

    def note_unsent(self, channel_id: str) -> None:
        self._sent.discard(channel_id)
        self._append_later(f"- {channel_id}\n")

    def note_answered(self, channel_id: str, at: float) -> None:
        self._answered[channel_id] = at
        self._append_later(f"= {channel_id} {round(at * 1e6)}\n")

    def forget(self, channel_id: str) -> None:
        """The attempt has ended, on disk."""
        if self._leaving is not None and channel_id in self._sent:
            self._leaving.add(channel_id)
        self._sent.discard(channel_id)
        self._answered.pop(channel_id, None)

    def can_note(self) -> bool:
        """Whether the last write was possible; where it was not, an empty line is tried."""
        if self._failed:
            with suppress(StoreUnavailable):
                self._append("\n")
        return not self._failed

    # Written anew.

    @property
    def is_full(self) -> bool:
        """The mark is to be renewed, so that what has ended can be left out."""
        return self._leaving is None and self._size >= self._full_at

    def begin_renewal(self) -> str:
        """The mark that the database is to keep in place of `marks`; then comes `end_renewal`, or
        `put_off`. Raises `StoreUnavailable`."""
        mark = token_hex(8)
        try:
            if self._file is None and not self._vouches:
                self._write_anew(mark)
            else:
                if self._file is None:
                    self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
                self._append(f"# {mark}\n")
                self.marks += (mark,)
        except OSError as error:
            raise self._failure(error) from None
        self._leaving = set()
        return mark

    def end_renewal(self) -> None:
        """The database has the latest mark, on disk. What ended since the beginning stays in the
        file: the database may have had the mark before it had that. Raises `StoreUnavailable`."""
        try:
            self._write_anew(self.marks[-1])
        except OSError as error:
            raise self._failure(error) from None
        self._leaving = None

    def put_off(self) -> None:
        """It was not possible: the file goes on with all its marks."""
        self._leaving, self._full_at = None, self._size + RETRY_AT

    def _write_anew(self, mark: str) -> None:
        """What is open alone, to a new file, which takes the old one's place at once."""
        lines = [f"{self._boot_id}\n", f"# {mark}\n"]
        lines += [f"+ {name}\n" for name in self._sent | (self._leaving or set())]
        lines += [f"= {name} {round(at * 1e6)}\n" for name, at in self._answered.items()]
        data = "".join(lines).encode()
        beside = self._path.with_name(self._path.name + ".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            if os.write(file, data) < len(data):
                raise OSError(0, "the disk is full")
            beside.replace(self._path)
        except BaseException:
            os.close(file)
            raise
        self.close()
        self._file, self._size, self._torn = file, len(data), False
        self._full_at = self._size + COMPACT_AT
        self.marks = (mark,)
        self._owed.clear()

    # Lines.

    def _append_later(self, line: str) -> None:
        """What could not be written now is written with the next line."""
        try:
            self._append(line)
        except StoreUnavailable:
            self._owed.append(line)

    def _append(self, line: str) -> None:
        if self._file is None:
            raise StoreUnavailable("the database is not claimed")
        data = "".join([*self._owed, line]).encode()
        try:
            if self._torn:  # what was cut short must not swallow this line
                os.ftruncate(self._file, self._size)
            self._torn = True
            if os.write(self._file, data) < len(data):
                raise OSError(0, "the disk is full")
        except OSError as error:
            raise self._failure(error) from None
        self._torn = self._failed = False
        self._size += len(data)
        self._owed.clear()

    def _failure(self, error: OSError) -> StoreUnavailable:
        self._failed = True
        return StoreUnavailable(f"{self._path}: {error.strerror}")

    def _read(self) -> bool:
        """Whether the file is there and of this start of the machine."""
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        self._size, self._torn = len(whole.encode()), True
        boot_id, *lines = whole.split("\n")
        for line in lines:
            match line.split(" "):
                case ["+", name]:
                    self._sent.add(name)
                case ["-", name]:
                    self._sent.discard(name)
                case ["=", name, micros]:
                    self._answered[name] = int(micros) / 1e6
                case ["#", mark]:
                    self.marks += (mark,)
        return self._boot_id is not None and boot_id == self._boot_id
