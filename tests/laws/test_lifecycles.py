"""docs/lifecycles.md shows the tables as they are: `python -m tests.laws.test_lifecycles`."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from dialer.attempts import HOLDING, STAGES, Stage
from dialer.breaker import BREAKER_TRANSITIONS
from dialer.ownership import TENURES
from dialer.states import (
    ATTEMPT_TRANSITIONS,
    DELIVERY_TRANSITIONS,
    ITEM_TRANSITIONS,
    QUEUE_TRANSITIONS,
)

PAGE = Path(__file__).parents[2] / "docs" / "lifecycles.md"

LIFECYCLES: list[tuple[str, str, Mapping[StrEnum, set[StrEnum]]]] = [
    (
        "Queue",
        "A completed queue is reopened by a new batch, unless its client completed it.",
        QUEUE_TRANSITIONS,  # type: ignore[list-item]
    ),
    (
        "Item",
        "`call_status`. Pending is also the state between two attempts.",
        ITEM_TRANSITIONS,  # type: ignore[list-item]
    ),
    (
        "Attempt on disk",
        "Open before its Originate leaves; ended together with its CDR. Withdrawn where certainly\n"
        "nothing of it left: its row goes, its item keeps its ids for the next.",
        ATTEMPT_TRANSITIONS,  # type: ignore[list-item]
    ),
    (
        "Attempt in the worker",
        f"It holds its slot in {', '.join(stage for stage in Stage if stage in HOLDING)}. One that"
        " an earlier life left\nbegins as sent, or as withdrawing where it never left.",
        STAGES,  # type: ignore[list-item]
    ),
    (
        "Server of a worker",
        "Granted by the coordinator, given up for another worker, or lost: docs/processes.md.",
        TENURES,  # type: ignore[list-item]
    ),
    (
        "Breaker of a server",
        "Which events move it: docs/links.md.",
        BREAKER_TRANSITIONS,  # type: ignore[list-item]
    ),
    (
        "Delivery",
        "Pending until it is acknowledged or given up; dead letters can be sent again.",
        DELIVERY_TRANSITIONS,  # type: ignore[list-item]
    ),
]


def draw_lifecycles() -> str:
    parts = [
        "# Lifecycles\n\nDrawn from the tables in `dialer/states.py`, `dialer/attempts.py`,"
        " `dialer/ownership.py` and\n`dialer/breaker.py`.\n"
    ]
    for name, note, table in LIFECYCLES:
        lines = [f"## {name}\n", f"{note}\n", "```mermaid", "stateDiagram-v2"]
        for state, following in table.items():
            old = state.value.replace("-", "_")
            lines += [f"    {old} --> {new.value.replace('-', '_')}" for new in sorted(following)]
            if not following:
                lines.append(f"    {old} --> [*]")
        parts.append("\n".join([*lines, "```\n"]))
    return "\n".join(parts)


def test_the_page_shows_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == draw_lifecycles()


if __name__ == "__main__":
    PAGE.write_text(draw_lifecycles(), encoding="utf-8")
