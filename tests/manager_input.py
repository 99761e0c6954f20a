"""What Asterisk hears: AMI input read as main/manager.c and main/app.c read it (Asterisk 20–23).

A model of Asterisk, not of what we write: it has the same buffer of 1025 bytes, cuts lines at LF
as C cuts strings at NUL, and answers as Asterisk answers. tests/lab/test_manager_input.py puts the
same bytes before the real one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

BUFFER: Final = 1024
"""Bytes that get_input() can hold: inbuf[1025] without its final NUL."""

MAX_LINES: Final = 128
"""AST_MAX_MANHEADERS."""

MAX_ARGUMENTS: Final = 64
"""Of one Variable header: vars[64] in man_do_variable_value()."""

TOO_LONG: Final = "Failed to parse message: line too long"
TOO_MANY: Final = "Too many lines in message or allocation failure"
NO_ACTION: Final = "Missing action in request"

_BLANKS: Final = bytes(range(33))
_SPECIAL: Final = re.compile(rb'[\\"(),\[\]]')
_PIECE: Final = re.compile(rb'[^\\"(),\[\]]+|\\.?|[^\\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heard:
    """One message, ended by its empty line. `error`: what Asterisk answers instead of running an
    action, "" where it runs one."""

    lines: tuple[bytes, ...]
    error: str = ""

    def header(self, name: str) -> bytes:
        """astman_get_header(): of the first line that begins with the name, in any case, and a
        colon; b"" where there is none."""
        wanted = name.encode().lower() + b":"
        for line in self.lines:
            if line[: len(wanted)].lower() == wanted:
                return _skip_blanks(line[len(wanted) :])
        return b""

    @property
    def action(self) -> bytes:
        """The name of the action: here alone an empty header is passed over."""
        return _find_action(self.lines)

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """Every line as a name and what a header of that name would give. A line without a colon
        is a name without a value: no header finds it."""
        cut = (line.partition(b":") for line in self.lines)
        return [(name, _skip_blanks(value)) for name, _, value in cut]

    def variables(self) -> list[tuple[bytes, bytes]]:
        """astman_get_variables(): every assignment of every Variable line, in the order written."""
        found = list[tuple[bytes, bytes]]()
        for line in self.lines:
            if line[:9].lower() == b"variable:":
                found += read_assignments(line[9:])
        return found


def hear(data: bytes) -> tuple[list[Heard], bytes]:
    """do_message(), until the bytes are used up: the messages, and what is left of an unfinished
    one (lines, and the begin of a line)."""
    messages, lines, begun = list[Heard](), list[bytes](), 0
    too_long = too_many = False
    for end, line in _read_lines(data):
        if line is None:
            too_long = True
        elif not line:
            # The mark of a line too long outlives a message that failed for its number of lines.
            messages.append(Heard(tuple(lines), _find_error(lines, too_long, too_many)))
            too_long = too_long and too_many
            lines, begun, too_many = [], end, False
        elif len(lines) < MAX_LINES:
            lines.append(line)
        else:
            too_many = True
    return messages, data[begun:]


def _find_error(lines: list[bytes], too_long: bool, too_many: bool) -> str:
    if too_many:
        return TOO_MANY
    if too_long:
        return TOO_LONG
    return "" if _find_action(lines) else NO_ACTION


def _find_action(lines: Iterable[bytes]) -> bytes:
    named = (_skip_blanks(line[7:]) for line in lines if line[:7].lower() == b"action:")
    return next(filter(None, named), b"")


def _read_lines(data: bytes) -> Iterator[tuple[int, bytes | None]]:
    """get_input(): each line, with where it ends; None for 1024 bytes without an LF, which are
    thrown away but for the last: it and what follows are read as a line of their own."""
    start = 0
    while True:
        found = data.find(b"\n", start, start + BUFFER)
        if found >= 0:
            # Only one CR goes with the LF. strlen() and strdup() end the line at a NUL.
            end = found - 1 if data[start:found].endswith(b"\r") else found
            start, line = found + 1, data[start:end].split(b"\0", 1)[0]
            yield start, line
        elif len(data) - start >= BUFFER:
            start += BUFFER - 1
            yield start, None
        else:
            return


def _skip_blanks(text: bytes) -> bytes:
    """ast_skip_blanks(): every byte below 33."""
    return text.lstrip(_BLANKS)


def read_assignments(value: bytes) -> list[tuple[bytes, bytes]]:
    """man_do_variable_value(): what one Variable header assigns. Without an equals sign or a name
    an argument assigns nothing."""
    cut = (argument.partition(b"=") for argument in _separate(_skip_blanks(value)))
    return [(name, text) for name, equals, text in cut if equals and name]


def _separate(text: bytes) -> list[bytes]:
    """__ast_app_separate_args() at commas, with remove_chars: a comma in brackets or quotes is
    text, quotes go, a backslash goes and makes the byte after it text. The 64th argument is all the
    rest as it is.

    A backslash at the very end makes C read on behind the string: ValueError.
    """
    if _SPECIAL.search(text) is None:
        return [text] if text else []
    found, current, parens, brackets, quoted = list[bytes](), b"", 0, 0, False
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece == b"\\":
            raise ValueError("a backslash at the end: Asterisk reads what lies behind it")
        if piece[:1] == b"\\":
            current += piece[1:]
        elif piece == b'"':
            quoted = not quoted
        elif piece == b"," and not (parens or brackets or quoted):
            found.append(current)
            current = b""
            if len(found) == MAX_ARGUMENTS - 1:
                return [*found, text[match.end() :]]
        else:
            parens = max(0, parens + (piece == b"(") - (piece == b")"))
            brackets = max(0, brackets + (piece == b"[") - (piece == b"]"))
            current += piece
    return [*found, current]
