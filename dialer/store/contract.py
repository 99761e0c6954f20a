"""What the dialer needs of a database: one contract, one conformance suite, every adapter.

Times are float seconds since the epoch, UTC. Rows are frozen records; ids are growing integers
given by the database. Every write is durable when its awaitable resolves, atomic by itself, and
names the state it leaves: a write that finds another state reports so, it never overwrites.

Raised by any method: `StoreUnavailable` (nothing of the write was stored).
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from dialer.cdr import Cdr
from dialer.dialects import CdrMapping, Shape
from dialer.histories import CdrPage, CdrQuery, CdrRow, Project
from dialer.policy import DEFAULT_POLICY, Policy
from dialer.states import CallbackEvent, ItemEnd, ItemStatus, QueueKind, QueueStatus
from dialer.store.records import (
    Candidate,
    Delivery,
    DeliveryFilter,
    DeliveryOutcome,
    DeliveryRecord,
    ForeignCdr,
    NewDelivery,
    NumberedDelivery,
    OpenAttempt,
    Receivers,
    RecentStart,
    Reservation,
    Settlement,
    SgapiTask,
    Signing,
    Task,
    Telling,
    Withdrawal,
)

__all__ = [
    "Activity",
    "AuditEntry",
    "BatchStored",
    "Candidate",
    "Client",
    "CloseItem",
    "Delivery",
    "DeliveryFilter",
    "DeliveryOutcome",
    "DeliveryRecord",
    "EndedItem",
    "ForeignCdr",
    "Forward",
    "Forwards",
    "IdempotentAnswer",
    "Item",
    "KeptAnswer",
    "NewBatch",
    "NewDelivery",
    "NewItem",
    "NumberedDelivery",
    "OpenAttempt",
    "Page",
    "Queue",
    "Receivers",
    "RecentStart",
    "Reservation",
    "RuntimeNote",
    "Server",
    "Settlement",
    "SgapiTask",
    "Signing",
    "Snapshot",
    "Store",
    "StoredKey",
    "Task",
    "Telling",
    "Totals",
    "Withdrawal",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """An Asterisk server. Its AMI secret is named (`secret_env` or `secret_file`), never stored."""

    id: int
    code: str
    host: str
    port: int
    username: str
    secret_env: str | None = None
    secret_file: str | None = None
    tls: bool = False
    max_channels: int | None = None  # calls, not Asterisk channels; None: no limit
    max_cps: float | None = None
    paused: bool = False
    removed: bool = False  # kept for its CDRs; invisible to clients and never dialed
    recording_url: str | None = None  # where its recordings are served, as a folder; None: nowhere


@dataclass(frozen=True, slots=True)
class Client:
    """A tenant. `status` and `is_active` as in the client API; `has_key`: a key is not revoked."""

    id: int
    name: str
    accountcode: str
    username: str
    did: str | None = None
    phone_number: str | None = None
    callback_url: str | None = None
    allocated_channels: int = 1
    max_cps: float | None = 10.0
    rate_limit: int | None = None  # HTTP requests a minute
    is_superuser: bool = False
    is_active: bool = True
    status: str = "active"
    paused: bool = False  # by an operator (`dialer pause --client`)
    endpoint: str | None = None
    prefix: str | None = None
    default_application: str | None = None  # "App" or "App(args)"; None: Wait(1)
    timezone: str = "UTC"
    policy: Policy = DEFAULT_POLICY  # what the operator allows it to dial
    callback_shape: Shape = Shape.NATIVE
    cdr_mapping: CdrMapping = CdrMapping.DEFAULT  # of `/v2/cdr`, where a request names none
    callback_events: frozenset[CallbackEvent] = frozenset()  # told beside the ends
    server_ids: frozenset[int] = frozenset()  # empty: every server
    has_key: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def may_dial(self) -> bool:
        """Whether new attempts of this client may start, as far as the client itself decides."""
        return self.is_active and self.status == "active" and self.has_key and not self.paused


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue with its four counts, which are kept in the transactions that change the items."""

    id: int
    client_id: int
    name: str
    status: QueueStatus
    kind: QueueKind = QueueKind.BATCH
    retry: bool = True
    retry_count: int = 0
    retry_gap: int = 300  # seconds
    dids: tuple[str, ...] = ()  # of the latest batch that had any
    paused: bool = False  # by an operator (`dialer pause --queue`), beside the client's own pause
    closed: bool = False  # completed by its client: takes no more batches
    total_count: int = 0
    pending_count: int = 0
    queued_count: int = 0
    processed_count: int = 0
    terminated_count: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    redial_unknown: bool = False  # an attempt of which nothing can be known is retried as a failed

    @property
    def may_dial(self) -> bool:
        return not self.paused and self.status in (QueueStatus.PENDING, QueueStatus.IN_PROGRESS)


