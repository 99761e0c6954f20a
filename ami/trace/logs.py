"""Logs of programs that speak AMI: each line with a prefix (time, level, module), then a header of
a message, or an event as JSON."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ami.trace.blocks import Blocks
from ami.trace.moments import read_moment
from ami.trace.objects import make_event
from ami.trace.records import Record

MAX_LINE: Final = 1024 * 1024
_BLOCK: Final = 256 * 1024
_HEADER: Final = re.compile(r"(?<![\w-])(Event|Response|Action): ?[\w-]+\s*$")
_WORD: Final = re.compile(r"(\w+|\s+)")
_DECODER: Final = json.JSONDecoder()


def read_lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines without their ends; one above `MAX_LINE` is cut to pieces."""
    rest = b""
    while block := read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(rest) > MAX_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest.removesuffix(b"\r")


def find_prefix(lines: Iterable[str]) -> re.Pattern[str] | None:
    """What stands before the header on each line, as a pattern made from the first line that ends
    with a message's first header; None: there is no such line."""
    for line in lines:
        found = _HEADER.search(line)
        if found is not None and found.start() > 0:
            return _generalize(line[: found.start()])
    return None


def _generalize(prefix: str) -> re.Pattern[str]:
    """Words and blanks of any length, all else letter by letter; blanks at the end may lack."""
    parts = []
    ends = r"(?:\s+|$)" if prefix[-1:].isspace() or prefix[-1:].isalnum() else r"\s*"
    for part in _WORD.split(prefix.rstrip()):
        if not part:
            continue
        kind = r"\s+" if part.isspace() else r"\w+" if _WORD.fullmatch(part) else re.escape(part)
        parts.append(kind)
    return re.compile("".join(parts) + ends)


def read_prefixed(
    read: Callable[[int], bytes], complain: Callable[[str], None], prefix: re.Pattern[str]
) -> Iterator[Record]:
    """The messages of a log whose lines are a prefix and a header. Other lines are passed over."""
    blocks, others = Blocks(), 0
    for line in read_lines(read):
        text = line.decode("utf-8", "surrogateescape")
        found = prefix.match(text)
        if found is None:
            others += 1
            continue
        at = read_moment(found[0])
        yield from blocks.add(text[found.end() :].encode("utf-8", "surrogateescape"), at)
    yield from blocks.end()
    if others + blocks.lost:
        complain(f"{others + blocks.lost} lines of a log that belong to no message")


def has_json_event(line: str) -> bool:
    """Whether an event as JSON stands in the line."""
    return _event_in(line) is not None


def read_json_log(
    read: Callable[[int], bytes], complain: Callable[[str], None]
) -> Iterator[Record]:
    """The messages of a log with a JSON event in its lines, or pretty-printed over several."""
    others = 0
    pretty: list[str] = []
    for line in read_lines(read):
        text = line.decode("utf-8", "replace")
        if pretty or text.rstrip() == "{":
            pretty.append(text)
            if text.rstrip() not in ("}", "},") and sum(map(len, pretty)) <= MAX_LINE:
                continue
            record = _event_in(" ".join(pretty))
            pretty = []
        else:
            record = _event_in(text)
        if record is not None:
            yield record
        elif text.strip():
            others += 1
    if others:
        complain(f"{others} lines of a log that hold no event")


def _event_in(text: str) -> Record | None:
    begin = text.find("{")
    while begin >= 0:
        try:
            value, _ = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            begin = text.find("{", begin + 1) if begin < 400 else -1
            continue
        return make_event(value, read_moment(text[:begin]))
    return None
