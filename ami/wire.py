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
_CR: Final = 13
_CRLF: Final = b"\r\n"
_LF: Final = b"\n"
_BLANK: Final = b"\r\n"
# Headers are asked for by constants: a bound for whoever does it otherwise.
_MOST_SPELLINGS: Final = 512
_MESSAGE_END: Final = b"\r\n\r\n"
_OTHER_END: Final = re.compile(rb"\n\n").search
_CRLF_END: Final = re.compile(rb"\r\n(?:\r\n|\n)").search
_LF_END: Final = re.compile(rb"\n(?:\r\n|\n)").search


class Kind(Enum):
    """What a message is. OriginateResponse has both headers and is an event."""

    EVENT = "event"
    RESPONSE = "response"


_AN_EVENT: Final = Kind.EVENT  # looked up once: enums are slow at it


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
        "_greeting",
        "_line_end",
        "_max",
        "_plain",
        "_rest",
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
        # By an event's first line: its name, and what must stand in it.
        self._wanted = None if wanted is None else dict(map(_name_and_line, wanted))
        # Those of which nothing must stand in it.
        wholly = () if self._wanted is None else self._wanted.items()
        self._plain = {first: name for first, (name, line) in wholly if not line}
        self._greeting = True
        # The unfinished message; where its first line ends, -1 while that is not known; and the
        # place in it before which no end starts.
        self._rest = bytearray()
        self._line_end = -1
        self._scanned = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes.

        Raises MessageTooLong when one, finished or not, is longer than the bound; it carries the
        messages that were complete before it. The decoder is of no use after that.
        """
        messages: list[Message] = []
        used = self._complete(data, messages) if self._rest else 0
        if used < len(data):
            if not self._greeting:
                used = self._read_plain(data, used, messages)
            used = self._read(data, used, messages)
            self._rest += data[used:]
        if len(self._rest) > self._max + _LONGEST_END:
            raise MessageTooLong(self._max, tuple(messages))
        return messages

    def _complete(self, data: bytes, messages: list[Message]) -> int:
        """Completes what was begun, and no more: what comes after it is read in place. Returns how
        many bytes of `data` that took."""
        known = len(self._rest)
        self._rest += data
        used = self._read(self._rest, 0, messages, alone=True)
        if used > known:
            self._rest.clear()
            return used - known
        del self._rest[:used]
        return len(data)

    def _read_plain(self, data: bytes, start: int, messages: list[Message]) -> int:
        """As `_read`, at a third of its cost, for bytes in which all messages end as nearly all do;
        what comes after one that begins otherwise is left."""
        if _OTHER_END(data, start) or len(data) - start > self._max:
            return start
        plain = self._plain
        *whole, rest = data[start:].split(_MESSAGE_END)
        for index, raw in enumerate(whole):
            line_end = raw.find(_CRLF)
            first = raw[:line_end] if line_end >= 0 else raw
            if (name := plain.get(first)) is not None:
                messages.append(Message(_AN_EVENT, name, raw))
            elif not first or _LF in first or _CR in first:
                return start + sum(len(raw) + len(_MESSAGE_END) for raw in whole[:index])
            else:
                self._accept(raw, first, messages)
        return len(data) - len(rest)

    def _read(
        self,
        buffer: bytes | bytearray,
        start: int,
        messages: list[Message],
        *,
        alone: bool = False,
    ) -> int:
        """Appends the complete messages of `buffer` from `start` on, or the first one `alone`;
        returns where what is left begins."""
        if self._greeting and (start := self._take_banner(buffer)) < 0:
            return 0
        size, scan = len(buffer), start + self._scanned
        line_end = start + self._line_end if self._line_end >= 0 else -1
        while start < size:
            if line_end < 0:
                if buffer[start] in _BLANK:
                    start += 1
                    continue
                line_end = buffer.find(_LF, max(scan, start))
                if line_end < 0:
                    scan = size
                    break
                scan = line_end - 1
            found = (_CRLF_END if buffer[line_end - 1] == _CR else _LF_END)(buffer, scan)
            if found is None:
                # Three bytes of an end may be here already.
                scan = max(scan, size - 3)
                break
            end, following = found.span()
            block = bytes(buffer[start:end])
            self._accept(block, block[: line_end - start].rstrip(_CRLF), messages)
            start = scan = following
            line_end = -1
            if alone:
                break
        self._scanned = max(scan - start, 0)
        self._line_end = line_end - start if line_end >= 0 else -1
        return start

    def _accept(self, raw: bytes, first: bytes, messages: list[Message]) -> None:
        """Takes a message with this first line: gives it, or passes it over by its name alone."""
        if len(raw) > self._max:
            raise MessageTooLong(self._max, tuple(messages))
        if self._wanted is not None and (entry := self._wanted.get(first)) is not None:
            name, line = entry
            if line and line not in raw:
                self.passed_over += 1
            else:
                messages.append(Message(_AN_EVENT, name, raw))
        elif first.startswith(_EVENT):
            if self._wanted is None:
                messages.append(Message(Kind.EVENT, _value(first), raw))
            else:
                self.passed_over += 1
        elif first.startswith(_RESPONSE):
            messages.append(Message(Kind.RESPONSE, _value(first), raw))
        else:
            self._accept_unusual(raw, messages)

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
        entry = self._wanted.get(_EVENT + message.name.encode("utf-8", "replace"))
        return entry is not None and entry[1].lower() in message.raw.lower()

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


def _name_and_line(entry: str) -> tuple[bytes, tuple[str, bytes]]:
    name, colon, _ = entry.partition(":")
    return _EVENT + name.encode(), (name, entry.encode() if colon else b"")


def _value(first: bytes) -> str:
    return first.partition(b": ")[2].decode("utf-8", "replace")


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
