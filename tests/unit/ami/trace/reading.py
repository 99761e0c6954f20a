"""Reading a trace out of bytes, in tests."""

import io

from ami.trace import Direction, Record, Trace
from ami.wire import Decoder, Message


def read(data: bytes) -> tuple[Trace, list[Record]]:
    """The trace and its records, as from a file with these bytes."""
    trace = Trace(io.BytesIO(data), "a file")
    return trace, list(trace)


def messages_of(records: list[Record]) -> list[Message]:
    """What Asterisk said, as production's decoder sees it."""
    decoder = Decoder()
    received = (r.data for r in records if r.direction is Direction.RECEIVED)
    return [message for data in received for message in decoder.feed(data)]


class InPieces(io.RawIOBase):
    """A file that gives at most `size` bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._rest = io.BytesIO(data)
        self._size = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(self._size, size) if size >= 0 else self._size)
