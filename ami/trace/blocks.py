"""Lines → the messages that a stream of them holds, for streams that were kept as text."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ami.trace.moments import bound_moment
from ami.trace.records import Direction, Record
from ami.wire import MAX_MESSAGE, parse_message

_BEGINS: Final = re.compile(rb"(event|response|action)[ \t]*:", re.IGNORECASE)
_ANSWER: Final = re.compile(
    rb"response[ \t]*:[ \t]*(?:success|error|failure|goodbye|follows|pong)[ \t\r]*$", re.IGNORECASE
)
_ORIGINATE_RESPONSE: Final = re.compile(rb"event[ \t]*:[ \t]*originateresponse", re.IGNORECASE)
_TIMESTAMP: Final = re.compile(
    rb"^timestamp:[ \t]*(\d+(?:\.\d+)?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)


def begins_message(line: bytes) -> bool:
    """Whether a line is the first of an event, a response or an action."""
    return _BEGINS.match(line) is not None


def make_record(block: bytes, at: float | None, line_end: bytes) -> Record | None:
    """The record of one message's bytes, without its empty line; None where they are none. Its own
    `Timestamp` is when it came, where the file does not say better."""
    if len(block) > MAX_MESSAGE:
        return None
    begin = _BEGINS.match(block)
    if begin is not None and begin[1].lower() == b"action":
        direction = Direction.SENT
    elif begin is not None or parse_message(block) is not None:
        direction = Direction.RECEIVED
    else:
        return None
    if at is None and (stamp := _TIMESTAMP.search(block)) is not None:
        at = bound_moment(float(stamp[1]))
    return Record(at, direction, block + line_end + line_end)


class Blocks:
    """Collects header lines to messages. `lost` counts lines of what turned out to be none.

    A message ends with an empty line, and where a log dropped those, with the first line of the
    next one: `Event` and `Action` begin one always, a `Response` with a word of an answer does but
    in an OriginateResponse.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._at: float | None = None

    def add(self, line: bytes, at: float | None) -> Iterator[Record]:
        """Take a line, without its end."""
        if not line.strip():
            yield from self.end()
            return
        if self._lines and self._begins_next(line):
            yield from self.end()
        if not self._lines:
            self._at = at
        self._size += len(line)
        if self._size <= MAX_MESSAGE:
            self._lines.append(line)

    def end(self) -> Iterator[Record]:
        """What was collected is all there is of it."""
        lines, self._lines = self._lines, []
        size, self._size = self._size, 0
        if not lines:
            return
        record = (
            make_record(b"\r\n".join(lines), self._at, b"\r\n") if size <= MAX_MESSAGE else None
        )
        if record is None:
            self.lost += len(lines)
        else:
            yield record

    def _begins_next(self, line: bytes) -> bool:
        begin = _BEGINS.match(line)
        if begin is None:
            return False
        if begin[1].lower() != b"response":
            return True
        # Events have a Response header too: OriginateResponse one of these words, once.
        owed = _ORIGINATE_RESPONSE.match(self._lines[0]) and not any(
            map(_ANSWER.match, self._lines)
        )
        return _ANSWER.match(line) is not None and not owed


def split_blocks(lines: Iterable[tuple[bytes, float | None]], blocks: Blocks) -> Iterator[Record]:
    """The records of lines with the times that stand before them."""
    for line, at in lines:
        yield from blocks.add(line, at)
    yield from blocks.end()
