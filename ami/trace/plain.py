"""AMI as it was on the wire, kept as bytes (panoramisk's `save_stream`, tee, netcat): CR LF or LF,
with the greeting or without, from the middle of a session, with the actions between or without."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ami.trace.blocks import make_record
from ami.trace.records import Direction, Record
from ami.wire import MAX_MESSAGE

_BANNER: Final = b"Asterisk Call Manager"
_CRLF_END: Final = re.compile(rb"\r\n(?:\r\n|\n)")
_LF_END: Final = re.compile(rb"\n(?:\r\n|\n)")
_BLOCK: Final = 256 * 1024


def read_plain(read: Callable[[int], bytes], complain: Callable[[str], None]) -> Iterator[Record]:
    """The messages of the stream. What is none of them is told to `complain`: the rest of a message
    that began before the file did, and one that the file's end cut off in mid-line."""
    buffer = b""
    while True:
        block = read(_BLOCK)
        buffer += block
        start = 0
        while (cut := _next_cut(buffer, start, final=not block)) is not None:
            begin, end, following, line_end = cut
            start = following
            yield from _give(buffer[begin:end], line_end, complain)
        buffer = buffer[start:]
        if len(buffer) > MAX_MESSAGE:
            complain(f"more than {MAX_MESSAGE} bytes without an end of a message")
            buffer = buffer[-MAX_MESSAGE // 2 :]
        if not block:
            return


def _next_cut(buffer: bytes, start: int, *, final: bool) -> tuple[int, int, int, bytes] | None:
    """Where the next block begins and ends, where the one after it begins, and its line end."""
    size = len(buffer)
    while start < size and buffer[start] in b"\r\n":
        start += 1
    line_end = buffer.find(b"\n", start)
    if start >= size or (line_end < 0 and not final):
        return None
    if buffer.startswith(_BANNER, start) and line_end >= 0:
        return start, line_end + 1, line_end + 1, b""
    crlf = line_end > 0 and buffer[line_end - 1] == 13
    found = (_CRLF_END if crlf else _LF_END).search(buffer, start)
    ending = b"\r\n" if crlf else b"\n"
    if found is not None:
        # One more byte may tell CR LF CR LF from CR LF LF: the rest is skipped either way.
        return start, found.start(), found.end(), ending
    if not final:
        return None
    return start, size, size, ending


def _give(block: bytes, line_end: bytes, complain: Callable[[str], None]) -> Iterator[Record]:
    if not line_end:
        yield Record(None, Direction.RECEIVED, block)
        return
    if not block.endswith(b"\n") and _was_cut(block):
        complain("the last message is cut off")
        return
    record = make_record(block.rstrip(b"\r\n"), None, line_end)
    if record is None:
        complain(f"{len(block)} bytes that are no message")
    else:
        yield record


def _was_cut(block: bytes) -> bool:
    """Whether the file ended in mid-line: a block's last line has a colon, but for outputs."""
    last = block.rpartition(b"\n")[2]
    return b":" not in last and not last.startswith(b"--END")
