"""What a worker among others asks for before it writes: a slot for each call, before it is put on
disk, and a turn on the wire, after that (`dialer.coordination.contract`).

Where there is no other worker none of this is made or asked.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dialer.attempts import LiveAttempt, Stage
from dialer.clock import Clock
from dialer.coordination.contract import Coordinator, HeldSlot, SlotWish, Turn, Verdict
from dialer.errors import OwnershipLost, TooLate
from dialer.planner import Placement, Planner

ASK_AGAIN: Final = 0.25
"""Seconds after which a client that had no slot is asked for again though nobody said that it has
room; `ASK_SOON` at the soonest, where it has turns by the second."""

ASK_SOON: Final = 0.02

CLOSED_PAUSE: Final = 1.0
"""Seconds without asking after nobody could be asked, unless there is room before."""

OLDEST: Final = 5.0
"""Seconds since the write of an attempt to disk began, after which it may leave no more: whoever
was stopped in between knows nothing of what happened meanwhile."""


@dataclass(frozen=True, slots=True)
class SlotsParts:
    """`may_start`: nothing is being stopped, and the server is ours; `start` puts a placement on
    disk; `line_up` and `take_back` are told what became of an attempt's turn."""

    coordinator: Coordinator
    clock: Clock
    planner: Planner
    safely: Callable[..., None]
    may_start: Callable[[Placement], bool]
    start: Callable[[Placement], None]
    line_up: Callable[[LiveAttempt], None]
    take_back: Callable[[LiveAttempt], None]
    wake: Callable[[], None]


class Slots:
    """All methods run in the event loop and return at once."""

    def __init__(self, parts: SlotsParts) -> None:
        self._parts = parts
        self._coordinator = parts.coordinator
        self._planner = parts.planner
        self._asking: dict[str, Placement] = {}
        self._closed_until = float("-inf")  # monotonic
        self._planner.share()

    def closed_for(self, now: float) -> float:
        """Seconds in which nothing need be asked, unless there is `room` before."""
        return max(0.0, self._closed_until - now)

    def room(self) -> None:
        """Slots may be had (again)."""
        self._closed_until = float("-inf")
        self._planner.room()

    def is_asking_on(self, server_id: int) -> bool:
        return any(placed.server.id == server_id for placed in self._asking.values())

    @property
    def idle(self) -> bool:
        return not self._asking

    # Slots.

    def ask(self, placement: Placement) -> None:
        """Ask for the slot of a placement that was just planned, which takes its way once it is
        granted."""
        client = self._planner.client(placement.client.id)
        wish = SlotWish(
            client_id=client.id,
            server_id=placement.server.id,
            channel_id=placement.channel_id,
            limit=client.allocated_channels,
            max_cps=client.max_cps,
        )
        self._asking[placement.channel_id] = placement
        asked = asyncio.ensure_future(self._coordinator.take(wish))
        asked.add_done_callback(lambda done: self._parts.safely(self._asked, placement, done))

    def _asked(self, placement: Placement, done: "asyncio.Future[Verdict]") -> None:
        del self._asking[placement.channel_id]
        if done.cancelled():
            return
        verdict, now = done.result(), self._parts.clock.monotonic()
        if verdict is Verdict.GRANTED and self._parts.may_start(placement):
            self._planner.granted(placement)
            self._parts.start(placement)
            self._parts.wake()
            return
        if verdict is Verdict.GRANTED:
            self._coordinator.free(placement.channel_id)
            self._planner.denied(placement, now)
        elif verdict is Verdict.FULL:
            self._planner.denied(placement, now, now + self._pause_of(placement.client.id))
        else:
            self._closed_until = now + CLOSED_PAUSE
            self._planner.denied(placement, now)
        self._parts.wake()

    def ask_again(self, placement: Placement) -> None:
        """Ask for the slot of a placement that was granted one under another id."""
        self._planner.asking(placement)
        self.ask(placement)

    def _pause_of(self, client_id: int) -> float:
        max_cps = self._planner.client(client_id).max_cps
        if max_cps is None:
            return ASK_AGAIN
        return min(ASK_AGAIN, max(ASK_SOON, 0.5 / max_cps))

    def free(self, placement: Placement) -> None:
        """Nothing is left of a call, or it never left: its client has room."""
        self._coordinator.free(placement.channel_id)
        self._planner.room(placement.client.id)

    def hold(self, server_id: int, attempts: list[LiveAttempt]) -> None:
        """These calls are on a server that was taken over, and no others."""
        slots = [
            HeldSlot(a.placement.client.id, server_id, a.channel_id, a.sent_at) for a in attempts
        ]
        self._coordinator.hold(server_id, slots)

    # Turns.

    def ask_turn(self, attempt: LiveAttempt) -> None:
        """An attempt in `cleared`: it lines up when it has a turn on the wire."""
        attempt.turn = None
        client = self._planner.client(attempt.placement.client.id)
        if client.max_cps is None:
            self._parts.line_up(attempt)
            return
        asked = asyncio.ensure_future(self._coordinator.turn(client.id, client.max_cps))
        asked.add_done_callback(lambda done: self._parts.safely(self._has_turn, attempt, done))

    def _has_turn(self, attempt: LiveAttempt, done: "asyncio.Future[Turn | None]") -> None:
        if done.cancelled() or attempt.stage is not Stage.CLEARED:
            return
        attempt.turn = done.result()
        if attempt.turn is not None and self._parts.may_start(attempt.placement):
            self._parts.line_up(attempt)
            return
        if attempt.turn is None:
            client_id = attempt.placement.client.id
            until = self._parts.clock.monotonic() + self._pause_of(client_id)
            self._planner.rest_client(client_id, until)
        self._parts.take_back(attempt)

    # The write.

    def check_write(self, attempt: LiveAttempt) -> None:
        """Looked at in the step of the write itself: this process may have been stopped since.
        Raises `OwnershipLost` where somebody else may own the server now, and `TooLate`, which says
        nothing of other attempts."""
        now = self._parts.clock.monotonic()
        if now >= self._coordinator.may_write_until(attempt.placement.server.id):
            raise OwnershipLost(attempt.placement.server.id)
        late = attempt.turn is not None and now > attempt.turn.not_after
        if late or now - attempt.reserved_mono > OLDEST:
            raise TooLate("its time to be written has gone by")
