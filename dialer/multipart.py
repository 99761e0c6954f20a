"""Forms as `multipart/form-data` (RFC 7578), which PHP's curl sends for an array of fields. Pure.

The boundary is taken from the body's first line: a Content-Type set by hand does not name it.
"""

import re
from typing import Any, Final

from dialer.php_query import MOST_PARAMETERS, BadParameters, nest_pairs

LONGEST_HEAD: Final = 2048
"""Bytes of a part's header lines; their pattern may look at each of them for each."""

_FIRST: Final = re.compile(rb"--([^\x00-\x1f\x7f-\xff]{1,70})\r\n")
_LINE: Final = re.compile(rb"content-disposition[ \t]*:[ \t]*form-data[ \t]*;(.*)", re.IGNORECASE)
_NAME: Final = re.compile(rb"(?:^|[; \t])(file)?name=(?:\"((?:[^\"\\]|\\.)*)\"|([^\"; \t]+))", re.I)


def is_multipart(body: bytes) -> bool:
    """Whether a body begins as such a form does. No urlencoded form and no JSON does."""
    return _FIRST.match(body) is not None


def parse_multipart(body: bytes) -> dict[str, Any]:
    """The fields, nested as `parse_form` nests them; files are passed over, as PHP has them apart.
    Raises `BadParameters`, also for a form that was cut off."""
    first = _FIRST.match(body)
    if first is None:
        raise BadParameters("no boundary")
    _, *parts, rest = (b"\r\n" + body).split(b"\r\n--" + first[1])
    if not rest.startswith(b"--"):
        raise BadParameters("no end")
    if len(parts) > MOST_PARAMETERS:
        raise BadParameters("too many parameters")
    fields = [field for part in parts if (field := _read_part(part)) is not None]
    return nest_pairs(fields)


def _read_part(part: bytes) -> tuple[str, str] | None:
    """Name and value; None of a file."""
    head, blank, value = part.partition(b"\r\n\r\n")
    if len(head) > LONGEST_HEAD:
        raise BadParameters("a name that is too long")
    lines = [found for line in head.split(b"\r\n") if (found := _LINE.fullmatch(line))]
    if not head.startswith(b"\r\n") or not blank or len(lines) != 1:
        raise BadParameters("a part that is no field")
    words = {bool(found[1]): found[2] or found[3] or b"" for found in _NAME.finditer(lines[0][1])}
    if True in words:
        return None
    if not words.get(False):
        raise BadParameters("a field without a name")
    try:
        return re.sub(r"\\(.)", r"\1", words[False].decode()), value.decode()
    except UnicodeDecodeError:
        raise BadParameters("not UTF-8") from None
