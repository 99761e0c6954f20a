"""AMI bytes → messages: incremental, bounded, without I/O.

A message is lines and an empty line. Asterisk ends lines with CR LF, so a message whose first line
does is split at CR LF alone: a bare LF inside it belongs to a value ("Uniqueid length exceeds
maximum of 149\\n", main/manager.c). Such a message ends with an empty line that is CR LF or a
bare LF (`\\r\\n\\n`, github.com/asterisk/asterisk/issues/761). One whose first line ends with
LF alone is split at every LF.

Invariant: any bytes give messages or ProtocolBroken, never anything else, and the same ones
however the bytes are cut into chunks, in time linear in their number.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from ami.errors import MessageTooLong

# The longest message that an Asterisk sends is a Command's output (a few 100 kB), which no user
# of this package may ask for; events are under 10 kB. The bound is what a peer can make us hold.
MAX_MESSAGE: Final = 1024 * 1024
# What may stand between a message's last byte and the last byte of its empty line, less one.
_LONGEST_END: Final = 4

_BANNER: Final = b"Asterisk Call Manager"
_EVENT: Final = b"Event: "
_RESPONSE: Final = b"Response: "
_Search = Callable[[bytes | bytearray, int], re.Match[bytes] | None]
_CR: Final = 13
_CRLF: Final = b"\r\n"
_LF: Final = b"\n"
_BLANK: Final = b"\r\n"
# Headers are asked for by constants: a bound for whoever does it otherwise.
_MOST_SPELLINGS: Final = 512
_CRLF_END: Final = re.compile(rb"\r\n(?:\r\n|\n)").search
_LF_END: Final = re.compile(rb"\n(?:\r\n|\n)").search


class Kind(Enum):
    """What a message is. OriginateResponse has both headers and is an event."""

    EVENT = "event"
    RESPONSE = "response"


class _LineBegins(dict[str, str]):
    """How a line begins that has a header, the end of the line before it included."""

    def __init__(self, line_end: str) -> None:
        super().__init__()
        self.line_end: Final = line_end

    def __missing__(self, header: str) -> str:
        if len(self) >= _MOST_SPELLINGS:
            self.clear()
        self[header] = begin = f"{self.line_end}{header}:"
        return begin


_AFTER: Final = {_CRLF: _LineBegins("\r\n"), _LF: _LineBegins("\n")}


class Message:
    """One event or response; never changes. Only what is asked for is decoded.

    `name`: the event's name, or the word of a response (Success, Error, Goodbye, …).
    `raw`: its bytes as received, without the empty line.
    """

    __slots__ = ("_begins", "_text", "kind", "name", "raw")

    def __init__(self, kind: Kind, name: str, raw: bytes) -> None:
        self.kind: Final = kind
        self.name: Final = name
        self.raw: Final = raw
        self._text: str | None = None
        self._begins: _LineBegins

    def get(self, header: str, default: str = "", /) -> str:
        """The first value of `header`, spelled like that, else in any case; `default` where there
        is none."""
        # A busy link spends its time here: the few headers that are read of a message are looked
        # for in its text, which costs a fraction of cutting it into lines.
        text = self._text
        if text is None:
            text = self._decode()
        begins = self._begins
        line = begins[header]
        at = text.find(line)
        if at < 0:
            return self._search(header, default)
        begin = at + len(line)
        end = text.find(begins.line_end, begin)
        value = text[begin:end] if end >= 0 else text[begin:]
        return value.removeprefix(" ").rstrip("\r\n")

    def _decode(self) -> str:
        """The text, with a line end before its first line too."""
        self._begins = _AFTER[_line_end_of(self.raw)]
        text = self._text = self._begins.line_end + self.raw.decode("utf-8", "replace")
        return text

    def _search(self, header: str, default: str) -> str:
        """The header in another spelling; as nearly always, it is not there at all."""
        wanted = header.lower()
        if self._text is not None and f"\n{wanted}:" not in self._text.lower():
            return default
        return next((value for key, value in _pairs(self.raw) if key.lower() == wanted), default)

    def all(self, header: str) -> tuple[str, ...]:
        """Every value of `header` (any case), in the order received."""
        wanted = header.lower()
        return tuple(value for key, value in _pairs(self.raw) if key.lower() == wanted)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every header with its value, spelled and ordered as received."""
        return tuple(_pairs(self.raw))

    @property
    def action_id(self) -> str:
        """The ActionID, or ''."""
        return self.get("ActionID")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        # Headers carry phone numbers: a log line gets the name only.
        return f"<Message {self.kind.value} {self.name} of {len(self.raw)} bytes>"


def parse_message(raw: bytes) -> Message | None:
    """A whole message from its bytes (without the empty line), or None where they are none:
    no `Event` and no `Response` header."""
    names = {key.lower(): value for key, value in reversed(_pairs(raw))}
    if (name := names.get("event")) is not None:
        return Message(Kind.EVENT, name, raw)
    if (name := names.get("response")) is not None:
        return Message(Kind.RESPONSE, name, raw)
    return None


