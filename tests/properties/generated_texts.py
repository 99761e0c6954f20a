"""Texts for the headers of generated actions: hostile to look at, and sendable or not by what they
are made of."""

from random import Random
from typing import Final

SENDABLE: Final[tuple[str, ...]] = (
    *("a", "Zoë", "5551234", "x" * 12, "=", ":", ": ", ";", "&", "|", "<", ">", "'", "`", "%", "#"),
    *(" ", "  ", "/", "//", "..", "@", "*", "?", "!", "~", "+", "-", "_", ".", "0", "n"),
    *("Action: Logoff", "ActionID: 1", "Variable: A=1", "%0d%0a", "&#10;"),
    *("SHELL(id)", "EVAL", "FILE(/etc/passwd)", "{}", "[]", "(", ")", "[", "]", "{", "}"),
    *("€", "😀", "e\u0301", "\u00a0", "\u00ad", "\u061c", "\u200b", "\u200f", "\u2027", "\u202a"),
    *("\u202e", "\u3000", "\ufeff", "\ufffd", "\ue000", "\U0010ffff"),
)
"""Without commas, quotes and backslashes, which Asterisk eats, and without `$` and `^`, which may
begin what it evaluates."""

EATEN: Final[tuple[str, ...]] = (
    *("\\r\\n", "\\n\\nAction: Ping", "\\x00", "(,)", "[,]", "'a,b'"),
    *('"', "\\", ",", '""', "\\\\", ",,", '","', '\\"', "\\,", ',"', '",'),
)
DOLLARS: Final = ("$", "^", "$$", "$5", "^A", "$(", "$a{", "^[", "$ {", "$.[", "^ {")
"""What looks like the begin of an evaluation and is none."""

CONTROLS: Final = (
    *(chr(code) for code in range(32)),
    *(chr(code) for code in range(0x7F, 0xA0)),
    *("\u2028", "\u2029", "\r\n", "\n\n", "\r\n\r\n", "\r\r\n", "\n\r"),
    *("\r\nAction: Command\r\nCommand: core stop now\r\n\r\n", "\nVariable: FILE(/x)=y"),
    *("\r\nAsync: false", "\0\r\n", "\n\nAction: Logoff\n\n", "\r\n: ", "\r\n \r\n"),
)
SURROGATES: Final = ("\ud800", "\udbff", "\udc00", "\udfff", "\udcff", "\udc0a", "\udc0d\udc0a")
MARKS: Final = (
    *("${SHELL(id)}", "$[1+1]", "^{A}", "${", "$[", "^{", "$${", "^^{", "$^{", '$"{', "$\\{"),
    *('$\\"\\"{', '^"{', "^\\{", '$"[', "$\\\\["),
)


def make_text(random: Random, eaten: bool = True) -> str:
    """Sendable, up to some 100 bytes, not empty; it begins with no blank. `eaten`: perhaps with
    commas, quotes and backslashes."""
    kind = random.random()
    pieces = SENDABLE
    if kind < 0.5 and eaten:
        pieces += EATEN * 3
    text = "".join(random.choices(pieces, k=random.randint(1, 8)))
    if kind > 0.8:
        # No piece behind a `$` or `^` here, so that none completes a mark.
        text = text.replace("{", "").replace("[", "") + random.choice(DOLLARS)
    return text.lstrip(" ") or "x"


def fill(random: Random, size: int, eaten: bool = False) -> str:
    """Sendable, of exactly `size` bytes, most of them in characters of more than one."""
    letter = random.choice(("x", "é", "€", "😀", "\u200b", "\U0010ffff"))
    start = make_text(random, eaten)
    if len(start.encode()) > size or start[-1] in "$^\\":
        start = ""
    missing = size - len(start.encode())
    count, rest = divmod(missing, len(letter.encode()))
    return start + letter * count + "x" * rest


def cut(text: str, size: int) -> str:
    """The text's beginning, of at most `size` bytes in whole characters."""
    return text.encode()[:size].decode(errors="ignore")


def put(random: Random, text: str, piece: str) -> str:
    """The text with the piece somewhere in it."""
    place = random.choice((0, len(text), random.randint(0, len(text))))
    return text[:place] + piece + text[place:]
