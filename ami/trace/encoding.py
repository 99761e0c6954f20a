"""The trace format of this product, version 1: records one after the other, readable with a pager.

    AMI trace 1
    * 1763705623.130001 41
    {"server":"pbx1","recorder":"dialer 1.0"}
    < 1763705623.130412 27
    Asterisk Call Manager/9.0

A file begins with the first line; where it was appended to, that line stands again. A record is its
mark (`<` received, `>` sent, `*` a note), when (epoch seconds, six digits, all 0: not known), how
many bytes follow, a line feed, these bytes as they were on the wire, a line feed. A file that was
cut or damaged is read up to there and from the next record on.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ami.trace.records import Direction, Record

MAGIC: Final = b"AMI trace 1\n"
# More than one read of a socket ever gives; a longer record is a damaged length.
MAX_RECORD: Final = 16 * 1024 * 1024

_HEAD: Final = re.compile(rb"([<>*]) (\d{1,12}\.\d{6}) (\d{1,8})\n")
_NEXT: Final = re.compile(rb"\n(?=[<>*] \d{1,12}\.\d{6} \d{1,8}\n|" + MAGIC + rb")")
_LONGEST_HEAD: Final = 64
_LINE_FEED: Final = 10
_BLOCK: Final = 1024 * 1024
_MARKS: Final = {direction.value.encode(): direction for direction in Direction}


def encode_record(record: Record) -> bytes:
    """The record as it stands in a file. ValueError above `MAX_RECORD`."""
    if len(record.data) > MAX_RECORD:
        raise ValueError(f"a record of more than {MAX_RECORD} bytes")
    head = f"{record.direction.value} {max(record.at or 0.0, 0.0):.6f} {len(record.data)}\n"
    return b"".join((head.encode(), record.data, b"\n"))


def write_note(at: float | None, note: dict[str, Any]) -> Record:
    """A note about the recording itself."""
    text = json.dumps(note, ensure_ascii=False, separators=(",", ":"))
    return Record(at, Direction.NOTE, text.encode("utf-8", "replace"))


def read_note(record: Record) -> dict[str, Any]:
    """What a note says; empty where it is no JSON object."""
    try:
        value = json.loads(record.data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def decode_records(
    read: Callable[[int], bytes], complain: Callable[[str], None]
) -> Iterator[Record]:
    """The records of a file that begins with `MAGIC`. `read(n)` gives up to n bytes, none at the
    end; `complain` gets a sentence for each damaged place."""
    buffer, start = b"", 0
    while True:
        block = read(_BLOCK)
        buffer, start = buffer[start:] + block, 0
        while True:
            end, record, problem = _decode_at(buffer, start, final=not block)
            if end is None:
                break
            start = end
            if problem:
                complain(problem)
            if record is not None:
                yield record
        if not block:
            return


def _decode_at(buffer: bytes, start: int, *, final: bool) -> tuple[int | None, Record | None, str]:
    """Where what stands at `start` ends, and what it is; no end: more bytes are needed."""
    size = len(buffer)
    if start >= size:
        return None, None, ""
    head = _HEAD.match(buffer, start)
    if head is None:
        if buffer.startswith(MAGIC, start):
            return start + len(MAGIC), None, ""
        if buffer[start] == _LINE_FEED:
            return start + 1, None, ""
        if not final and size - start < _LONGEST_HEAD:
            return None, None, ""
        return _skip(buffer, start, final=final)
    begin, length = head.end(), int(head[3])
    end = begin + length
    if length > MAX_RECORD:
        return _skip(buffer, start, final=final)
    if end >= size:
        return _skip(buffer, start, final=True) if final else (None, None, "")
    if buffer[end] != _LINE_FEED:
        return _skip(buffer, start, final=final)
    record = Record(float(head[2]) or None, _MARKS[head[1]], buffer[begin:end])
    return end + 1, record, ""


def _skip(buffer: bytes, start: int, *, final: bool) -> tuple[int | None, Record | None, str]:
    """Past a damaged place: to the next record, else as far as may be."""
    following = _NEXT.search(buffer, start)
    if following is not None:
        end = following.end()
    elif final:
        end = len(buffer)
    elif len(buffer) - start > 2 * MAX_RECORD:
        end = len(buffer) - _LONGEST_HEAD
    else:
        return None, None, ""
    return end, None, f"{end - start} bytes of a record that was cut or damaged"
