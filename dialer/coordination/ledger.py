"""The slots that this process holds at Redis, and those that it frees. Pure.

It is the truth about its own: what Redis has besides is swept, what Redis lacks is put back.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from dialer.coordination.contract import HeldSlot


@dataclass(frozen=True, slots=True)
class Slot:
    server_id: int
    client_id: int


@dataclass(frozen=True, slots=True)
class Difference:
    """By channel: what Redis has too much, and what it lacks."""

    strays: tuple[str, ...]
    missing: Mapping[str, Slot]


@dataclass(slots=True)
class Ledger:
    """`held` and `leaving` (freed, and Redis has not confirmed it) by channel; `adopted`: servers
    whose slots are known to be ours alone, so that strays among them may be swept."""

    held: dict[str, Slot] = field(default_factory=dict)
    leaving: dict[str, int] = field(default_factory=dict)
    adopted: set[int] = field(default_factory=set)

    def add(self, channel_id: str, slot: Slot) -> None:
        self.held[channel_id] = slot
        self.leaving.pop(channel_id, None)  # what was freed before is another time's

    def free(self, channel_id: str) -> int | None:
        """The server that it was held for; None: it is not ours (any more)."""
        slot = self.held.pop(channel_id, None)
        if slot is None:
            return None
        self.leaving[channel_id] = slot.server_id
        return slot.server_id

    def doubt(self, channel_id: str, server_id: int) -> None:
        """It was asked for, and nobody knows whether it was granted."""
        self.leaving[channel_id] = server_id

    def arrived(self, channel_ids: Iterable[str]) -> None:
        for channel_id in channel_ids:
            self.leaving.pop(channel_id, None)

    def adopt(self, server_id: int, slots: Iterable[HeldSlot]) -> None:
        """These are live there, with those that we took ourselves."""
        self.adopted.add(server_id)
        for slot in slots:
            self.leaving.pop(slot.channel_id, None)
            self.held[slot.channel_id] = Slot(server_id, slot.client_id)

    def drop(self, server_id: int) -> None:
        """Somebody else's now: nothing of it is freed, also not again (the next owner may call
        under the same id), and nothing swept. Who comes next sweeps what was not freed."""
        self.adopted.discard(server_id)
        self.held = {
            channel: slot for channel, slot in self.held.items() if slot.server_id != server_id
        }
        self.leaving = {
            channel: server for channel, server in self.leaving.items() if server != server_id
        }

    def compare(self, server_id: int, listed: Mapping[str, int], asking: Set[str]) -> Difference:
        """`listed`: channel to client, as Redis has it; `asking`: channels whose grant is under
        way."""
        strays = [ch for ch in listed if ch not in self.held and ch not in asking]
        missing = {
            channel: slot
            for channel, slot in self.held.items()
            if slot.server_id == server_id and channel not in listed
        }
        return Difference(tuple(strays), missing)
