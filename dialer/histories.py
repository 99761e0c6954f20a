"""What is asked of the history of calls, and what comes back: the same for every read API and for
the export.

CDRs are listed in the order in which they were written, which is the order in which their calls
ended: `CdrRow.id` only grows, and none is ever added before another that was seen. So who reads on
from the last id has every call once, also while calls are being added, and so has who counts pages.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.caller_id import find_number
from dialer.cdr import Cdr


class App(StrEnum):
    """What a call was for."""

    DIAL = "dial"  # a quick call
    AUTODIALER = "autodialer"  # of a batch, to be talked with: Dial, Queue
    AUTOCALL = "autocall"  # of a batch, any other application


class Direction(StrEnum):
    INBOUND = "inbound"
    LOCAL = "local"
    OUTBOUND = "outbound"  # every call that was originated here


_TALKED: Final = frozenset({"dial", "queue"})


def name_app(quick: bool, application: str | None) -> App:
    """What a call with this application was for."""
    if quick:
        return App.DIAL
    return App.AUTODIALER if (application or "").lower() in _TALKED else App.AUTOCALL


def name_source(caller_id: str | None) -> str | None:
    """The number that a call came from: that of its caller ID (`"Name" <number>`), or the whole
    text of one that has no number. None: there is none."""
    text = (caller_id or "").strip()
    return find_number(text) or text or None


@dataclass(frozen=True, slots=True)
class HourWindow:
    """The hours of the day in which a call began, by the clock on the wall of `zone` (an IANA
    name): from `start` up to, not including, `end`, both seconds since midnight (`end` up to
    86,400). Where `end` is not after `start` the window crosses midnight; equal ones are a whole
    day."""

    start: int
    end: int
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class CdrQuery:
    """Which CDRs are wanted: those that meet everything that is given here. Texts are compared as
    they are written; a set that is empty is met by nothing. The number called from is
    `name_source`'s, the extension that of `dialer.dialects.parties.find_extension`."""

    client_id: int | None  # None: every client's
    started_from: float | None = None  # epoch seconds; the call began then or later
    started_until: float | None = None  # the call began before that
    hours: HourWindow | None = None
    duration: int | None = None  # whole seconds, exactly
    dispositions: frozenset[str] | None = None  # our words (docs/dialing.md)
    apps: frozenset[App] | None = None
    directions: frozenset[Direction] | None = None
    extension: str | None = None  # the second leg's endpoint
    number: str | None = None  # the number dialed, or the one called from
    number_part: str | None = None  # occurs in one of the two
    source_part: str | None = None  # occurs in the number called from
    destination_part: str | None = None  # occurs in the number dialed
    projects: frozenset[str] | None = None
    project_number: int | None = None  # see `Project`
    queue_id: int | None = None
    queue_name: str | None = None
    server_code: str | None = None
    contact_number: str | None = None
    recorded: bool | None = None
    final: bool | None = None
    from_id: int | None = None  # row ids of at least this
    id: int | None = None
    cdr_id: str | None = None
    call_id: str | None = None
    uniqueid: str | None = None  # the ChannelId that outsiders see (`pbx.find_uniqueid`)
    sip_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class CdrRow:
    """A CDR with what is known of it beside its call."""

    id: int  # grows in the order in which the calls ended
    cdr: Cdr
    quick: bool  # of a quick call, not of a batch
    queue_name: str


@dataclass(frozen=True, slots=True)
class CdrPage:
    """`total`: how many there are on all pages, those before `after` too (None: not asked for).
    `next_cursor`: what to give as `after` for the page that follows; None: nothing follows now (who
    wants what is yet to come goes on after the last row's id)."""

    rows: tuple[CdrRow, ...]
    total: int | None
    next_cursor: int | None


@dataclass(frozen=True, slots=True)
class Project:
    """A project that a client's CDRs name. `number` counts from 1 for each client, in the order of
    their first CDRs, and stays."""

    number: int
    name: str
