"""What workers agree on among each other: who drives which server, what a client may start, and
wake-ups.

The truth is in the store. What is kept here can be rebuilt from it at any time; while it cannot be
had, nothing new is started (it fails closed) and what is live is followed to its end. Losing a
wake-up costs time, never a call. Adapters: `dialer.coordination.local` for one process,
`dialer.coordination.redis` for several.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Listener(Protocol):
    """Who wants to be woken. Called in the event loop; must return at once."""

    def items_added(self, queue_id: int) -> None:
        """A queue got items (it may be new)."""
        ...

    def queue_changed(self, queue_id: int) -> None:
        """A queue's status or retry rules changed."""
        ...

    def configuration_changed(self) -> None:
        """Servers or clients changed, or nobody knows what did."""
        ...


class Signals(Protocol):
    """The sending side. Adapters: `dialer.coordination.local`, `dialer.coordination.redis`."""

    def items_added(self, queue_id: int) -> None: ...
    def queue_changed(self, queue_id: int) -> None: ...
    def clients_changed(self) -> None: ...
    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Start waking `listener`; the returned function stops it."""
        ...


class Verdict(StrEnum):
    """What became of the wish for a slot."""

    GRANTED = "granted"
    FULL = "full"  # the client has no slot, or no turn soon; `Driver.room` tells when to ask again
    CLOSED = "closed"  # nobody may be asked now; `Driver.room` tells when again


@dataclass(frozen=True, slots=True)
class SlotWish:
    """One slot of a client for one call on one server. `limit` and `max_cps` (None: no limit) are
    the client's, over all servers and workers, as the wishing worker knows them."""

    client_id: int
    server_id: int
    channel_id: str
    limit: int
    max_cps: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """When one Originate of a client may be written: monotonic seconds of this process. Later than
    `not_after` the turn has gone by, and another is asked for."""

    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class HeldSlot:
    """A call that may be live, as the store knows it. `started_at`: epoch seconds."""

    client_id: int
    server_id: int
    channel_id: str
    started_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """What the store says is held, to rebuild from: open attempts, and recent starts as
    (client_id, epoch seconds)."""

    slots: tuple[HeldSlot, ...]
    starts: tuple[tuple[int, float], ...]


class Driver(Protocol):
    """Who drives servers: the engine. Called in the event loop; must return at once."""

    def server_granted(self, server_id: int) -> None:
        """The lease is this worker's: take over its open attempts, then connect and dial."""
        ...

    def server_wanted(self, server_id: int) -> None:
        """Another worker is to have it: start nothing more there, put what is under way on disk,
        disconnect, then call `Coordinator.give_up`. Live calls are the other's to follow. It may be
        said again meanwhile."""
        ...

    def server_lost(self, server_id: int) -> None:
        """The lease is gone: another worker may have it already. Let go of its calls."""
        ...

    def room(self) -> None:
        """Slots, turns or leases may be had (again): plan anew."""
        ...


class Coordinator(Protocol):
    """One worker's part in it. `shared` False: there is no other worker, and everything is granted
    at once; the worker then asks for no slots and no turns."""

    @property
    def shared(self) -> bool: ...
    @property
    def trouble(self) -> str | None:
        """Why nothing is granted now, for operators; None: all is well."""
        ...

    async def open(self) -> None:
        """Connect. Raises `CoordinationUnavailable` when it cannot be reached at the start."""
        ...

    async def run(self, driver: Driver) -> None:
        """Be a member, keep leases, rebuild what was lost; until cancelled. Never raises for a
        peer that is gone: it comes back."""
        ...

    async def close(self) -> None:
        """Leave: every lease is given back at once."""
        ...

    def offer(self, server_ids: Collection[int], doubtful: Collection[int] = ()) -> None:
        """The servers that exist and may be driven from here; asked for leases of those. One that
        is missing is not asked for any more; a lease of it stays until it is given up.

        `doubtful`: those among them that could not be driven from here of late. They are left to
        workers who offer them without doubt (`Driver.server_wanted`, once one did for some
        seconds), and asked for only while nobody does."""
        ...

    async def give_up(self, server_id: int) -> None:
        """Nothing of this worker will be written to it any more: another may have it."""
        ...

    def may_write_until(self, server_id: int) -> float:
        """Monotonic seconds until which an Originate may be written to this server: looked at in
        the same step as the write. It ends before anybody else can be granted the server, and
        before slots are granted by anything that does not know of ours. -inf: not now."""
        ...

    def take(self, wish: SlotWish) -> Awaitable[Verdict]:
        """Take a slot, before the attempt is put on disk. Never raises: what cannot be asked is
        `CLOSED`, and holds nothing for longer than the peer is away."""
        ...

    def turn(self, client_id: int, max_cps: float | None) -> Awaitable[Turn | None]:
        """The next turn on the wire, after the attempt is on disk. Never more than `max_cps` turns
        of a client in any rolling second, over all workers. None: it cannot be had now, or comes
        more than half a second ahead; `Driver.room` tells when to ask again."""
        ...

    def free(self, channel_id: str) -> None:
        """Nothing is left of the call; repeated inside until it has arrived."""
        ...

    def hold(self, server_id: int, slots: Iterable[HeldSlot]) -> None:
        """The server was taken over with these calls: of what others held there they alone are
        left. Said once after every `Driver.server_granted`, also with none: until then everything
        that was counted there stays counted."""
        ...

    async def live(self) -> dict[int, int]:
        """Slots held by client id, over all workers, for operators; empty while nobody can be
        asked."""
        ...


Rebuild = Callable[[], Awaitable[Held]]
"""Reads the store: what a `Coordinator` starts anew from."""
