"""The figures of a campaign with several workers, as lines for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Final

from chaos.checker import unknown_ids
from chaos.cluster.census import (
    find_busiest_second,
    find_longest_silence,
    find_peak,
    group,
    read_spans,
    read_starts,
)
from chaos.cluster.checker import Pace, read_pace, takeovers
from chaos.cluster.records import Round, Sighting
from chaos.report import count_figures


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of fault: how often, the longest time without any call, seconds from when all was
    mended until calls flow, those until another worker's first call, and the calls a second,
    placed and ended, before it and after it."""

    fault: str
    count: int
    silence: float
    flows: tuple[float, ...]
    takeovers: tuple[float, ...]
    before: float
    after: float
    ended_before: float
    ended_after: float

    @property
    def kept(self) -> float:
        """Of the rate; nan where it was not measured."""
        return self.after / self.before if self.before else nan


def count_lines(seen: Sighting) -> list[Line]:
    """Of every kind of fault that came by itself."""
    pace = read_pace(seen)
    by_fault = group(seen.rounds, lambda each: each.fault)
    return [_count_line(seen, pace, fault, rounds) for fault, rounds in by_fault.items()]


def _count_line(seen: Sighting, pace: Pace, fault: str, rounds: list[Round]) -> Line:
    flows = [pace.find_flow(each) for each in rounds]
    times = [seconds for each in rounds for seconds in takeovers(seen, each)]
    return Line(
        fault,
        len(rounds),
        max(
            find_longest_silence(pace.starts, each.harm.at, each.flowing or each.over)
            for each in rounds
        ),
        tuple(sorted(seconds for seconds in flows if seconds is not None)),
        tuple(sorted(seconds for seconds in times if seconds is not None)),
        pace.placed(each.before for each in rounds),
        pace.placed(each.after for each in rounds),
        pace.ended(each.before for each in rounds),
        pace.ended(each.after for each in rounds),
    )


def describe(seen: Sighting) -> list[str]:
    """Lines for people."""
    figures = count_figures(seen.whole, seen.seconds)
    dispositions = ", ".join(f"{name} {n}" for name, n in figures.dispositions.most_common())
    return [
        *(HEAD if seen.rounds else ()),
        *(_describe_line(line) for line in sorted(count_lines(seen), key=lambda line: line.fault)),
        *_describe_limits(seen),
        f"faults         {len(seen.rounds)} one by one, {len(seen.storm)} at once"
        f" ({_count(name for name, _ in seen.storm)})",
        f"items          {figures.items}",
        f"calls          {figures.calls} ({dispositions})",
        f"duplicates     {figures.duplicates}",
        f"lost           {figures.lost}",
        f"unknown        {len(unknown_ids(seen.whole))}, {figures.unsent} of them never left"
        f" ({_count(seen.reasons)})",
        f"repeated       {figures.repeated} deliveries, with the same id",
        f"false starts   {seen.false_starts}",
        f"time           {seen.seconds:.0f} s",
    ]


HEAD: Final = (
    "| fault | rounds | silence | flow | takeover | before | after | kept | ended |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)


def _describe_line(line: Line) -> str:
    rates = "- | - | - | -"
    if line.before:
        ended = f"{line.ended_before:.2f}, {line.ended_after:.2f}"
        rates = f"{line.before:.2f} | {line.after:.2f} | {100 * line.kept:.0f} % | {ended}"
    return (
        f"| `{line.fault}` | {line.count} | {line.silence:.1f} s | {_span(line.flows)}"
        f" | {_span(line.takeovers)} | {rates} |"
    )


def _describe_limits(seen: Sighting) -> list[str]:
    spans = group(read_spans(seen.wires, seen.deaths), lambda span: span.account)
    starts = group(
        (start for start in read_starts(seen.wires) if start.at < seen.rates_until),
        lambda start: start.account,
    )
    lines = []
    for name, limit in seen.clients.items():
        busiest = find_busiest_second([start.at for start in starts.get(name, ())])
        lines.append(
            f"{name:14} {find_peak(spans.get(name, ())).most} calls at a time of {limit.channels},"
            f" {busiest.most} in a second of {limit.cps:g}"
        )
    return lines


def _span(times: tuple[float, ...]) -> str:
    """The shortest and the longest."""
    if not times:
        return "-"
    least, most = f"{times[0]:.1f}", f"{times[-1]:.1f}"
    return f"{most} s" if least == most else f"{least} to {most} s"


def _count(names: Iterable[str]) -> str:
    counts: Mapping[str, int] = Counter(names)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
