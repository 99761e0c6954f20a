"""Records of what waits, what is dialed and what is delivered, as the store takes and gives them.

Times are float seconds since the epoch, UTC. Part of `dialer.store.contract`, which names them all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dialer.cdr import Cdr
from dialer.states import CallbackEvent, DeliveryState


@dataclass(frozen=True, slots=True)
class Candidate:
    """A waiting item as the worker plans it. `attempts` counts those that became a channel or may
    have; `unplaced` those that certainly never did (a budget of their own)."""

    id: int
    client_id: int
    queue_id: int
    server_id: int
    quick: bool
    call_id: str
    number: str
    caller_id: str | None
    payload: dict[str, Any]
    retry: int
    attempts: int
    unplaced: int
    due_at: float | None
    deadline: float | None
    channel_base: str | None  # the client's ChannelId, when it is free and fit for the wire
    batch_id: int | None
    created_at: float
    # ChannelId, ActionID and cdr_id of an attempt that was withdrawn: its next one has them again.
    kept_ids: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The intent to dial: item pending → queued and the attempt row with its wire ids, on disk
    before the Originate's first byte. Granted only while item, queue and client allow it, to the
    owner of the server: `fence` is the token that owning it gave."""

    item_id: int
    client_id: int
    queue_id: int
    server_id: int
    number: int  # attempts + unplaced + 1: 1, 2, 3 …
    channel_id: str
    action_id: str
    cdr_id: str
    now: float
    fence: int


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An outbox row. `endpoint` groups deliveries that share limits ("sgapi" or a callback's
    origin); `body` is sent byte for byte at every try."""

    kind: str  # "callback" or "sgapi"
    client_id: int
    endpoint: str
    url: str
    method: str  # "POST" or "PUT"
    event_id: str  # stable over repetitions: cdr_id, or item-<id> for a closing callback
    body: str
    due_at: float


@dataclass(frozen=True, slots=True)
class NumberedDelivery(NewDelivery):
    """An outbox row that tells the id of its CDR's row, which is known once that is stored: in the
    same transaction `finish` makes the body from it. It must not fail. Until then `body` is ''."""

    finish: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Task:
    """An accepted CDR's task at the Disposition Gateway, as its last answer told of it (words and
    numbers of the gateway's own), and how it was followed."""

    since: float  # when the CDR was accepted
    looks: int = 0  # how often it was asked for since then
    lost: int = 0  # how often the gateway knew nothing of it any more
    state: str | None = None
    sgapi_status: str | None = None
    reference: str | None = None
    error: str | None = None
    retry_count: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery(NewDelivery):
    """A stored outbox row."""

    id: int = 0
    tries: int = 0
    created_at: float = 0.0
    state: DeliveryState = DeliveryState.PENDING
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What one try did: delivered, dead, or to be tried again at `due_at`: pending, or `accepted`
    and to be asked for. It holds for a delivery that is still in the state it `leaves`."""

    id: int
    delivered: bool
    dead: bool
    due_at: float | None
    status: int | None  # HTTP status, None when there was no answer
    error: str | None
    now: float
    counts: bool = True  # False: a try that does not count toward giving up (429)
    accepted: bool = False
    leaves: DeliveryState = DeliveryState.PENDING
    endpoint: str | None = None  # the line it stands in from now on; None: the same
    task: Task | None = None  # None: as before
    gone: bool = False  # the receiver wants nothing more at this URL (410)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None: whatever. Times are those of creation, `until` itself is outside."""

    ids: tuple[int, ...] | None = None
    state: DeliveryState | None = None
    client_id: int | None = None
    kind: str | None = None
    endpoint: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery with what its last try came to."""

    delivery: Delivery
    accountcode: str
    status: int | None
    error: str | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class ForeignCdr:
    """A CDR of another telephony system, to be passed on to SGAPI. `uuid` is the client's, in lower
    case and unique among its own; `content` are the documented fields but that, normalized, in
    documented order (dialer.gateway)."""

    client_id: int
    uuid: str
    cdr_id: str  # ours
    entity: str | None
    content: dict[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True)
class SgapiTask:
    """What became of a CDR on its way to SGAPI, be it one of ours or a foreign one. `state` None:
    there was no SGAPI to send it to so far."""

    uuid: str
    cdr_id: str
    foreign: bool
    caller_id: str | None
    called_number: str
    disposition: str
    duration: int
    created_at: float
    updated_at: float
    state: DeliveryState | None = None
    tries: int = 0
    status: int | None = None
    error: str | None = None
    ended_at: float | None = None
    task: Task | None = None  # as SGAPI told of it


@dataclass(frozen=True, slots=True)
class Signing:
    """Which signing secret of a client is live; the one before is too, until `grace_until`."""

    version: int = 1
    grace_until: float | None = None


@dataclass(frozen=True, slots=True)
class Receivers:
    """What is known of clients as receivers of callbacks: their signing secrets' versions where
    they were ever changed, and (client_id, url) of those that want nothing more (410)."""

    signing: dict[int, Signing] = field(default_factory=dict)
    gone: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of an attempt: attempt open → ended with its CDR, item queued → processed (final) or
    pending with `next_attempt_at`, and the outbox rows: one transaction."""

    channel_id: str
    item_id: int
    queue_id: int
    cdr: Cdr
    final: bool
    next_attempt_at: float | None
    unplaced: bool  # it certainly never became a channel
    deliveries: tuple[NewDelivery, ...]
    now: float
    fence: int  # of the server's owner, as in Reservation
    # Stored as well where a further attempt is due and the queue takes none any more (completed
    # by its client, or its retries switched off, meanwhile): the item then ends as terminated.
    closing: tuple[NewDelivery, ...] = ()
    # The queue's gap, in seconds, where that decided `next_attempt_at`: another one set meanwhile
    # moves it by the difference.
    retry_gap: float | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Taking back an attempt of which certainly nothing left this process: its row goes, and its
    item is queued → pending with its ids kept for the next reservation, counted nowhere. Where
    its queue takes no further attempt of it any more the item ends as terminated instead, and
    `closing` is stored."""

    channel_id: str
    now: float
    fence: int  # of the server's owner, as in Reservation
    closing: tuple[NewDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Telling:
    """A callback about a call that goes on: stored once for each event of an attempt, and never
    after the attempt's end."""

    channel_id: str
    event: CallbackEvent
    delivery: NewDelivery
    now: float
    fence: int  # of the server's owner, as in Reservation


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt without an end, as found at start. `unsent`: certainly no byte of it left the
    process that reserved it. `answered_at`: when that one saw it answered."""

    candidate: Candidate
    number: int
    channel_id: str
    action_id: str
    cdr_id: str
    opened_at: float
    unsent: bool = False
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class RecentStart:
    """An attempt that was reserved a moment ago, for limits of calls per second."""

    server_id: int
    client_id: int
    at: float
