"""Writes Originates, each at its turn on the wire, and takes in Asterisk's Response to each.

What an attempt was planned on is looked at again right before: it may have waited.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ami import ActionInvalid, ActionRejected, ActionTimeout, LinkDown, Message
from dialer.attempts import LiveAttempt, Stage
from dialer.clock import Clock
from dialer.departures import Departures
from dialer.errors import OwnershipLost, Refused, StoreUnavailable, TooLate
from dialer.failpoints import failpoints
from dialer.originate import build_originate, find_application
from dialer.pacing import RateGate
from dialer.planner import Planner
from dialer.recording import explain_refusal
from dialer.server_link import ServerLink
from dialer.slots import Slots
from dialer.store.contract import Store

log = logging.getLogger(__name__)

TRANSIENT = ("shutting down", "Originate failed")
"""Asterisk's error texts that do not mean that the same Originate would fail again."""


@dataclass(frozen=True, slots=True)
class DispatcherParts:
    """`slots`: None where there is no other worker. `take_back` and `never_sent` get attempts that
    did not leave; `pause` stops new ones for a while."""

    store: Store
    clock: Clock
    planner: Planner
    links: dict[int, ServerLink]
    slots: Slots | None
    max_call_duration: int
    safely: Callable[..., None]
    take_back: Callable[[LiveAttempt], None]
    never_sent: Callable[[LiveAttempt, str], None]
    pause: Callable[[], None]
    wake: Callable[[], None]


class Dispatcher:
    """All methods run in the event loop and return at once."""

    def __init__(self, parts: DispatcherParts) -> None:
        self._parts = parts
        self._planner = parts.planner
        self._slots = parts.slots
        self._departures = Departures(parts.planner)
        self._next_turn: asyncio.TimerHandle | None = None
        self._next_turn_at: float | None = None

    def gates(self, server_id: int, client_id: int) -> tuple[RateGate, RateGate]:
        """The gates of the wire."""
        return self._departures.gates(server_id, client_id)

    def clear(self, server_id: int | None = None) -> list[LiveAttempt]:
        """All that wait for their turns (there), who do not any more."""
        return self._departures.clear(server_id)

    def line_up(self, attempt: LiveAttempt) -> None:
        """An attempt in `cleared`; where workers share, with its turn."""
        self._departures.add(attempt)
        self.depart()

    def depart(self) -> None:
        """Write every Originate whose turn it is, and be here again at the next one's."""
        if self._slots is not None:
            while (late := self._departures.pop_late(self._parts.clock.monotonic())) is not None:
                self._slots.ask_turn(late)
        while (attempt := self._departures.pop(self._parts.clock.monotonic())) is not None:
            self._send(attempt)
        at = self._departures.next_at()
        if at == self._next_turn_at:
            return
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._next_turn_at, self._next_turn = at, None
        if at is not None:
            wait = max(0.0, at - self._parts.clock.monotonic())
            loop = asyncio.get_running_loop()
            self._next_turn = loop.call_later(wait, self._parts.safely, self._on_turn)

    def _on_turn(self) -> None:
        self._next_turn_at = self._next_turn = None
        self.depart()

    def _send(self, attempt: LiveAttempt) -> None:
        """Write the Originate. What it was planned on is looked at again: it may have waited."""
        placement = attempt.placement
        if not self._planner.may_leave(placement, self._parts.clock.now()):
            self._parts.take_back(attempt)
            return
        link = self._parts.links.get(placement.server.id)
        if link is None:
            self._parts.never_sent(attempt, "the server was removed")
            return
        try:
            self._originate(attempt, link)
        except Refused as error:
            attempt.repeats = True
            self._parts.never_sent(attempt, f"rejected by policy: {error}")
        except ActionInvalid as error:
            attempt.repeats = True
            self._parts.never_sent(attempt, str(error))
        except StoreUnavailable as error:  # of the file beside the database
            log.error("an Originate could not be noted", extra={"error": str(error)})
            self._parts.pause()
            self._parts.take_back(attempt)
        except LinkDown:
            flows = link.up if self._slots is None else link.flowing
            self._planner.set_up(placement.server.id, flows)
            self._parts.take_back(attempt)
        except TooLate:
            self._parts.take_back(attempt)
        except OwnershipLost:  # or it cannot be known: somebody else may own the server now
            self._parts.pause()
            self._parts.take_back(attempt)

    def _originate(self, attempt: LiveAttempt, link: ServerLink) -> None:
        placement = attempt.placement
        client = self._planner.client(placement.client.id)
        originate = build_originate(
            placement.candidate,
            client,
            channel_id=placement.channel_id,
            action_id=placement.action_id,
            cdr_id=placement.cdr_id,
            max_duration=self._parts.max_call_duration,
            policy=client.policy,
        )
        attempt.application, attempt.data = originate.application, originate.data
        if originate.application is None:  # recorded: the operator's dialplan runs it
            attempt.application, attempt.data = find_application(
                placement.candidate.payload, client, client.policy
            )
        if failpoints.armed:
            failpoints.reach("worker.originate.before")
        # Where another worker may come next, nothing may leave later than it is written here.
        if not (link.up if self._slots is None else link.flowing):
            raise LinkDown("the link is down")
        # From here on the end of this process leaves an attempt that may have rung.
        self._parts.store.note_sent(placement.channel_id)
        if failpoints.armed:
            failpoints.reach("worker.originate.noted")
        try:
            if self._slots is not None:
                self._slots.check_write(attempt)
            answer = link.originate(originate)
        except (LinkDown, ActionInvalid, OwnershipLost, TooLate):
            self._parts.store.note_unsent(placement.channel_id)
            raise
        if failpoints.armed:
            failpoints.reach("worker.originate.after")
        attempt.move(Stage.SENT)
        attempt.response_due = True
        attempt.sent_at, attempt.sent_mono = self._parts.clock.now(), self._parts.clock.monotonic()
        answer.add_done_callback(
            lambda done: self._parts.safely(self._answered, attempt, link, done)
        )

    def _answered(
        self, attempt: LiveAttempt, link: ServerLink, done: "asyncio.Future[Message]"
    ) -> None:
        """Asterisk's Response. What a lost link or a missing answer leaves open is left to
        reconciliation."""
        if failpoints.armed:
            failpoints.reach("worker.originate.answered")
        attempt.response_due = False
        if self._slots is not None:
            self._parts.wake()  # the server may be wanted by another worker, and this waited for
        placement, now = attempt.placement, self._parts.clock.monotonic()
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None or isinstance(error, ActionRejected):
            refused, took = error is not None, now - attempt.sent_mono
            if self._planner.answered(placement, took, now, refused=refused):
                self._parts.wake()
        elif isinstance(error, LinkDown) and attempt.stage is Stage.SENT:
            self._parts.store.note_unsent(attempt.channel_id)
            for follower in (link, self._parts.links.get(placement.server.id)):
                if follower is not None:
                    follower.forget(attempt.channel_id)
            self._parts.take_back(attempt)
        else:
            self._planner.unanswered(placement, now, lost=not isinstance(error, ActionTimeout))
            link.look()
            self._parts.wake()
        if isinstance(error, ActionRejected):
            attempt.repeats = not any(text in error.message for text in TRANSIENT)
            payload = attempt.placement.candidate.payload
            link.refuse(attempt.channel_id, explain_refusal(error.message, payload))
