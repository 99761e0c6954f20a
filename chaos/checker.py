"""What must be true after a campaign, whatever was done to the dialer. Pure functions over what the
witnesses saw and what is on disk; each returns what is wrong, in sentences."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Final

from chaos.records import Attempt, Evidence, Originate

NOTICED: Final = 0.5
"""Seconds that the dialer gets, from what it was told to its being on disk, before a kill makes it
unknown to the next life."""

LATE: Final = 0.05
"""Seconds after a kill in which the witness may still read what was written before it."""

RECOVERY: Final = 2.0
"""Seconds from the login to the first new Originate, at most."""

MOST_NAMED: Final = 5
"""How many of the many that are wrong are named."""

ENDED: Final = frozenset({"processed", "terminated"})


def check(evidence: Evidence) -> list[str]:
    """Everything that is wrong; empty: all promises were kept."""
    checks = (
        check_items,
        check_originates,
        check_rings,
        check_cdrs,
        check_sinks,
        check_slots,
        check_unknown,
        check_end,
    )
    return list(chain.from_iterable(each(evidence) for each in checks))


def check_items(evidence: Evidence) -> list[str]:
    """Every accepted item is there, once, and ended in one state; nothing else is."""
    stored = Counter(item.number for item in evidence.rows.items)
    accepted = Counter(evidence.accepted)
    final = Counter(cdr.number for cdr in evidence.rows.cdrs if cdr.final)
    processed = Counter(item.number for item in evidence.rows.items if item.status == "processed")
    return [
        *say("accepted and not stored", accepted - stored),
        *say("stored more often than accepted", stored - accepted),
        *say(
            "not ended",
            (f"{i.number} ({i.status})" for i in evidence.rows.items if i.status not in ENDED),
        ),
        *say("processed without a final CDR", processed - final),
        *say("more final CDRs than one", (n for n, count in final.items() if count > 1)),
    ]


def check_originates(evidence: Evidence) -> list[str]:
    """No ChannelId twice, and none that was not on disk before."""
    originates = [o for o in evidence.wire.originates if o.whole]
    counts = Counter(o.channel_id.lower() for o in originates)
    actions = Counter(o.action_id for o in originates)
    known = {attempt.channel_id.lower(): attempt for attempt in evidence.rows.attempts}
    return [
        *say("ChannelIds originated twice", (i for i, count in counts.items() if count > 1)),
        *say("ActionIDs used twice", (i for i, count in actions.items() if count > 1)),
        *say("originated without an attempt on disk", (i for i in counts if i not in known)),
        *say("originated to another number than the attempt's", _strayed(originates, known)),
    ]


def _strayed(originates: Iterable[Originate], known: dict[str, Attempt]) -> list[str]:
    return [
        o.channel_id
        for o in originates
        if (attempt := known.get(o.channel_id.lower())) and attempt.number != o.number
    ]


def check_rings(evidence: Evidence) -> list[str]:
    """No number rang more often than it has attempts, and none that nobody accepted."""
    rang = Counter(evidence.rang)
    attempts = Counter(attempt.number for attempt in evidence.rows.attempts)
    originated = Counter(o.number for o in evidence.wire.originates)
    return [
        *say("rang more often than they have attempts", rang - attempts),
        *say("rang more often than they were originated", rang - originated),
    ]


def check_cdrs(evidence: Evidence) -> list[str]:
    """One CDR for every attempt, and no other."""
    attempts = Counter(attempt.cdr_id for attempt in evidence.rows.attempts)
    cdrs = Counter(cdr.cdr_id for cdr in evidence.rows.cdrs)
    return [
        *say("attempts without a CDR", attempts - cdrs),
        *say("CDRs without an attempt", cdrs - attempts),
    ]


def check_sinks(evidence: Evidence) -> list[str]:
    """Every CDR's id reached both sinks, and nothing else did."""
    cdrs = {cdr.cdr_id for cdr in evidence.rows.cdrs}
    problems: list[str] = []
    for name, sink in (("callbacks", evidence.callbacks), ("SGAPI", evidence.sgapi)):
        problems += say(f"CDRs that did not reach {name}", cdrs - sink.cdr_ids.keys())
        problems += say(f"ids at {name} that no CDR has", sink.cdr_ids.keys() - cdrs)
    return problems


def check_slots(evidence: Evidence) -> list[str]:
    """Nothing is held at the end, the last life could use every slot, and never one more."""
    problems = [
        f"{name} at the end: {count}" for name, count in evidence.rows.held.items() if count
    ]
    if evidence.live_at_end:
        problems.append(f"calls live at the end: {evidence.live_at_end}")
    if evidence.probe.live < evidence.probe.wanted:
        problems.append(
            f"slots kept: {evidence.probe.live} calls at a time, of {evidence.probe.wanted}"
        )
    if evidence.wire.most_live > evidence.cap:
        problems.append(f"{evidence.wire.most_live} calls at a time, over {evidence.cap}")
    return problems


