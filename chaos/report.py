"""A campaign's figures, as lines of a table."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from chaos.checker import recoveries, sent_ids, unanswered_at_kills, unknown_ids
from chaos.records import Evidence

COUNTED: Final = 10
"""Calls in flight with which a kill counts."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`kills` count those with enough calls in flight, `points` where they were; `repeated` are
    deliveries that came more than once; times are seconds."""

    kills: int
    uncounted: int
    cuts: int
    points: Counter[str]
    least_in_flight: int
    most_in_flight: int
    items: int
    calls: int
    duplicates: int
    lost: int
    dispositions: Counter[str]
    unanswered: int
    unsent: int
    repeated: int
    recovery_median: float
    recovery_longest: float
    seconds: float


def count_figures(evidence: Evidence, seconds: float) -> Figures:
    """`seconds`: how long the campaign took."""
    kills = [kill for kill in evidence.kills if kill.in_flight >= COUNTED]
    times = recoveries(evidence) or [0.0]
    cdrs = {cdr.cdr_id for cdr in evidence.rows.cdrs}
    ended = {i.number for i in evidence.rows.items if i.status in ("processed", "terminated")}
    originated = Counter(o.channel_id.lower() for o in evidence.wire.originates)
    sinks = (evidence.callbacks, evidence.sgapi)
    rang, tried = Counter(evidence.rang), Counter(a.number for a in evidence.rows.attempts)
    return Figures(
        kills=len(kills),
        uncounted=len(evidence.kills) - len(kills),
        cuts=len(evidence.cuts),
        points=Counter(kill.where for kill in kills),
        least_in_flight=min((kill.in_flight for kill in kills), default=0),
        most_in_flight=max((kill.in_flight for kill in kills), default=0),
        items=len(evidence.accepted),
        calls=len(evidence.wire.originates),
        duplicates=sum(n - 1 for n in originated.values()) + (rang - tried).total(),
        lost=len(set(evidence.accepted) - ended)
        + sum(len(cdrs - sink.cdr_ids.keys()) for sink in sinks),
        dispositions=Counter(cdr.disposition for cdr in evidence.rows.cdrs),
        unanswered=len(unanswered_at_kills(evidence)),
        unsent=len(unknown_ids(evidence) - sent_ids(evidence)),
        repeated=sum(n - 1 for sink in sinks for n in sink.cdr_ids.values()),
        recovery_median=times[len(times) // 2],
        recovery_longest=times[-1],
        seconds=seconds,
    )


def describe(figures: Figures) -> list[str]:
    """Lines for people."""
    dispositions = ", ".join(f"{name} {n}" for name, n in figures.dispositions.most_common())
    return [
        f"kills          {figures.kills} at {len(figures.points)} places"
        f" ({figures.uncounted} more with fewer than {COUNTED} calls in flight)",
        f"cut links      {figures.cuts}",
        f"in flight      {figures.least_in_flight} to {figures.most_in_flight} calls at a kill",
        f"items          {figures.items}",
        f"calls          {figures.calls} ({dispositions})",
        f"duplicates     {figures.duplicates}",
        f"lost           {figures.lost}",
        f"unknown        {figures.dispositions['unknown']}"
        f" ({figures.unsent} of them never left; sent and unanswered at a kill were"
        f" {figures.unanswered})",
        f"repeated       {figures.repeated} deliveries, with the same id",
        f"recovery       {figures.recovery_median:.3f} s median, "
        f"{figures.recovery_longest:.3f} s longest, from login to a new call",
        f"time           {figures.seconds:.0f} s",
    ]
