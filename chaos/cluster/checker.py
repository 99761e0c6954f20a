"""What must be true after a campaign with several workers. Pure; each check returns what is wrong,
in sentences."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf
from statistics import median
from typing import Final, TypeAlias

from chaos.checker import (
    LATE,
    check_cdrs,
    check_items,
    check_originates,
    check_rings,
    check_sinks,
    check_slots,
    say,
    unknown_ids,
)
from chaos.cluster.census import (
    SECOND,
    Blindness,
    count_rate,
    find_blindness,
    find_busiest_second,
    find_flow,
    find_peak,
    find_takeover,
    find_told,
    group,
    read_spans,
    read_starts,
)
from chaos.cluster.records import Limit, Round, Sighting

Window: TypeAlias = tuple[float, float]
"""From when to when, epoch seconds."""

NOTICED: Final = 2.0
"""Seconds that a worker gets, from what it was told to its being on disk: longer than alone, for a
dozen processes share the machine."""

TAKEOVER: Final = 15.0
"""Seconds from a worker's death to the first call of another on its server, at most."""

REBUILD: Final = 5.0
"""Seconds from Redis' being there again to calls that flow, at most."""

FLOWS: Final = 0.8
"""Of that rate, what one second must have for calls to flow."""

REDIS: Final = "redis-"
"""How the names of faults begin that Redis suffers."""


def check(seen: Sighting) -> list[str]:
    """Everything that is wrong; empty: all promises were kept."""
    shared = (
        check_items,
        check_originates,
        check_rings,
        check_cdrs,
        check_sinks,
        check_slots,
    )
    own = (check_caps, check_unknown, check_rounds, check_rates, check_processes, check_times)
    return list(
        chain(
            chain.from_iterable(each(seen.whole) for each in shared),
            chain.from_iterable(each(seen) for each in own),
        )
    )


def check_caps(seen: Sighting) -> list[str]:
    """No client has more calls at a time, or in any rolling second, than it may, over all servers;
    nor has any server."""
    return [
        *_check_limits("client", seen, seen.clients),
        *_check_limits("server", seen, seen.servers),
    ]


def _check_limits(what: str, seen: Sighting, limits: Mapping[str, Limit]) -> list[str]:
    key = "account" if what == "client" else "server"
    spans = group(read_spans(seen.wires, seen.deaths), lambda span: str(getattr(span, key)))
    starts = group(read_starts(seen.wires), lambda start: str(getattr(start, key)))
    problems = [
        f"{what} {name}: originates that belong to none"
        for name in spans.keys() | starts.keys()
        if name not in limits
    ]
    for name, limit in limits.items():
        peak = find_peak(spans.get(name, ()))
        if peak.most > limit.channels:
            problems.append(
                f"{what} {name}: {peak.most} calls at a time, over {limit.channels}, {peak.at:.3f}"
            )
        times = [start.at for start in starts.get(name, ()) if start.at < seen.rates_until]
        busiest = find_busiest_second(times, SECOND - seen.blur)
        if busiest.most > max(1.0, limit.cps):
            problems.append(
                f"{what} {name}: {busiest.most} calls in a second, over {limit.cps:g},"
                f" {busiest.at:.3f}"
            )
    return problems


def check_unknown(seen: Sighting) -> list[str]:
    """An attempt is `unknown` only where its worker was gone, stopped or cut off while it was open,
    and had not been told before that it was up, or over. Its CDR says why."""
    problems = say("unknown without need", unexplained(seen))
    wordless = sum(not words for words in seen.reasons)
    if wordless:
        problems.append(f"{wordless} unknown whose CDRs do not say why")
    return problems


def unexplained(seen: Sighting) -> list[str]:
    told = find_told(seen.wires)
    end = max((life.ended_at for life in seen.lifetimes.values()), default=0.0)
    blind = find_blindness(seen.wires, end)
    blind += [Blindness(*times) for times in seen.frozen]
    found = []
    for name in unknown_ids(seen.whole):
        life = seen.lifetimes[name]
        known = _known_from(told.get(name), seen.away, NOTICED + seen.slack)
        for gap in blind:
            overlaps = gap.server == life.server and (
                life.opened_at <= gap.until + LATE and life.ended_at >= gap.since
            )
            if overlaps and (known is None or known > gap.since):
                break
        else:
            found.append(name)
    return found