def check_unknown(evidence: Evidence) -> list[str]:
    """`unknown` are no more than the attempts that were sent and unanswered at a kill, and none but
    those; only one a kill may turn out never to have left, which nobody could have known."""
    unknown = unknown_ids(evidence)
    allowed = unanswered_at_kills(evidence)
    unsent = unknown - sent_ids(evidence)
    problems = []
    if len(unknown) > len(allowed):
        problems.append(f"{len(unknown)} unknown, {len(allowed)} sent and unanswered at a kill")
    if len(unsent) > len(evidence.kills):
        problems.append(f"{len(unsent)} unknown that never left, {len(evidence.kills)} kills")
    answered = unknown - allowed - unsent
    return problems + say("unknown, though not unanswered at any kill", answered)


def check_end(evidence: Evidence) -> list[str]:
    """Lives found work again in time, and the last one ended as asked."""
    slow = [f"{seconds:.2f} s" for seconds in recoveries(evidence) if seconds > RECOVERY]
    problems = say(f"times over {RECOVERY:g} s from login to a new Originate", slow)
    silent = [f"{seconds:.2f} s" for seconds in silences(evidence) if seconds > RECOVERY]
    problems += say("connections without an Originate", silent)
    if evidence.exit_status:
        problems.append(f"the last life ended with {evidence.exit_status}")
    return problems


def unknown_ids(evidence: Evidence) -> set[str]:
    """ChannelIds of attempts whose CDR says unknown."""
    return {c.channel_id.lower() for c in evidence.rows.cdrs if c.disposition == "unknown"}


def sent_ids(evidence: Evidence) -> set[str]:
    """ChannelIds of which the witness read an Originate, or the beginning of one."""
    return {originate.channel_id.lower() for originate in evidence.wire.originates}


def unanswered_at_kills(evidence: Evidence) -> set[str]:
    """ChannelIds whose Originate was read by the witness before a kill, or a cut link, and of
    which the dialer had neither been told that they were up, nor that they were over, `NOTICED`
    before it."""
    told: dict[str, float] = {}
    for event in (*evidence.wire.answered, *evidence.wire.ended):
        name = event.channel_id.lower()
        told[name] = min(event.at, told.get(name, event.at))
    breaks = [(kill.at, kill.known_until) for kill in evidence.kills]
    breaks = sorted(breaks + [(at, at) for at in evidence.cuts])
    found: set[str] = set()
    for originate in evidence.wire.originates:
        name = originate.channel_id.lower()
        # The first break after it decides: what is open then is to be found by asking.
        for at, known_until in breaks:
            if at + LATE >= originate.at:
                if told.get(name, at + 1) > known_until - NOTICED:
                    found.add(name)
                break
    return found


def recoveries(evidence: Evidence) -> list[float]:
    """Seconds from each login to the first Originate on its connection, ascending. Where it was
    disturbed meanwhile, the longest time that it had in peace. A connection without an Originate
    has none: see `silences`."""
    first = _first_originates(evidence)
    return sorted(
        _longest_peace(login.at, first[login.connection], evidence.disturbed)
        for login in evidence.wire.logins
        if login.connection in first
    )


def silences(evidence: Evidence) -> list[float]:
    """Of each connection without an Originate the longest time in peace, from its login to its end
    or the dialer's, in seconds, ascending. One that never ended has none: the probe tells of it."""
    first = _first_originates(evidence)
    found: list[float] = []
    for login in evidence.wire.logins:
        if login.connection in first:
            continue
        ends = [kill.at for kill in evidence.kills] + list(evidence.cuts)
        ends += [loss.at for loss in evidence.wire.losses if loss.connection == login.connection]
        over = min((at for at in ends if at >= login.at), default=None)
        if over is not None:
            found.append(_longest_peace(login.at, over, evidence.disturbed))
    return sorted(found)


def _first_originates(evidence: Evidence) -> dict[int, float]:
    first: dict[int, float] = {}
    for originate in evidence.wire.originates:
        first.setdefault(originate.connection, originate.at)
    return first


def _longest_peace(begin: float, end: float, disturbed: Iterable[tuple[float, float]]) -> float:
    """Of the time from `begin` to `end` the longest piece in which nothing was disturbed."""
    longest, free_from = 0.0, begin
    for since, until in sorted(disturbed):
        if until >= begin and since <= end:
            longest = max(longest, since - free_from)
            free_from = max(free_from, until)
    return max(longest, end - free_from)


def say(what: str, wrong: Iterable[str]) -> list[str]:
    """A sentence about what is wrong, with the first few names; none when nothing is."""
    names = sorted(wrong)
    if not names:
        return []
    more = ", …" if len(names) > MOST_NAMED else ""
    return [f"{len(names)} {what}: {', '.join(names[:MOST_NAMED])}{more}"]
