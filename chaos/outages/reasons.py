"""Why calls ended of which the end was not seen, and why it is not known whether some rang: every
CDR of such a call must say so in words."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reason:
    """So many CDRs have this disposition, an end that was or was not seen, and these words."""

    disposition: str
    estimated: bool
    words: str | None
    count: int


def read_reasons(database: Path) -> tuple[Reason, ...]:
    """Of all CDRs, the most frequent first."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        records = [
            json.loads(record) for (record,) in connection.execute("SELECT record FROM cdrs")
        ]
    counts = Counter((r["disposition"], r["end_estimated"], r["error_message"]) for r in records)
    return tuple(Reason(*key, count) for key, count in counts.most_common())


def check_reasons(reasons: Sequence[Reason]) -> list[str]:
    """What is wrong: an unknown, or an end that is an estimate, without words."""
    return [
        f"{reason.count} CDRs ({reason.disposition}) do not say what became of their calls"
        for reason in reasons
        if not reason.words and (reason.estimated or reason.disposition == "unknown")
    ]


def describe_reasons(reasons: Sequence[Reason]) -> list[str]:
    """Lines for people: of the calls whose end was not seen."""
    return [
        f"{reason.count:5} {reason.disposition}: {reason.words}"
        for reason in reasons
        if reason.estimated or reason.disposition == "unknown"
    ]