class NewItem(NamedTuple):
    """An accepted item, ready to be stored (a tuple, for they are made by the thousand). `payload`
    is the QueueItem in its documented spelling, with all defaults: what `getqueues` echoes and what
    the Originate is built from. It is made, kept and stored as JSON text."""

    server_id: int
    call_id: str  # the client's ActionID, else ours
    number: str  # the number that is dialed
    caller_id: str | None
    payload_json: str
    retry: int = 0  # the item's own; > 0 beats the queue's
    deadline: float | None = None
    due_at: float | None = None
    wanted_channel_id: str | None = None  # the client's ChannelId where its form may go on the wire

    @property
    def payload(self) -> dict[str, Any]:
        """The QueueItem as an object."""
        content: dict[str, Any] = json.loads(self.payload_json)
        return content


@dataclass(frozen=True, slots=True)
class NewBatch:
    """All or nothing. `queue_id` None makes a queue named `queue_name`. `digest` is of the body."""

    client_id: int
    batch_id: int
    digest: str
    queue_id: int | None
    queue_name: str
    dids: tuple[str, ...]
    items: Sequence[NewItem]
    now: float
    by: str | None = None  # for the audit log: a superuser that acts for the client


@dataclass(frozen=True, slots=True)
class BatchStored:
    """`replayed`: this very batch was there before; nothing was inserted."""

    queue_id: int
    batch_id: int
    inserted_count: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """An item as listed to its client."""

    id: int
    client_id: int
    queue_id: int
    server_id: int
    batch_id: int | None  # the client's number; None for quick calls
    status: ItemStatus
    call_id: str
    number: str
    caller_id: str | None
    payload: dict[str, Any]
    attempts: int
    disposition: str | None
    connected: bool
    call_success: int
    call_failed: int
    due_at: float | None
    deadline: float | None
    last_cdr_id: str | None
    created_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class EndedItem:
    """An item that ended without a further attempt, with all that its closing callback needs: the
    one who makes that may know less of clients and servers than the database does."""

    candidate: Candidate
    end: ItemEnd
    client: Client
    server_code: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the worker keeps in memory: all servers and clients, and every queue that is not
    completed with the servers that its items name."""

    servers: tuple[Server, ...]
    clients: tuple[Client, ...]
    queues: tuple[Queue, ...]
    lanes: tuple[tuple[int, int], ...]  # (queue_id, server_id)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    rows: tuple[T, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures for `dialer status` and the end of the demo."""

    items: dict[ItemStatus, int] = field(default_factory=dict)
    dispositions: dict[str, int] = field(default_factory=dict)
    cdrs: int = 0
    deliveries: dict[str, int] = field(default_factory=dict)  # "callback/pending" → n


# Makes the closing callback of an ended item; called inside the transaction that ends it.
CloseItem = Callable[[EndedItem], tuple[NewDelivery, ...]]

# Makes the delivery of a foreign CDR under a uuid; called inside the transaction that stores it.
Forward = Callable[[ForeignCdr, str], NewDelivery]


@dataclass(frozen=True, slots=True)
class Forwards:
    """Makes the deliveries of what waits for SGAPI: of foreign CDRs, and of our own."""

    foreign: Forward
    own: Callable[[Cdr], NewDelivery]


