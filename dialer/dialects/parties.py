"""Who talked to whom: endpoints, queues and numbers out of channel names and dial strings."""

from dataclasses import dataclass

from dialer.caller_id import find_number
from dialer.cdr import Cdr
from dialer.dialects.view import Source
from dialer.histories import name_source


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call: the technology and the endpoint, of a Local channel the extension."""

    tech: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller ID taken apart; each part '' where there is none."""

    name: str
    number: str

    @property
    def text(self) -> str:
        """As Asterisk writes it: `"Name" <number>`, or the only part there is."""
        if self.name and self.number:
            return f'"{self.name}" <{self.number}>'
        return self.number or self.name


def read_caller(caller_id: str | None) -> Caller:
    """`Your Company <1001>` → Your Company, 1001. The number is the one that CDRs are found by,
    which for a text without any is all of it."""
    number = name_source(caller_id) or ""
    name, bracket, _ = (caller_id or "").rpartition("<")
    named = bracket and find_number(caller_id or "") is not None
    return Caller(name.strip().strip('"').strip() if named else "", number)


def find_extension(source: Source) -> str:
    """The second leg's endpoint: of its channel, else of the Dial that was to make it; else ''."""
    party = find_second(source)
    return party.endpoint if party is not None else ""


def find_second(source: Source) -> Party | None:
    """The second leg: as Asterisk named its channel, else as the call's Dial would have made it."""
    dialed = find_dialed(source)
    if dialed is None and _folded(source) == "dial" and source.data:
        return read_dial_string(source.data.partition(",")[0])
    return dialed


def find_dialed(source: Source) -> Party | None:
    """The second leg, where it was dialed."""
    leg = source.leg_b if isinstance(source, Cdr) else None
    return read_channel(leg.channel) if leg is not None and leg.channel else None


def find_first(source: Source) -> Party | None:
    """The first leg: how the number was dialed."""
    channel = source.channel if isinstance(source, Cdr) else None
    return read_dial_string(channel) if channel else None


def find_queue(source: Source) -> str:
    """The Asterisk queue that the call was for: `Queue(sales,…)` → `sales`; else ''."""
    if _folded(source) != "queue" or not source.data:
        return ""
    return source.data.partition(",")[0]


def read_channel(name: str) -> Party | None:
    """A channel's name: `PJSIP/alice-0000001a` → PJSIP, alice; `Local/101@agents-00000001;1` →
    Local, 101. None for what is no channel's name."""
    tech, slash, rest = name.partition("/")
    if not slash:
        return None
    bare, dash, _ = rest.rpartition("-")
    return _party(tech, bare if dash else rest)


def read_dial_string(text: str) -> Party | None:
    """A dial string: `PJSIP/0987@trunk` → PJSIP, trunk; `SIP/trunk/0987` → SIP, trunk; `PJSIP/101`
    → PJSIP, 101. None for what is none."""
    tech, slash, rest = text.partition("/")
    if not slash:
        return None
    if tech != "Local" and "@" in rest.partition("/")[0]:
        rest = rest.rpartition("@")[2]
    return _party(tech, rest.partition("/")[0])


def _party(tech: str, rest: str) -> Party | None:
    endpoint = rest.partition("@")[0] if tech == "Local" else rest
    return Party(tech, endpoint) if tech and endpoint else None


def _folded(source: Source) -> str:
    return (source.application or "").casefold()
