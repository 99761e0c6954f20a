"""Events as JSON: an array of them, one a line, or objects one after the other."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ami.trace.blocks import make_record
from ami.trace.moments import NEVER, bound_moment, read_moment
from ami.trace.records import Record
from ami.wire import MAX_MESSAGE

_BLOCK: Final = 256 * 1024
_BETWEEN: Final = re.compile(r"[\s,\[\]\x1e]*")
_NEXT: Final = re.compile(r"\n(?=[\[,\s]*\{)")
_KINDS: Final = ("event", "response", "action")
_INNER: Final = ("event", "headers", "data", "message", "payload", "body", "ami")
_TIMES: Final = ("timestamp", "time", "ts", "at", "@timestamp", "received_at", "date", "datetime")
_DECODER: Final = json.JSONDecoder()


def make_event(value: object, at: float | None = None) -> Record | None:
    """The record of a JSON object that is an event, response or action, or that has one in it
    beside the time when it came; None for anything else. A list of values is a repeated header."""
    if not isinstance(value, Mapping):
        return None
    names = {str(key).lower(): key for key in value}
    for inner in _INNER:
        held = value.get(names.get(inner))
        if isinstance(held, Mapping):
            return _make_wrapped(value, names, held, at)
    first = next((names[kind] for kind in _KINDS if kind in names), None)
    if first is None:
        return None
    keys = [first, *(key for key in value if key != first)]
    lines = [line for key in keys for line in _write_header(str(key), value[key])]
    block = "\r\n".join(lines).encode("utf-8", "replace")
    return make_record(block, at, b"\r\n") if lines else None


def _make_wrapped(
    outer: Mapping[Any, Any], names: dict[str, Any], held: Mapping[Any, Any], at: float | None
) -> Record | None:
    for name in _TIMES:
        moment = _moment_of(outer.get(names.get(name)))
        if moment is not None:
            at = moment
            break
    if not any(str(key).lower() in _KINDS for key in held):
        given = outer.get(names.get("name"))
        if not isinstance(given, str):
            return None
        held = {"Event": given, **held}
    return make_event(dict(held), at)


def _moment_of(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # Above 1e11 they are milliseconds. An int may be too large for a float.
        if not 0 < value < NEVER * 1000:
            return None
        return bound_moment(value / 1000 if value > 1e11 else float(value))
    return read_moment(value) if isinstance(value, str) else None


def _write_header(key: str, value: object) -> list[str]:
    if key == "content" and value in ("", None):
        return []  # panoramisk's own, for what follows a Command
    if isinstance(value, list):
        return [line for one in value for line in _write_header(key, one)]
    if isinstance(value, Mapping):
        return [f"{_tidy(key)}: {_tidy(f'{name}={one}')}" for name, one in value.items()]
    if value is None:
        value = ""
    return [f"{_tidy(key)}: {_tidy(str(value))}"]


def _tidy(text: str) -> str:
    """Without what would end a line: a JSON string may hold anything."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", " ")


def read_objects(read: Callable[[int], bytes], complain: Callable[[str], None]) -> Iterator[Record]:
    """The events of a JSON file, in its order. Objects that are none of AMI's are counted, a piece
    that is no JSON is passed over; both are told to `complain`."""
    strangers = 0
    for value in _scan(read, complain):
        record = make_event(value)
        if record is None:
            strangers += 1
        else:
            yield record
    if strangers:
        complain(f"{strangers} JSON objects that are no event, response or action")


def _scan(read: Callable[[int], bytes], complain: Callable[[str], None]) -> Iterator[object]:
    buffer, last = "", False
    pending = b""
    while not last:
        block = read(_BLOCK)
        last = not block
        # A character may be cut by the block's end: up to three bytes of it wait.
        pending += block
        whole = len(pending) if last else _whole(pending)
        buffer += pending[:whole].decode("utf-8", "replace")
        pending = pending[whole:]
        start = 0
        while True:
            start = _between(buffer, start)
            end, value, problem = _decode(buffer, start, final=last)
            if end is None:
                break
            start = end
            if problem:
                complain(problem)
            else:
                yield value
        buffer = buffer[start:]


def _between(buffer: str, start: int) -> int:
    found = _BETWEEN.match(buffer, start)
    return found.end() if found else start


def _whole(data: bytes) -> int:
    """How many bytes end with a whole character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:
            return len(data) - back
    return len(data)


def _decode(buffer: str, start: int, *, final: bool) -> tuple[int | None, object, str]:
    """The value at `start` and where it ends; no end: more is needed."""
    if start >= len(buffer):
        return None, None, ""
    try:
        value, end = _DECODER.raw_decode(buffer, start)
    except (ValueError, RecursionError):
        return _pass_over(buffer, start, final=final)
    return end, value, ""


def _pass_over(buffer: str, start: int, *, final: bool) -> tuple[int | None, object, str]:
    if not final and len(buffer) - start <= MAX_MESSAGE:
        return None, None, ""  # with what comes it may be whole
    following = _NEXT.search(buffer, start + 1)
    end = following.start() if following is not None else len(buffer)
    return end, None, f"{end - start} characters that are no JSON"