class Store(Protocol):
    """The contract. Adapters: `dialer.store.sqlite`, `dialer.store.postgres`.

    `by` is who changes something ("operator ann", "superuser acme"), for the audit log, which is
    written in the change's own transaction; None: the change is not one that is noted there.
    """

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def claim(self) -> None: ...  # for dialing; `Conflict`: another process has it
    def is_claimed(self) -> bool: ...  # by any process, this one included

    # Why the last write failed for all of its transaction (disk full, locked), or the database
    # cannot be reached; None: neither.
    @property
    def trouble(self) -> str | None: ...

    # Become the owner of these servers: a fencing token for each, larger than any before. From
    # then on writes of attempts there with an earlier token raise `OwnershipLost`, and write
    # nothing. Whom they were taken from learns it by that. `seen`: only of those whose last token
    # is the one that `fences` told; whoever was overtaken by another owner since gets none.
    async def fences(self, server_ids: Sequence[int]) -> dict[int, int]: ...
    async def own(
        self, server_ids: Sequence[int], seen: Mapping[int, int] | None = None
    ) -> dict[int, int]: ...

    # Configuration (servers, clients, keys). `Conflict` for a taken code, accountcode, username;
    # `NotFound` for an unknown one.
    async def servers(self) -> tuple[Server, ...]: ...
    async def add_server(self, server: Server, now: float, by: str | None = None) -> Server: ...
    async def change_server(
        self, code: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> Server: ...
    # `keep` makes the answer under the request's Idempotency-Key from the client as it is then:
    # kept in the same transaction, or a crash in between would change it again at the next try.
    async def clients(self) -> tuple[Client, ...]: ...
    async def client(self, accountcode: str) -> Client: ...
    async def add_client(
        self,
        client: Client,
        key: "StoredKey",
        now: float,
        by: str | None = None,
        keep: "Callable[[Client], KeptAnswer] | None" = None,
    ) -> Client: ...
    async def change_client(
        self, accountcode: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> Client: ...
    async def allocate(
        self, accountcode: str, codes: Sequence[str], now: float, by: str | None = None
    ) -> Client: ...
    async def replace_key(  # None: the client's key is revoked
        self,
        client_id: int,
        key: "StoredKey | None",
        now: float,
        by: str | None = None,
        keep: "Callable[[Client], KeptAnswer] | None" = None,
    ) -> Client: ...
    async def client_by_key(self, lookup: str) -> "tuple[Client, StoredKey] | None": ...
    async def installation_secret(self) -> bytes: ...

    # Ingest. `Conflict`: the batch_id with another digest, or a closed queue; `NotFound`: a queue
    # that is not this client's.
    async def insert_batch(self, batch: NewBatch) -> BatchStored: ...
    async def stored_batch(
        self, client_id: int, batch_id: int, digest: str
    ) -> BatchStored | None: ...  # of that digest only
    # `keep` makes the answer under the request's Idempotency-Key from the queue's id: kept in the
    # same transaction, or a crash in between would place the call again at the client's next try.
    async def insert_quick_call(
        self,
        client_id: int,
        item: NewItem,
        now: float,
        keep: "Callable[[int], KeptAnswer] | None" = None,
        by: str | None = None,
    ) -> int: ...
    async def idempotent_answer(self, client_id: int, key: str) -> "IdempotentAnswer | None": ...
    async def keep_answer(self, client_id: int, key: str, answer: "IdempotentAnswer") -> None: ...

    # Queues, for their client (`client_id` None: any client's).
    async def queues(
        self, client_id: int | None, offset: int, limit: int, filters: dict[str, Any] | None = None
    ) -> Page[Queue]: ...
    async def queue(self, queue_id: int, client_id: int | None) -> Queue: ...
    async def items(
        self, queue_id: int, offset: int, limit: int, filters: dict[str, Any] | None = None
    ) -> Page[Item]: ...
    # What a change or a flush does to very many items (ending them, moving their retries) may go on
    # after it was answered: nothing of it is dialed meanwhile, and `expire_items` finishes it.
    async def change_queue(
        self,
        queue_id: int,
        changes: dict[str, Any],
        close: CloseItem,
        now: float,
        by: str | None = None,
    ) -> Queue: ...
    # End everything of a client's that waits (retries and quick calls too) as terminated; how much
    # of it no flush or change before was ending already. From the moment of the call nothing of it
    # is dialed; what comes in later stays.
    async def flush(
        self, client_id: int, close: CloseItem, now: float, by: str | None = None
    ) -> int: ...

    # The worker.
    async def snapshot(self) -> Snapshot: ...
    async def queue_lanes(self, queue_id: int) -> tuple[Queue, tuple[int, ...]]: ...  # server ids
    async def waiting(
        self, queue_id: int, server_id: int, after_id: int, limit: int
    ) -> tuple[Candidate, ...]: ...
    async def due_retries(
        self, queue_id: int, server_id: int, now: float, limit: int
    ) -> tuple[Candidate, ...]: ...
    async def next_retry_at(
        self, queue_id: int, server_id: int, after: float = 0.0
    ) -> float | None: ...  # earliest > after
    # When `expire_items` has something to do: the earliest deadline of what waits, or 0.0 while a
    # `change_queue` or `flush` is unfinished (of many items, or a crash cut it short).
    async def next_deadline(self) -> float | None: ...
    async def expire_items(self, now: float, limit: int, close: CloseItem) -> int: ...

    # Writes of attempts; all of them raise `OwnershipLost` (see `own`).
    # Granted: true. `Conflict`: the channel or CDR id was used before, by any attempt.
    def reserve(self, reservation: Reservation) -> Awaitable[bool]: ...
    # The stored outbox rows; () also for an attempt that had ended before: then nothing is written.
    # `NotFound`: there never was such an attempt.
    def settle(self, settlement: Settlement) -> Awaitable[tuple[Delivery, ...]]: ...
    # As `settle`; the attempt is as if it had never been. () also where there is none: it was
    # withdrawn before.
    def withdraw(self, withdrawal: Withdrawal) -> Awaitable[tuple[Delivery, ...]]: ...
    # () also where the attempt has ended, or this was told of it before: then nothing is written.
    def tell(self, telling: Telling) -> Awaitable[tuple[Delivery, ...]]: ...
    # What `open_attempts` tells of `unsent` and `answered_at`: kept by a claimed store through the
    # end of this process, however it ends, though not of the machine. Written when they return.
    # Where workers share a database, it is told of an answer a moment later: `answered_at` is known
    # to the next owner of the server, too.
    # `note_sent` comes before the Originate's first byte; it raises `StoreUnavailable`.
    def note_sent(self, channel_id: str) -> None: ...
    def note_unsent(self, channel_id: str) -> None: ...  # it certainly did not leave after all
    def note_answered(self, channel_id: str, at: float) -> None: ...
    # Whether that is possible, as far as it was tried; where it was not, it is tried anew.
    def can_note(self) -> bool: ...
    # Both of these servers alone; None: of all.
    async def open_attempts(
        self, server_ids: Collection[int] | None = None
    ) -> tuple[OpenAttempt, ...]: ...
    async def recent_starts(
        self, since: float, server_ids: Collection[int] | None = None
    ) -> tuple[RecentStart, ...]: ...

    # The outbox.
    def record_delivery(self, outcome: DeliveryOutcome) -> Awaitable[bool]: ...
    async def due_deliveries(  # by id
        self, endpoint: str, now: float, after_id: int, limit: int
    ) -> tuple[Delivery, ...]: ...
    # The same for one of several deliverers: what it takes is due for nobody before `until`, and
    # then for everybody, where no outcome was recorded meanwhile.
    async def claim_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int, until: float
    ) -> tuple[Delivery, ...]: ...
    # Claimed, and not tried after all: due at once, for everybody. `until` as they were claimed.
    async def release_deliveries(self, ids: Sequence[int], until: float, now: float) -> None: ...
    # Claimed until `later` instead of `until`; those of them that still were.
    async def renew_deliveries(
        self, ids: Sequence[int], until: float, later: float
    ) -> frozenset[int]: ...
    async def due_endpoints(self, now: float) -> tuple[str, ...]: ...
    async def next_delivery_at(self, after: float = 0.0) -> float | None: ...  # earliest > after
    async def deliveries(  # the latest first
        self, wanted: DeliveryFilter, limit: int
    ) -> tuple[DeliveryRecord, ...]: ...
    # Send dead ones again, at once and with a schedule of their own, whatever `state` says; their
    # URLs are gone no more. How many those were.
    async def retry_deliveries(self, wanted: DeliveryFilter, now: float, by: str) -> int: ...
    # A CDR of another telephony system, with its delivery where there is an SGAPI. `DuplicateCdr`:
    # the client has one of this uuid; `keep` as in `insert_quick_call`.
    async def add_foreign_cdr(
        self,
        cdr: ForeignCdr,
        forward: Forward | None,
        keep: "Callable[[], KeptAnswer] | None" = None,
        by: str | None = None,
    ) -> tuple[Delivery, ...]: ...
    # Make deliveries for the CDRs, foreign and ours, that have none because there was no SGAPI; how
    # many were looked at, 0: that was all. Without `forwards` there is no SGAPI: what ends from now
    # on (and has ended since this was said first) is left for then.
    async def forward_unsent(self, forwards: Forwards | None, now: float, limit: int) -> int: ...
    # What became of a CDR at SGAPI, one of ours (`uuid` is its cdr_id) or a foreign one.
    async def sgapi_task(self, client_id: int, uuid: str) -> SgapiTask | None: ...
    async def receivers(self) -> Receivers: ...
    async def rotate_signing(  # the new secret's version
        self,
        client_id: int,
        grace_until: float | None,
        now: float,
        by: str,
        keep: "Callable[[Signing], KeptAnswer] | None" = None,
    ) -> Signing: ...

    # Reading back.
    async def cdrs(
        self, client_id: int | None, after_id: int, limit: int
    ) -> tuple[tuple[int, Cdr], ...]: ...
    # CDRs by row id, which is the order in which they were written: those after the row `after`,
    # less the first `offset` of these. `count`: with the `total` of all pages.
    async def cdr_page(
        self,
        query: CdrQuery,
        limit: int,
        *,
        after: int | None = None,
        offset: int = 0,
        count: bool = True,
    ) -> CdrPage: ...
    # All of them, as many as there are when it begins, a piece at a time.
    def cdr_stream(
        self, query: CdrQuery, *, after: int | None = None
    ) -> AsyncIterator[tuple[CdrRow, ...]]: ...
    async def projects(self, client_id: int) -> tuple[Project, ...]: ...  # that its CDRs name
    async def audit(self, limit: int) -> "tuple[AuditEntry, ...]": ...  # the latest first
    async def totals(self) -> Totals: ...
    async def activity(self, now: float) -> "Activity": ...

    # What a running worker says of itself, read by `dialer status` in another process.
    async def put_runtime(self, values: dict[str, Any], now: float) -> None: ...
    async def runtime(self) -> "dict[str, RuntimeNote]": ...

    # The wall clock was set forward by `step` seconds (back, where it is negative; 0: unknown) and
    # says `now`: what waits for a while goes on waiting for what was left of it. May be repeated.
    async def follow_clock(self, now: float, step: float) -> None: ...

    # Epoch seconds, by the clock of the machine that keeps the data.
    async def read_clock(self) -> float: ...

    # Waking others. `changed` is called (in the event loop) after another process wrote;
    # `deliveries`, where given, instead of it where that was nothing but deliveries, and the
    # database can tell. What another wrote of attempts alone is told to nobody.
    def on_foreign_change(
        self, changed: Callable[[], None], deliveries: Callable[[], None] | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as stored: `lookup` finds it, `digest` (HMAC-SHA256, hex) proves it."""

    lookup: str
    digest: str


@dataclass(frozen=True, slots=True)
class IdempotentAnswer:
    """The first answer to an Idempotency-Key, with the digest of method, path and body."""

    digest: str
    status: int
    body: str
    now: float


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer with whose it is and under which key."""

    client_id: int
    key: str
    answer: IdempotentAnswer


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, when. `action` is like "client.change", `subject` an accountcode, a
    server's code or a queue's id; `details` holds each field's value before and after, and of keys
    the lookup part alone."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Activity:
    """What is going on: calls without an end by server and by client id, attempts started in the
    last minute."""

    calls_by_server: dict[int, int]
    calls_by_client: dict[int, int]
    attempts_last_minute: int


@dataclass(frozen=True, slots=True)
class RuntimeNote:
    """What a running worker last said under a name (like "links"), and when."""

    value: Any
    at: float
