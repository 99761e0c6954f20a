"""The figures of a campaign with several workers, as lines for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
    mended until calls flow, those until another worker's first call, and the lowest rate after it,
    of that before."""

    fault: str
    count: int
    silence: float
    flows: tuple[float, ...]
    takeovers: tuple[float, ...]
    kept: float


def count_lines(seen: Sighting) -> list[Line]:
    """Of every kind of fault that came by itself."""
    pace = read_pace(seen)
    by_fault = group(seen.rounds, lambda each: each.fault)
    return [_count_line(seen, pace, fault, rounds) for fault, rounds in by_fault.items()]


def _count_line(seen: Sighting, pace: Pace, fault: str, rounds: list[Round]) -> Line:
    flows = [pace.find_flow(each.harm.healed) for each in rounds]
    times = [seconds for each in rounds for seconds in takeovers(seen, each)]
    return Line(
        fault,
        len(rounds),
        max(find_longest_silence(pace.all, each.harm.at, each.measured[0]) for each in rounds),
        tuple(sorted(seconds for seconds in flows if seconds is not None)),
        tuple(sorted(seconds for seconds in times if seconds is not None)),
        min(pace.steady_rate(each.measured) for each in rounds) / pace.before,
    )


def describe(seen: Sighting) -> list[str]:
    """Lines for people."""
    figures = count_figures(seen.whole, seen.seconds)
    dispositions = ", ".join(f"{name} {n}" for name, n in figures.dispositions.most_common())
    return [
        *(_describe_line(line) for line in count_lines(seen)),
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


def _describe_line(line: Line) -> str:
    return (
        f"{line.fault:20} {line.count:3}  silence {line.silence:5.2f} s"
        f"  flows {_median_and_most(line.flows)}  takeover {_median_and_most(line.takeovers)}"
        f"  rate {100 * line.kept:.0f} %"
    )


def _describe_limits(seen: Sighting) -> list[str]:
    spans = group(read_spans(seen.wires), lambda span: span.account)
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


def _median_and_most(times: tuple[float, ...]) -> str:
    if not times:
        return "    -     -"
    return f"{times[len(times) // 2]:5.2f} {times[-1]:5.2f}"


def _count(names: Iterable[str]) -> str:
    counts: Mapping[str, int] = Counter(names)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
