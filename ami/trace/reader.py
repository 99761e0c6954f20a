"""Opens a file of AMI traffic, whatever wrote it, and gives its records."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from ami.trace import gunzip, logs
from ami.trace.encoding import MAGIC, decode_records
from ami.trace.objects import read_objects
from ami.trace.plain import read_plain
from ami.trace.records import Record, TraceError

_SAMPLE: Final = 256 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PLAIN: Final = re.compile(rb"(?im)^(?:Asterisk Call Manager|(?:event|response|action)[ \t]*: ?\S)")
_ARRAY: Final = re.compile(rb"\s*\[\s*(?:\{|\]\s*$)")
_MOST_PROBLEMS: Final = 20


class Trace:
    """The records of one file, in its order, read once and as they are asked for.

    `format`: `trace` (this product's), `ami` (bytes of the wire), `json`, `log` (a prefix before
    each header) or `json-log`. `problems`: sentences about what could not be read, complete when
    the last record was given; the first 20 of them.
    """

    def __init__(self, stream: BinaryIO, name: str = "stream") -> None:
        """Raises TraceError where nothing in the stream's beginning is AMI's. It may be
        compressed with gzip."""
        self.name = name
        self.problems: list[str] = []
        self._stream = stream
        self._read: Callable[[int], bytes] = self._take
        begin = self._fill(_SAMPLE)
        if begin.startswith(gunzip.MAGIC):
            packed = chain_reads(begin, self._take)
            self._read = gunzip.Gunzip(packed, self._complain).read
            begin = self._fill(_SAMPLE)
        begin = begin.removeprefix(_BYTE_ORDER_MARK)
        self._read = chain_reads(begin, self._read)
        self._prefix: re.Pattern[str] | None = None
        self.format = self._recognize(begin)

    def __iter__(self) -> Iterator[Record]:
        """Raises TraceError where the file can not be read on. Closes it at its end."""
        with self:
            yield from self._records()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _records(self) -> Iterator[Record]:
        match self.format:
            case "trace":
                return decode_records(self._read, self._complain)
            case "ami":
                return read_plain(self._read, self._complain)
            case "json":
                return read_objects(self._read, self._complain)
            case "log" if self._prefix is not None:
                return logs.read_prefixed(self._read, self._complain, self._prefix)
            case _:
                return logs.read_json_log(self._read, self._complain)

    def _recognize(self, sample: bytes) -> str:
        if not sample.strip():
            raise TraceError(
                f"{self.name}: {self.problems[0]}" if self.problems else f"{self.name} is empty"
            )
        if sample.startswith(MAGIC):
            return "trace"
        if _PLAIN.search(sample):
            return "ami"
        if sample.lstrip(b" \t\r\n\x1e").startswith(b"{") or _ARRAY.match(sample):
            return "json"
        lines = sample.decode("utf-8", "surrogateescape").splitlines()
        self._prefix = logs.find_prefix(lines)
        if self._prefix is not None:
            return "log"
        if any(map(logs.has_json_event, lines)):
            return "json-log"
        raise TraceError(f"{self.name} holds no AMI: no event, response or action in its beginning")

    def _fill(self, size: int) -> bytes:
        parts, missing = [], size
        while missing > 0 and (part := self._read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _take(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise TraceError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def _complain(self, problem: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def chain_reads(first: bytes, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """A read that gives `first` whole, then what `read` gives."""
    begin = [first] if first else []
    return lambda size: begin.pop() if begin else read(size)


def open_trace(path: Path) -> Trace:
    """The trace in a file. Raises TraceError."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return Trace(stream, str(path))
    except TraceError:
        stream.close()
        raise
