"""How Asterisk 22 takes a dial string, Dial's arguments and a caller ID apart: ported from its C,
and from nothing of the product's."""

from collections.abc import Iterator
from dataclasses import dataclass

WITH_ARGUMENT = frozenset("AbBDfFGLmMnoOPQrsSuU")
RUNS_DIALPLAN = frozenset("bBFGMU")


@dataclass(frozen=True, slots=True)
class Called:
    """What a dial string reaches. `endpoints`: every peer, endpoint or AOR that is asked for;
    `number`: what is dialed there, the device's own name where it is called without a
    number, "" where a name that is no device's is all there is; `context`: a Local channel's."""

    tech: str
    number: str
    endpoints: tuple[str, ...] = ()
    context: str | None = None


def read_dial_string(text: str) -> Called:
    """channel.c, ast_request; then the technology's own request function."""
    tech, _, resource = text.partition("/")
    tech = tech.upper()
    if tech == "LOCAL":  # core_local.c, local_alloc
        place = resource.rpartition("/")[0] if "/" in resource else resource
        exten, at, context = place.partition("@")
        return Called(tech, exten, context=context if at else "default")
    if tech == "PJSIP":  # chan_pjsip.c, request
        first, _, aor = resource.partition("/")
        user, at, endpoint = first.partition("@")
        asked = (endpoint if at else first, *((aor,) if aor else ()))
        return Called(tech, user if at else aor or first, asked)
    if tech == "IAX2":  # chan_iax2.c, parse_dial_string
        peer, _, exten = resource.partition("/")
        device = "" if "@" in peer else peer
        return Called(tech, exten.partition("@")[0] or device, (peer.rpartition("@")[2],))
    # chan_sip.c, sip_request_call: exten@peer or peer/exten
    first, slash, exten = resource.partition("/")
    user, at, host = first.rpartition("@")
    return Called(tech, exten if slash else user if at else host, (host,))


def split_arguments(text: str) -> list[str]:
    """app.c, __ast_app_separate_args with quotes and backslashes removed."""
    found, clean, paren, bracket, quoted = [], "", 0, 0, False
    letters = iter(text)
    for char in letters:
        if char == "\\":
            clean += next(letters, "")
            continue
        if char == '"':
            quoted = not quoted
            continue
        paren = max(0, paren + (char == "(") - (char == ")"))
        bracket = max(0, bracket + (char == "[") - (char == "]"))
        if char == "," and not (paren or bracket or quoted):
            found.append(clean)
            clean = ""
        else:
            clean += char
    return [*found, clean]


def read_options(text: str) -> Iterator[tuple[str, str | None]]:
    """app.c, ast_app_parse_options64: each letter with its argument, None without one. Of a letter
    only seven bits of each byte count."""
    data = text.encode()
    place = 0
    while place < len(data):
        letter = chr(data[place] & 0x7F)
        place += 1
        if data[place : place + 1] != b"(":
            yield letter, None
            continue
        depth, start = 1, place + 1
        place = start
        while place < len(data) and depth:
            depth += (data[place] == ord("(")) - (data[place] == ord(")"))
            place += 1
        yield letter, data[start : place - (not depth)].decode(errors="replace")


def find_context(letter: str, argument: str | None) -> str | None:
    """Where an option of Dial's makes dialplan run; None where it does not. "" is wherever the
    channel happens to be."""
    if letter not in RUNS_DIALPLAN or argument is None:
        return "" if letter == "F" else None
    head = argument.partition("(")[0]
    if letter in "UM":
        return ("macro-" if letter == "M" else "") + head.partition("^")[0]
    parts = head.split("^")
    return parts[0] if len(parts) == 3 else ""


def read_caller_number(text: str) -> str | None:
    """callerid.c, ast_callerid_parse and ast_shrink_phone_number."""
    opening = text.rfind("<")
    if opening >= 0:
        number = text[opening + 1 :].rpartition(">")[0] or text[opening + 1 :].rstrip(">")
        return _shrink(number) or None
    shrunk = _shrink(text)
    return shrunk if shrunk and set(shrunk) <= set("0123456789*#+") else None


def _shrink(text: str) -> str:
    end = "." if text.endswith(".") else ""
    return "".join(char for char in text if char not in "( ).-") + end
