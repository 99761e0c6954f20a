"""What the planner knows of each server and client: limits, what is live, and what holds it up.

Times are monotonic seconds, of this process.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

from dialer.backpressure import Window
from dialer.breaker import Breaker
from dialer.fairness import FairShare
from dialer.lanes import Lane
from dialer.pacing import RateGate
from dialer.store.contract import Client, Server


@dataclass(slots=True)
class ServerState:
    """One server. `ours`: this worker may start calls there."""

    server: Server
    up: bool = False
    ours: bool = True
    live: int = 0
    gate: RateGate = field(default_factory=RateGate)
    window: Window = field(default_factory=Window)
    breaker: Breaker = field(default_factory=Breaker)
    shares: FairShare = field(default_factory=FairShare)
    working: dict[int, dict[int, Lane]] = field(default_factory=dict)  # client → queue → lane
    live_ids: list[str] = field(default_factory=list)  # lower case, sorted

    def has_room(self, now: float) -> bool:
        limit = self.server.max_channels
        return (limit is None or self.live < limit) and self.window.has_room(now)

    @property
    def ready(self) -> bool:
        return self.up and self.ours and not self.server.paused and not self.server.removed

    def refuses(self, channel_id: str) -> bool:
        """Asterisk refuses an id that begins a live one, in any case (docs/ami-notes.md)."""
        wanted = channel_id.lower()
        place = bisect_left(self.live_ids, wanted)
        return place < len(self.live_ids) and self.live_ids[place].startswith(wanted)


@dataclass(slots=True)
class ClientState:
    """One client, as far as this worker's own calls tell; of the calls of others it learns by
    being refused a slot. `trial`: how many slots may be asked for at once since then (None: as many
    as are free here)."""

    client: Client
    live: int = 0
    gate: RateGate = field(default_factory=RateGate)
    full_until: float = float("-inf")  # others hold what is left of its slots: not asked before
    trial: int | None = None
    asked: int = 0  # slots that are being asked for

    @property
    def has_room(self) -> bool:
        return (
            self.client.may_dial
            and self.live < self.client.allocated_channels
            and (self.trial is None or self.asked < self.trial)
        )

    def opens_at(self) -> float:
        """When its next call may be planned, as far as time decides it."""
        return max(self.gate.earliest(), self.full_until)

    def may_use(self, server_id: int) -> bool:
        return not self.client.server_ids or server_id in self.client.server_ids

    def refuse(self, until: float) -> None:
        """A slot was refused: ask for one alone, `until` then or when there is room."""
        self.full_until, self.trial = until, 1

    def grant(self) -> None:
        """A slot was granted: ask for more at once, twice as many each time."""
        if self.trial is not None:
            self.trial *= 2
            if self.trial >= self.client.allocated_channels:
                self.trial = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Whose slot a call holds."""

    server_id: int
    client_id: int
