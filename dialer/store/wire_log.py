"""Which open attempts may have left this process, and which were answered, in a file beside the
database.

The database has every attempt before its Originate leaves, and its end; what lies between would
cost a commit more. This file has it for one system call: it is written (not synced) before the
Originate's first byte, so that it outlives this process however that ends. It does not outlive
the machine: a file that another start of the machine wrote proves nothing, and then every open
attempt counts as sent.

Lines: `+ ChannelId` may have left, `- ChannelId` certainly did not after all, `= ChannelId micros`
was answered. A line that the end of the process cut short is as good as none: what it announces
had not happened yet.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from dialer.errors import StoreUnavailable

COMPACT_AT: Final = 1 << 20
"""Bytes after which the file is written anew with what is open alone."""

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
        self._size = 0
        self._sent: set[str] = set()
        self._answered: dict[str, float] = {}

    def open(self, attempts: Iterable[str]) -> None:
        """Take over what an earlier life wrote of `attempts`, the ChannelIds that are open. Raises
        `StoreUnavailable`."""
        attempts = set(attempts)
        try:
            known = self._read()
        except (OSError, ValueError):
            known = False
        if known:
            self._sent &= attempts
        else:
            self._sent, self._answered = attempts, {}
        self._answered = {name: at for name, at in self._answered.items() if name in self._sent}
        try:
            self._compact()
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_sent(self, channel_id: str) -> bool:
        """Whether it may have left; true of everything as long as nothing is known."""
        return self._file is None or channel_id in self._sent

    def answered_at(self, channel_id: str) -> float | None:
        return self._answered.get(channel_id)

    def note_sent(self, channel_id: str) -> None:
        """Raises `StoreUnavailable`: then the Originate must not leave."""
        self._append(f"+ {channel_id}\n")
        self._sent.add(channel_id)

    def note_unsent(self, channel_id: str) -> None:
        self._sent.discard(channel_id)
        self._append_later(f"- {channel_id}\n")

    def note_answered(self, channel_id: str, at: float) -> None:
        self._answered[channel_id] = at
        self._append_later(f"= {channel_id} {round(at * 1e6)}\n")

    def forget(self, channel_id: str) -> None:
        """The attempt has ended, on disk."""
        self._sent.discard(channel_id)
        self._answered.pop(channel_id, None)

    def _append_later(self, line: str) -> None:
        """What could not be written now is written with the next line."""
        with suppress(StoreUnavailable):
            self._append(line)

    def _append(self, line: str) -> None:
        if self._file is None:
            raise StoreUnavailable("the database is not claimed")
        data = line.encode()
        try:
            if self._size >= COMPACT_AT:
                self._compact()
            written = os.write(self._file, data)
            self._size += written
            if written < len(data):
                raise OSError(0, "the disk is full")
        except OSError as error:
            # What was cut short must not swallow the next line.
            self._size = COMPACT_AT
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from None

    def _compact(self) -> None:
        """Write what is open alone to a new file, which takes the old one's place at once."""
        lines = [f"{self._boot_id}\n"]
        lines += [f"+ {name}\n" for name in self._sent]
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
        self._file, self._size = file, 0

    def _read(self) -> bool:
        """Whether the file is there and of this start of the machine."""
        boot_id, *lines = self._path.read_text(encoding="utf-8").split("\n")
        if self._boot_id is None or boot_id != self._boot_id:
            return False
        for line in lines:
            match line.split(" "):
                case ["+", name]:
                    self._sent.add(name)
                case ["-", name]:
                    self._sent.discard(name)
                case ["=", name, micros]:
                    self._answered[name] = int(micros) / 1e6
        return True
