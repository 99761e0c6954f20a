"""The golden traces, in tests: tests/traces/README.md."""

import json
from pathlib import Path
from typing import Any

from ami.trace import Record, open_trace
from dialer.replay.cdrs import write_cdr
from dialer.replay.follower import Follower, TracedCall

TRACES = Path(__file__).parents[3] / "traces"
NAMES = tuple(sorted(path.stem for path in TRACES.glob("*.trace")))


def read_records(name: str) -> list[Record]:
    trace = open_trace(TRACES / f"{name}.trace")
    records = list(trace)
    assert trace.problems == []
    return records


def read_expectations(name: str) -> list[dict[str, Any]]:
    text = (TRACES / f"{name}.expect.json").read_text("utf-8")
    expected: list[dict[str, Any]] = json.loads(text)
    return expected


def follow_records(records: list[Record]) -> list[TracedCall]:
    follower = Follower()
    calls = [call for record in records for call in follower.feed(record)]
    return calls + list(follower.finish())


def write_cdrs(records: list[Record]) -> list[dict[str, Any]]:
    """The CDRs of all calls, in the order in which they ended."""
    return [write_cdr(call) for call in follow_records(records)]
