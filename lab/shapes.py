"""Writes the tables at the end of docs/cdr-mapping.md: calls of every outcome, made on the lab, in
each API's shape.

Run from the project's folder with the lab up: `python -m lab.shapes`.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dialer.dialects import Shape, Source, View
from dialer.dialects.ozonetel import write_report_row
from dialer.dialects.pbx import write_pbx
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from tests.lab.outcomes import Told, call_all
from tests.lab.running_lab import find_lab

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "cdr-mapping.md"
MARK: Final = "<!-- Written by lab/shapes.py: everything below. -->\n"

WRITERS: Final[Mapping[str, Callable[[Source, View], dict[str, Any]]]] = {
    "`/v2/cdr`, default": write_default,
    "`/v2/cdr`, flex": write_flex,
    "Ozonetel": write_report_row,
    "PBX": write_pbx,
}

SUMMARY: Final = (
    ("`/v2/cdr`, default", ("status", "cause")),
    ("`/v2/cdr`, flex", ("status",)),
    ("Ozonetel", ("Status", "Disposition", "AgentDialStatus")),
    ("PBX", ("call_status", "call_status_info")),
)

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Records = list[tuple[str, dict[str, Any]]]
"""Outcome and record, in the order of the outcomes."""


def write_tables(told: Sequence[Told]) -> str:
    """All tables of these calls, of which those without a CDR are left out."""
    calls = [(call.outcome.name, call.cdr, call.view) for call in told]
    shown: dict[str, Records] = {
        api: [(name, write(cdr, view)) for name, cdr, view in calls if cdr and view]
        for api, write in WRITERS.items()
    }
    ours = {call.outcome.name: call.cdr.disposition for call in told if call.cdr}
    parts = [write_summary(ours, shown)]
    parts += [write_api(api, records) for api, records in shown.items()]
    return "\n".join(parts)


def write_summary(ours: Mapping[str, str], shown: Mapping[str, Records]) -> str:
    """A row for each outcome: our disposition and each API's words for it."""
    heads = ["call", "ours"]
    heads += [f"{api}: {', '.join(names)}" for api, names in SUMMARY]
    rows = []
    for place, (name, disposition) in enumerate(ours.items()):
        words = [
            ", ".join(show(shown[api][place][1][key]) for key in keys) for api, keys in SUMMARY
        ]
        rows.append([name, disposition, *words])
    return "\n".join(["### Every outcome in each API's words\n", *write_table(heads, rows), ""])


def write_api(api: str, records: Records) -> str:
    """A row for each outcome with every key whose value differs, and then those that are the same
    in all."""
    keys = list(records[0][1])
    differ = [key for key in keys if len({repr(record[key]) for _, record in records}) > 1]
    rows = [[name, *(show(record[key]) for key in differ)] for name, record in records]
    same = ", ".join(f"{key} {show(records[0][1][key])}" for key in keys if key not in differ)
    table = write_table(["call", *differ], rows)
    return "\n".join([f"### {api}\n", *table, "", f"The same in all: {same}.", ""])


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def show(value: object) -> str:
    """A value as JSON has it, in a cell: '' is an empty text; of a UUID only its end."""
    if value is None:
        return "null"
    if value == "":
        return "''"
    text = _UUID.sub(lambda found: f"…{found[0][-6:]}", str(value))
    return "`" + text.replace("|", "\\|") + "`" if "|" in text else text


async def main() -> int:
    lab = find_lab()
    if isinstance(lab, str):
        print(lab, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        told = await call_all(lab, Path(folder), [Shape.NATIVE])
    before, mark, _ = DOCUMENT.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        print(f"{DOCUMENT} has no line {MARK.strip()}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(f"{before}{mark}\n{write_tables(told)}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
