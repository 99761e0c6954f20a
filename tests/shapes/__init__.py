"""The shapes of records as their APIs document them, written down by hand, and how a record is held
against one: keys, their order, types and words.

Types: `text`, `integer`, `list`, `moment` (YYYY-MM-DD HH:MM:SS, or ''), `date` and `time` (parts of
one), `span` (HH:MM:SS), `wait` (a span, or ''), `ucid` (above 2^53); a `?` behind it: or null.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

SHAPES: Final = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.json")))

_TEXTS: Final = {
    "moment": re.compile(r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?"),
    "date": re.compile(r"(?:\d{4}-\d\d-\d\d)?"),
    "time": re.compile(r"(?:\d\d:\d\d:\d\d)?"),
    "wait": re.compile(r"(?:\d\d+:[0-5]\d:[0-5]\d)?"),
    "span": re.compile(r"\d\d+:[0-5]\d:[0-5]\d"),
}
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "list": lambda value: isinstance(value, list),
    "ucid": lambda value: type(value) is int and 2**53 < value < 2**63,
}


def find_differences(record: Mapping[str, Any], shape: str) -> list[str]:
    """What of `record` is not as `shape` has it, in sentences; [] when all is."""
    wanted = read_shape(shape)
    keys = [name for name, _ in wanted["keys"]]
    if list(record) != keys:
        return [f"keys {list(record)} instead of {keys}"]
    wrong = [
        f"{name}: {record[name]!r} is no {kind}"
        for name, kind in wanted["keys"]
        if not _is(record[name], kind)
    ]
    return wrong + [
        f"{name}: {record[name]!r} is none of {words}"
        for name, words in wanted["words"].items()
        if record[name] not in words
    ]


@cache
def read_shape(shape: str) -> dict[str, Any]:
    """The shape's `keys` ([name, type] in order) and `words` (name → what may stand there)."""
    path = Path(__file__).with_name(f"{shape}.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _is(value: object, kind: str) -> bool:
    if kind.endswith("?"):
        return value is None or _is(value, kind[:-1])
    pattern = _TEXTS.get(kind)
    if pattern is None:
        return _TYPES[kind](value)
    return isinstance(value, str) and pattern.fullmatch(value) is not None