class Decoder:
    """Takes a connection's bytes in any pieces and gives its messages in order.

    `wanted`: names of the events to give; others are passed over unparsed (None: give all). An
    entry `NAME: VALUE` wants those events NAME alone in which these very bytes stand.
    Responses are always given. `banner`: the greeting line once seen, else None. `passed_over`
    and `strays` count the events that were not wanted and the blocks that were no message.
    """

    __slots__ = (
        "_buffer",
        "_find_end",
        "_greeting",
        "_max",
        "_scanned",
        "_wanted",
        "banner",
        "passed_over",
        "strays",
    )

    def __init__(
        self, max_message: int = MAX_MESSAGE, wanted: frozenset[str] | None = None
    ) -> None:
        self.banner: str | None = None
        self.passed_over = 0
        self.strays = 0
        self._max = max_message
        # By an event's name: what must stand in it.
        self._wanted = None if wanted is None else dict(map(_name_and_line, wanted))
        self._buffer = bytearray()
        self._greeting = True
        # Of the unfinished message: how to find its end, once its line ends are known, and the
        # place before which no end starts.
        self._find_end: _Search | None = None
        self._scanned = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes.

        Raises MessageTooLong when one, finished or not, is longer than the bound; it carries the
        messages that were complete before it. The decoder is of no use after that.
        """
        messages: list[Message] = []
        # Bytes that begin with a message are read in place; only a rest is ever copied.
        buffer: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            buffer = self._buffer
        used = self._read(buffer, messages)
        if buffer is self._buffer:
            del self._buffer[:used]
        else:
            self._buffer += data[used:]
        if len(self._buffer) > self._max + _LONGEST_END:
            raise MessageTooLong(self._max, tuple(messages))
        return messages

    def _read(self, buffer: bytes | bytearray, messages: list[Message]) -> int:
        """Appends the complete messages of `buffer`; returns how many bytes they took."""
        start = self._take_banner(buffer) if self._greeting else 0
        if start < 0:
            return 0
        size, scan, find_end = len(buffer), start + self._scanned, self._find_end
        while start < size:
            if buffer[start] in _BLANK:
                start += 1
                continue
            if find_end is None:
                line_end = buffer.find(b"\n", max(scan, start))
                if line_end < 0:
                    scan = size
                    break
                scan = line_end - 1
                find_end = _CRLF_END if buffer[scan] == _CR else _LF_END
            found = find_end(buffer, scan)
            if found is None:
                # Three bytes of an end may be here already.
                scan = max(scan, size - 3)
                break
            self._accept(buffer, start, found.start(), messages)
            start = scan = found.end()
            find_end = None
        self._scanned, self._find_end = max(scan - start, 0), find_end
        return start

    def _accept(
        self, buffer: bytes | bytearray, start: int, end: int, messages: list[Message]
    ) -> None:
        """Takes the message at [start, end): gives it, or passes it over by its name alone."""
        if end - start > self._max:
            raise MessageTooLong(self._max, tuple(messages))
        if buffer.startswith(_EVENT, start):
            name = _rest_of_line(buffer, start + len(_EVENT), end)
            line = b"" if self._wanted is None else self._wanted.get(name)
            if line == b"" or (line is not None and buffer.find(line, start, end) >= 0):
                raw = bytes(buffer[start:end])
                messages.append(Message(Kind.EVENT, name.decode("utf-8", "replace"), raw))
            else:
                self.passed_over += 1
        elif buffer.startswith(_RESPONSE, start):
            name = _rest_of_line(buffer, start + len(_RESPONSE), end)
            raw = bytes(buffer[start:end])
            messages.append(Message(Kind.RESPONSE, name.decode("utf-8", "replace"), raw))
        else:
            self._accept_unusual(bytes(buffer[start:end]), messages)

    def _accept_unusual(self, raw: bytes, messages: list[Message]) -> None:
        """A message whose first line is not `Event: ` or `Response: ` letter by letter."""
        message = parse_message(raw)
        if message is None:
            self.strays += 1
        elif self._wants(message):
            messages.append(message)
        else:
            self.passed_over += 1

    def _wants(self, message: Message) -> bool:
        if message.kind is Kind.RESPONSE or self._wanted is None:
            return True
        line = self._wanted.get(message.name.encode("utf-8", "replace"))
        return line is not None and line.lower() in message.raw.lower()

    def _take_banner(self, buffer: bytes | bytearray) -> int:
        """Where the messages begin, or -1 while that cannot be told."""
        head = bytes(buffer[: len(_BANNER)])
        if head != _BANNER:
            if _BANNER.startswith(head):
                return -1
            self._greeting = False
            return 0
        line_end = buffer.find(b"\n", self._scanned)
        if line_end < 0:
            self._scanned = len(buffer)
            return -1
        if line_end > self._max:
            raise MessageTooLong(self._max)
        self._greeting = False
        self._scanned = 0
        self.banner = bytes(buffer[:line_end]).decode("utf-8", "replace").strip()
        return line_end + 1


def _name_and_line(entry: str) -> tuple[bytes, bytes]:
    name, colon, _ = entry.partition(":")
    return name.encode(), entry.encode() if colon else b""


def _rest_of_line(buffer: bytes | bytearray, start: int, end: int) -> bytes:
    line_end = buffer.find(b"\n", start, end)
    line = bytes(buffer[start : end if line_end < 0 else line_end])
    return line[:-1] if line.endswith(b"\r") else line


def _line_end_of(raw: bytes) -> bytes:
    """The one at the end of the first line; where there is none, it does not matter."""
    at = raw.find(_LF)
    return _CRLF if at > 0 and raw[at - 1] == _CR else _LF


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "replace").split(_line_end_of(raw).decode())


def _trim(value: str) -> str:
    """A value without the one blank after its colon, and without a stray half of a line end."""
    return value.removeprefix(" ").rstrip("\r\n")


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    """The headers of a message: a line without a colon is none."""
    cut = (line.partition(":") for line in _lines(raw))
    return [(key, _trim(value)) for key, colon, value in cut if colon]
