"""Files → AMI sessions to be followed: the files of one recorder in a row, all others alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ami.trace import Direction, Record, Trace, open_trace, read_note


@dataclass(frozen=True, slots=True)
class TracedSession:
    """What one server was recorded saying: its files in the order in which they were written."""

    traces: tuple[Trace, ...]
    firsts: tuple[Record | None, ...]
    rests: tuple[Iterator[Record], ...]

    def __iter__(self) -> Iterator[Record]:
        for first, rest in zip(self.firsts, self.rests, strict=True):
            yield from chain([first] if first is not None else [], rest)

    @property
    def problems(self) -> list[str]:
        """What could not be read, complete after the last record."""
        several = len(self.traces) > 1
        return [
            f"{trace.name}: {problem}" if several else problem
            for trace in self.traces
            for problem in trace.problems
        ]


def open_sessions(paths: Iterable[Path]) -> list[TracedSession]:
    """The sessions of these files. Files that this product recorded of one server are one session,
    by their times; every other file is one of its own. Raises TraceError."""
    recorded: dict[str, list[tuple[float, Trace, Record, Iterator[Record]]]] = {}
    sessions: list[TracedSession] = []
    for path in paths:
        trace = open_trace(path)
        records = iter(trace)
        first = next(records, None)
        server = _server_of(trace, first)
        if server is None or first is None or first.at is None:
            sessions.append(TracedSession((trace,), (first,), (records,)))
        else:
            recorded.setdefault(server, []).append((first.at, trace, first, records))
    for server in recorded:
        parts = sorted(recorded[server], key=lambda part: part[0])
        _, traces, firsts, rests = zip(*parts, strict=True)
        sessions.append(TracedSession(traces, firsts, rests))
    return sessions


def _server_of(trace: Trace, first: Record | None) -> str | None:
    if trace.format != "trace" or first is None or first.direction is not Direction.NOTE:
        return None
    server = read_note(first).get("server")
    return server if isinstance(server, str) else None
