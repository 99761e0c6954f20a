"""Callbacks about calls that go on, `call_started` and `call_answered`: on disk as they are
reached, once for each attempt, and only for clients that asked for them.

They are stored before the end of the same call or not at all: an end is never kept waiting.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ami import Progress
from dialer.attempts import LiveAttempt, Stage
from dialer.clock import Clock
from dialer.delivery.callback import Reached
from dialer.errors import OwnershipLost, StoreUnavailable
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.states import CallbackEvent
from dialer.store.contract import Delivery, Store, Telling

TELL_RETRY: Final = 0.5
"""Seconds before what could not be written is tried again, while its call goes on."""

EVENTS: Final[Mapping[Progress, CallbackEvent]] = MappingProxyType(
    {Progress.STARTED: CallbackEvent.STARTED, Progress.ANSWERED: CallbackEvent.ANSWERED}
)

Stored = asyncio.Future[tuple[Delivery, ...]]


@dataclass(frozen=True, slots=True)
class TellerParts:
    """As `dialer.settling.SettlerParts`."""

    store: Store
    clock: Clock
    planner: Planner
    reporter: Reporter
    fence_of: Callable[[int], int]
    safely: Callable[..., None]
    on_lost: Callable[[int, int], None]


class Teller:
    """All methods run in the event loop and return at once."""

    def __init__(self, parts: TellerParts) -> None:
        self._parts = parts

    def tell(self, attempt: LiveAttempt, progress: Progress, at: float) -> None:
        """A call of a client that asked for some event reached `progress` at `at`."""
        event = EVENTS.get(progress)
        if event is None:
            return
        if event is CallbackEvent.STARTED:
            attempt.started_at = at
        place = attempt.placement
        now = self._parts.clock.now()
        reached = Reached(
            event=event,
            candidate=place.candidate,
            server_code=place.server.code,
            cdr_id=place.cdr_id,
            channel_id=place.channel_id,
            attempt=place.number,
            started_at=attempt.started_at,
        )
        client = self._parts.planner.client(place.client.id)
        delivery = self._parts.reporter.progress_of(reached, client, now)
        if delivery is not None:
            fence = self._parts.fence_of(place.server.id)
            self._store(attempt, Telling(place.channel_id, event, delivery, now, fence))

    def _store(self, attempt: LiveAttempt, telling: Telling) -> None:
        if attempt.stage is not Stage.SENT:
            return  # it ended while this could not be written
        stored: Stored = asyncio.ensure_future(self._parts.store.tell(telling))
        stored.add_done_callback(
            lambda done: self._parts.safely(self._stored, attempt, telling, done)
        )

    def _stored(self, attempt: LiveAttempt, telling: Telling, done: Stored) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._parts.reporter.offer(done.result())
        elif isinstance(error, StoreUnavailable):
            loop = asyncio.get_running_loop()
            loop.call_later(TELL_RETRY, self._parts.safely, self._store, attempt, telling)
        elif isinstance(error, OwnershipLost):
            self._parts.on_lost(error.server_id, telling.fence)
        else:
            raise error
