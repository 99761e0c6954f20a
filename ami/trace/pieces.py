"""Records → pieces: what was said one thing at a time, however the bytes came."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ami.errors import ProtocolBroken
from ami.trace.encoding import read_note
from ami.trace.recorder import GAP, LINK
from ami.trace.records import Direction, Record
from ami.wire import Decoder, Kind, Message

BANNER = b"Asterisk Call Manager"


@dataclass(frozen=True, slots=True)
class Piece:
    """A message of Asterisk's, an action, or where `message` is None the greeting or a note.

    `at` as in Record. `data`: its bytes without the empty line. `message` of an action gives its
    headers, its name is the action's.
    """

    at: float | None
    direction: Direction
    data: bytes
    message: Message | None

    def record(self) -> Record:
        """The piece as a record of its own."""
        end = b"" if self.message is None else _line_end(self.data) * 2
        return Record(self.at, self.direction, self.data + end)


def breaks_stream(note: dict[str, Any]) -> bool:
    """Whether what comes after this note does not follow what came before. That a link is up says
    nothing: it is told when the login is through, with bytes of the session before it."""
    return note.get(LINK) == "down" or GAP in note


def split_records(records: Iterable[Record]) -> Iterator[Piece]:
    """The pieces of one AMI session's records, or of several of one server in a row. What is no
    whole message is passed over. A message's time is that of the record that completed it."""
    decoder = Decoder()
    for record in records:
        if record.direction is Direction.SENT:
            yield from _split_sent(record)
            continue
        if record.direction is Direction.NOTE:
            decoder = Decoder() if breaks_stream(read_note(record)) else decoder
            yield Piece(record.at, record.direction, record.data, None)
            continue
        if record.data.startswith(BANNER):
            decoder = Decoder()
        greeted = decoder.banner is not None
        try:
            messages = decoder.feed(record.data)
        except ProtocolBroken as error:
            decoder, messages = Decoder(), list(getattr(error, "messages", ()))
        if not greeted and decoder.banner is not None:
            banner = decoder.banner.encode("utf-8", "replace") + b"\r\n"
            yield Piece(record.at, Direction.RECEIVED, banner, None)
        for message in messages:
            yield Piece(record.at, Direction.RECEIVED, message.raw, message)


def _split_sent(record: Record) -> Iterator[Piece]:
    lines = b"\r\n" if b"\r\n" in record.data else b"\n"
    for block in record.data.replace(b"\r\n", b"\n").split(b"\n\n"):
        if block := block.strip(b"\n"):
            data = block.replace(b"\n", lines)
            name = Message(Kind.EVENT, "", data).get("Action")
            yield Piece(record.at, Direction.SENT, data, Message(Kind.EVENT, name, data))


def _line_end(data: bytes) -> bytes:
    first = data.find(b"\n")
    return b"\n" if first >= 0 and data[first - 1 : first] != b"\r" else b"\r\n"
