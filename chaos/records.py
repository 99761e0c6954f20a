"""What was seen during a campaign: the material of the checker. Times are epoch seconds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Originate:
    """An Originate as the witness on the wire read it. `whole`: its last byte came, too; `account`:
    the client's accountcode."""

    at: float
    connection: int
    channel_id: str
    action_id: str
    number: str
    whole: bool = True
    account: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Asterisk told the dialer, through the witness, that a call was up, or gone."""

    at: float
    channel_id: str


@dataclass(frozen=True, slots=True)
class Login:
    """A connection on which Asterisk accepted the dialer's login."""

    at: float
    connection: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A connection that ended. `by`: who ended it, `asterisk` or `dialer`."""

    at: float
    connection: int
    by: str


@dataclass(frozen=True, slots=True)
class Wire:
    """Everything that the witness between dialer and Asterisk saw. `most_live`: the most calls of
    the dialer's that were live at one moment. `losses` has no links that the campaign cut. `began`
    and `gone`: when its own session saw a call's channel come and go."""

    originates: tuple[Originate, ...]
    answered: tuple[Told, ...]
    ended: tuple[Told, ...]
    logins: tuple[Login, ...]
    most_live: int
    losses: tuple[Loss, ...] = ()
    began: tuple[Told, ...] = ()
    gone: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Kill:
    """One end by force. `where`: a failpoint, or `at random`. `in_flight`: calls that were live
    then. `known_until`: what the dialer was told later it may not know (it was stopped)."""

    at: float
    where: str
    in_flight: int
    known_until: float


@dataclass(frozen=True, slots=True)
class Item:
    """An item on disk."""

    id: int
    number: str
    status: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt on disk."""

    item_id: int
    number: str
    channel_id: str
    cdr_id: str
    state: str


@dataclass(frozen=True, slots=True)
class CdrRow:
    """A CDR on disk."""

    cdr_id: str
    channel_id: str
    number: str
    disposition: str
    final: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """The database after the campaign. `held` counts what is not at its end: by name."""

    items: tuple[Item, ...]
    attempts: tuple[Attempt, ...]
    cdrs: tuple[CdrRow, ...]
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sink:
    """What came to one sink: how often each CDR's id did, and how many closing callbacks."""

    cdr_ids: Mapping[str, int]
    closings: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """The last life was given as many calls as it has slots: `wanted` should be live together."""

    wanted: int
    live: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. `accepted`: the numbers of the batches that were answered with 200, each number
    once. `rang`: numbers in the order in which the far end got calls. `cuts`: when the link to
    Asterisk was cut. `exit_status` is that of the last life, which was asked to end;
    -9: it did not come so far in time.
    `disturbed`: from when to when Asterisk was harmed or the dialer stopped: no time to call in."""

    accepted: tuple[str, ...]
    wire: Wire
    rang: tuple[str, ...]
    callbacks: Sink
    sgapi: Sink
    rows: Rows
    kills: tuple[Kill, ...]
    cuts: tuple[float, ...]
    probe: Probe
    live_at_end: int
    cap: int
    exit_status: int
    disturbed: tuple[tuple[float, float], ...] = ()
