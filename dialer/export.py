"""CDRs as lines of a file: CSV for spreadsheets, NDJSON for programs. Pure.

Both have every field of the CDR (`dialer.cdr.Cdr`) under its name, and before them what is known
beside it: `id` (the row's), `queue_name`, `quick`, `app`, `source`, `extension`. Each time stands
twice: as epoch seconds, and under `…_iso` as ISO 8601 by the clock of the zone that was asked for.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from ami import LegB
from dialer.cdr import Cdr
from dialer.dialects.parties import find_extension
from dialer.histories import CdrRow, name_app, name_source

TIMES: Final = ("next_attempt_at", "started_at", "ringing_at", "answered_at", "ended_at")
_BESIDE: Final = ("id", "queue_name", "quick", "app", "source", "extension")
_CDR: Final = tuple(f.name for f in fields(Cdr))
_LEG_B: Final = tuple(f"leg_b_{f.name}" for f in fields(LegB))

# Spreadsheets take a cell that begins like this for a formula, and run it. Full-width signs are
# as good as these in some of them.
_SIGNS: Final = "=+\\-@＝＋－＠"
_BEGIN: Final = f"(?:\\s*[{_SIGNS}]|[\t\r\n])"
# One that splits cells at another separator than ours would begin a new one in the middle of this.
_SPLIT: Final = f"([;,|\t\r\n][\\s\"']*)(?=[{_SIGNS}])"
_FORMULA, _INNER = re.compile(_BEGIN), re.compile(_SPLIT)
_RISK: Final = re.compile(f"^{_BEGIN}|{_SPLIT}")  # either: nearly no text has one
_PHONE: Final = re.compile(r"\+[0-9]{1,20}")  # nothing that could be reckoned, and left as it is


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


def write_lines(form: Format, zone: ZoneInfo) -> Callable[[Iterable[CdrRow]], bytes]:
    """What makes lines of some rows: called again and again, it makes one file of all of them. What
    it makes of no rows at first is how an empty file of that format begins."""
    if form is Format.NDJSON:
        return lambda rows: b"".join(to_json(record_of(row, zone)) + b"\n" for row in rows)
    head = [COLUMNS]

    def write(rows: Iterable[CdrRow]) -> bytes:
        text = io.StringIO()
        lines = csv.writer(text)
        while head:
            lines.writerow(head.pop())
        for row in rows:
            lines.writerow(_cells(record_of(row, zone)))
        return text.getvalue().encode()

    return write


def record_of(row: CdrRow, zone: ZoneInfo) -> dict[str, Any]:
    """A row as native JSON has it."""
    cdr = row.cdr
    beside = (
        row.id,
        row.queue_name,
        row.quick,
        name_app(row.quick, cdr.application).value,
        name_source(cdr.caller_id),
        find_extension(cdr) or None,
    )
    record: dict[str, Any] = dict(zip(_BESIDE, beside, strict=True))
    for name in _CDR:
        value = getattr(cdr, name)
        record[name] = asdict(value) if isinstance(value, LegB) else value
        if name in TIMES:
            record[f"{name}_iso"] = None if value is None else format_time(value, zone)
    return record


def format_time(at: float, zone: ZoneInfo) -> str:
    """`2025-06-15T18:06:40.250+03:00`."""
    return datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds")


def guard(text: str) -> str:
    """A text that no spreadsheet takes for a formula: with an apostrophe before it where it would
    be one, and before what would be one in the middle. A phone number like `+4930123456` stays."""
    if _RISK.search(text) is None or _PHONE.fullmatch(text):
        return text
    text = _INNER.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def _columns() -> Iterator[str]:
    yield from _BESIDE
    for name in _CDR:
        if name == "leg_b":
            yield from _LEG_B
            continue
        yield name
        if name in TIMES:
            yield f"{name}_iso"


COLUMNS: Final = tuple(_columns())
"""The header line of CSV: as NDJSON's keys, with the second leg's fields as `leg_b_…`."""


def _cells(record: dict[str, Any]) -> list[str]:
    leg_b = record.pop("leg_b") or {}
    flat = record | {f"leg_b_{name}": value for name, value in leg_b.items()}
    return list(map(_cell, map(flat.get, COLUMNS)))


def _cell(value: object) -> str:
    if isinstance(value, str):
        return guard(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else guard(to_json(value).decode())