def _known_from(
    told: float | None, away: tuple[tuple[float, float], ...], noticed: float
) -> float | None:
    """When what the dialer was told outlives it: when it is on disk."""
    if told is None:
        return None
    late = [until for since, until in away if since - noticed <= told <= until]
    return max([told, *late]) + noticed


def check_rounds(seen: Sighting) -> list[str]:
    """After each fault calls go again, in time."""
    pace = read_pace(seen)
    return [
        f"{number}. {each.fault} ({each.harm.what}): {problem}"
        for number, each in enumerate(seen.rounds, 1)
        for problem in _check_round(seen, pace, each)
    ]


def _check_round(seen: Sighting, pace: "Pace", each: Round) -> list[str]:
    problems = [] if each.flowing is not None else ["calls did not go again"]
    problems += [
        "no takeover" if seconds is None else f"takeover after {seconds:.1f} s"
        for seconds in takeovers(seen, each)
        if each.harm.takeover and (seconds is None or seconds > TAKEOVER + seen.slack)
    ]
    if each.fault.startswith(REDIS):
        rebuilt = pace.find_flow(each)
        if rebuilt is None:
            problems.append("calls never flow again")
        elif rebuilt > REBUILD + seen.slack:
            problems.append(f"calls flow after {rebuilt:.1f} s")
    return problems


def takeovers(seen: Sighting, each: Round) -> list[float | None]:
    """Of the servers that lost their worker, seconds until another one's first call; None: there
    was none before the next fault."""
    return [find_takeover(seen.wires[server], at, each.over) for server, at in each.harm.left]


@dataclass(frozen=True, slots=True)
class Pace:
    """Moments of all starts; of the starts and ends of those calls whose client is held by its
    calls a second alone, `steady` and `ends`; `first`: when rates were taken before all faults."""

    starts: list[float]
    steady: list[float]
    ends: list[float]
    first: Window

    def placed(self, windows: Iterable[Window | None]) -> float:
        """Calls of that client a second in all of `windows`; 0: there are none."""
        return _count_rates(self.steady, windows)

    def ended(self, windows: Iterable[Window | None]) -> float:
        """As many ended. They last from nothing to seconds, by chance, and this is as uneven."""
        return _count_rates(self.ends, windows)

    def find_flow(self, each: Round) -> float | None:
        """Seconds from when all was mended until calls flow as they did before it."""
        rate = count_rate(self.starts, *(each.before or self.first))
        return find_flow(self.starts, each.harm.healed, FLOWS * rate)


def _count_rates(times: Sequence[float], windows: Iterable[Window | None]) -> float:
    given = [window for window in windows if window is not None]
    seconds = sum(until - since for since, until in given)
    count = sum(count_rate(times, *window) * (window[1] - window[0]) for window in given)
    return count / seconds if given else 0.0


def read_pace(seen: Sighting) -> Pace:
    name, starts = next(iter(seen.clients)), read_starts(seen.wires)
    spans = read_spans(seen.wires, seen.deaths)
    ends = sorted(span.end for span in spans if span.account == name and span.end < inf)
    steady = [start.at for start in starts if start.account == name]
    return Pace([start.at for start in starts], steady, ends, seen.baseline)


def check_rates(seen: Sighting) -> list[str]:
    """After each kind of fault as many calls are placed as before it, in all its rounds together;
    and no fewer before them than before the first."""
    pace, problems = read_pace(seen), []
    for fault, rounds in group(seen.rounds, lambda each: each.fault).items():
        before = pace.placed(each.before for each in rounds)
        after = pace.placed(each.after for each in rounds)
        if after < seen.kept * before:
            problems.append(f"{fault}: {after:.2f} calls a second, {before:.2f} before")
    first = pace.placed([seen.baseline])
    usual = median([pace.placed([r.before]) for r in seen.rounds if r.before] or [first])
    if usual < seen.kept * first:
        problems.append(f"{usual:.2f} calls a second in peace, {first:.2f} at the beginning")
    return problems


def check_times(seen: Sighting) -> list[str]:
    """Times of each CDR are in order, whatever was done to clocks."""
    return [f"{count} CDRs {what}" for what, count in Counter(seen.disorders).items()]


def check_processes(seen: Sighting) -> list[str]:
    """None ended that nobody harmed, at the end all ended as asked, and every batch was taken."""
    badly = [f"{name} ({status})" for name, status in seen.statuses if status]
    return [
        *say("processes ended by themselves", seen.unasked),
        *say("did not end as asked", badly),
        *say("batches refused", seen.refused),
    ]
