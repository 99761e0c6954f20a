"""What the witnesses of several servers saw, put together by time: calls as spans, starts in
rolling seconds, times in which nobody was told anything. Pure; times are epoch seconds.

All witnesses live on one machine: their clocks are one clock.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import pairwise
from math import inf
from typing import Final, TypeVar

from chaos.records import Told, Wire

Thing = TypeVar("Thing")

SECOND: Final = 1.0

CONNECTIONS: Final = 1_000_000
"""Connections of one witness are numbered below this."""


@dataclass(frozen=True, slots=True)
class Start:
    """An Originate, as it was on its way to `server`."""

    at: float
    server: str
    account: str
    channel_id: str
    connection: int


@dataclass(frozen=True, slots=True)
class Span:
    """A call: from its Originate to its Hangup; the latter by who saw it first, which is never
    later than the dialer. `end` inf: it is still there."""

    channel_id: str
    server: str
    account: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Peak:
    """The most at one moment, or in one rolling second; `at`: when first, or when that began."""

    most: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Blindness:
    """A time in which no dialer was told what happens on `server`."""

    server: str
    since: float
    until: float


def read_starts(wires: Mapping[str, Wire]) -> list[Start]:
    """Of all servers, by time."""
    lines = (
        [
            Start(o.at, server, o.account, o.channel_id.lower(), o.connection)
            for o in wire.originates
            if o.whole
        ]
        for server, wire in wires.items()
    )
    return list(merge(*lines, key=lambda start: start.at))


def read_spans(wires: Mapping[str, Wire], deaths: Sequence[tuple[str, float]] = ()) -> list[Span]:
    """Calls that became a channel; one that was refused held nothing. `deaths`: (server, when), an
    Asterisk was over with all its calls, of which nobody was told."""
    spans: list[Span] = []
    for server, wire in wires.items():
        began = {told.channel_id.lower() for told in wire.began}
        ends = _first(wire.ended + wire.gone)
        died = sorted(at for code, at in deaths if code == server)
        spans += [
            Span(name, server, o.account, o.at, min(ends.get(name, inf), _next(died, o.at)))
            for o in wire.originates
            if (name := o.channel_id.lower()) in began
        ]
    return spans


def _next(times: Sequence[float], since: float) -> float:
    """Of `times`, which ascend, the first after `since`; inf: none."""
    place = bisect_left(times, since)
    return times[place] if place < len(times) else inf


def find_told(wires: Mapping[str, Wire]) -> dict[str, float]:
    """When a dialer was first told that a call was up, or over: it is no unknown then."""
    return _first(told for wire in wires.values() for told in wire.answered + wire.ended)


def _first(all_told: Iterable[Told]) -> dict[str, float]:
    first: dict[str, float] = {}
    for told in all_told:
        name = told.channel_id.lower()
        first[name] = min(told.at, first.get(name, inf))
    return first


def find_peak(spans: Iterable[Span]) -> Peak:
    """The most of them at one moment. One that ends when another begins made room for it."""
    changes = [(span.begin, 1) for span in spans] + [(span.end, -1) for span in spans]
    live, peak = 0, Peak()
    for at, change in sorted(changes):
        live += change
        if live > peak.most:
            peak = Peak(live, at)
    return peak


def find_busiest_second(times: Sequence[float], second: float = SECOND) -> Peak:
    """The most of `times`, which ascend, that any window of `second` holds: it includes its
    beginning and not its end."""
    peak, first = Peak(), 0
    for last, at in enumerate(times):
        while at - times[first] >= second:
            first += 1
        if last - first + 1 > peak.most:
            peak = Peak(last - first + 1, times[first])
    return peak


def group(things: Iterable[Thing], key: Callable[[Thing], str]) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = {}
    for thing in things:
        found.setdefault(key(thing), []).append(thing)
    return found


def find_blindness(wires: Mapping[str, Wire], end: float) -> list[Blindness]:
    """Of each server the times, up to `end`, in which no dialer was logged in; and the moments in
    which one did, who knows no more than what is on disk."""
    found = []
    for server, wire in wires.items():
        found += [Blindness(server, since, until) for since, until in _gaps(wire, end)]
        found += [Blindness(server, login.at, login.at) for login in wire.logins]
    return found


def _gaps(wire: Wire, end: float) -> Iterator[tuple[float, float]]:
    """A dialer whose connection ended may log in anew before the witness reads of that."""
    over = {loss.connection: loss.at for loss in wire.losses}
    held = sorted((login.at, over.get(login.connection, inf)) for login in wire.logins)
    free_from = -inf
    for since, until in held:
        if since > free_from:
            yield free_from, since
        free_from = max(free_from, until)
    if free_from < end:
        yield free_from, end


def find_longest_silence(times: Sequence[float], since: float, until: float) -> float:
    """Seconds between `since` and `until` in which nothing was started, the longest of them."""
    within = times[bisect_left(times, since) : bisect_left(times, until)]
    edges = [since, *within, until]
    return max(later - earlier for earlier, later in pairwise(edges))


def find_flow(times: Sequence[float], since: float, rate: float) -> float | None:
    """Seconds from `since` to the first start with which a second begins that has `rate` starts;
    None: there is none."""
    for index in range(bisect_left(times, since), len(times)):
        if bisect_left(times, times[index] + SECOND) - index >= rate:
            return times[index] - since
    return None


def count_rate(times: Sequence[float], since: float, until: float) -> float:
    """Of `times`, which ascend, so many a second."""
    return (bisect_left(times, until) - bisect_left(times, since)) / (until - since)


def find_takeover(wire: Wire, at: float, until: float) -> float | None:
    """Seconds from `at`, when its worker left a server, to the first Originate there on a
    connection that was made after that, and before `until`; None: there was none."""
    later = {login.connection for login in wire.logins if at < login.at < until}
    return min((o.at - at for o in wire.originates if o.connection in later), default=None)


def count_by(things: Iterable[str]) -> str:
    """`a 3, b 1`, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in Counter(things).most_common())


def merge_wires(wires: Mapping[str, Wire], deaths: Sequence[tuple[str, float]] = ()) -> Wire:
    """One wire, as the checks of a single server have it; its connections are numbered anew."""
    renumbered = [_renumber(wire, CONNECTIONS * place) for place, wire in enumerate(wires.values())]

    def join(get: Callable[[Wire], tuple[Thing, ...]]) -> tuple[Thing, ...]:
        return tuple(thing for wire in renumbered for thing in get(wire))

    return Wire(
        originates=tuple(sorted(join(lambda wire: wire.originates), key=lambda o: o.at)),
        answered=join(lambda wire: wire.answered),
        ended=join(lambda wire: wire.ended),
        logins=join(lambda wire: wire.logins),
        most_live=find_peak(read_spans(wires, deaths)).most,
        losses=join(lambda wire: wire.losses),
        began=join(lambda wire: wire.began),
        gone=join(lambda wire: wire.gone),
    )


def _renumber(wire: Wire, offset: int) -> Wire:
    return replace(
        wire,
        originates=tuple(replace(o, connection=o.connection + offset) for o in wire.originates),
        logins=tuple(replace(login, connection=login.connection + offset) for login in wire.logins),
        losses=tuple(replace(loss, connection=loss.connection + offset) for loss in wire.losses),
    )
