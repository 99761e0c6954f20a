"""The dialing half of the product: links, planner, worker and what keeps them informed.

Built by `dialer.app`. Alone, one engine drives every Asterisk server of its store; among others,
those that the coordinator grants it (`dialer.ownership`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ami import LinkTap
from dialer.clock import Clock
from dialer.coordination.contract import Coordinator, Signals
from dialer.delivery.sgapi import SgapiTarget
from dialer.errors import StoreUnavailable
from dialer.feeding import Feeder
from dialer.fitness import Fitness, Patience
from dialer.links import Links, LinksParts
from dialer.ownership import Ownership, OwnershipParts, Tenure
from dialer.planner import Planner
from dialer.presence import Presence
from dialer.reporting import Reporter
from dialer.server_link import ServerLink
from dialer.store.contract import Delivery, Server, Store
from dialer.upkeep import Upkeep
from dialer.worker import Worker, WorkerParts

log = logging.getLogger(__name__)

HEARTBEAT = 2.0
"""Seconds after which the state for `dialer status` is written again though nothing changed."""

TIDY = 1.0
"""Seconds between two rounds of housekeeping that no event asks for."""


MINUTE = 60.0
"""Seconds after which the log says how calls ended."""

LOOK_AGAIN = 30.0
"""Seconds between two looks whether a queue without waiting items is completed."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine needs from outside."""

    store: Store
    clock: Clock
    signals: Signals
    coordinator: Coordinator
    presence: Presence
    sgapi: SgapiTarget | None
    new_id: Callable[[], str]
    offer: Callable[[Sequence[Delivery]], None]
    wake_delivery: Callable[[], None]
    max_call_duration: int
    tap_of: Callable[[str], LinkTap | None] = lambda _: None
    """What records the link to the server with this code; None: nothing does."""
    patience: Patience = field(default_factory=Patience)


class Engine:
    """Start it with `run`; stop it with `drain`, then cancel `run`."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._coordinator = parts.coordinator
        links: dict[int, ServerLink] = {}
        fences: dict[int, int] = {}
        self._known: set[int] = set()  # servers
        self._looked_through: set[int] = set()  # removed servers that have no calls any more
        self._draining = False
        self._drain_until = 0.0  # monotonic
        self._handing_over: asyncio.Timeout | None = None
        self._told_minute = 0.0
        self._looked_at: dict[int, float] = {}
        begun = parts.clock.monotonic()
        self._fitness = Fitness(parts.patience, stored_at=begun, noted_at=begun)
        self._drivable: list[int] = []
        self._doubtful: frozenset[int] = frozenset()
        self.planner = Planner(parts.new_id)
        self._reporter = Reporter(parts.sgapi, parts.offer)
        self.worker = self._make_worker(links, fences)
        self._feeder = Feeder(
            parts.store, self.planner, parts.clock, self.worker.wake, self.worker.break_down
        )
        self._upkeep = Upkeep(
            parts.store,
            self.planner,
            parts.clock,
            self._reporter,
            self._apply_servers,
            self.worker.wake,
            parts.wake_delivery,
        )
        self._links = Links(
            LinksParts(
                clock=parts.clock,
                planner=self.planner,
                worker=self.worker,
                links=links,
                max_call_duration=parts.max_call_duration,
                shared=parts.coordinator.shared,
                tap_of=parts.tap_of,
            )
        )
        self.ownership = Ownership(
            OwnershipParts(
                store=parts.store,
                clock=parts.clock,
                coordinator=parts.coordinator,
                planner=self.planner,
                worker=self.worker,
                links=self._links,
                fences=fences,
                refresh=self._upkeep.refresh,
                cut_off=self._is_cut_off,
            )
        )

    def _make_worker(self, links: dict[int, ServerLink], fences: dict[int, int]) -> Worker:
        parts = self._parts
        return Worker(
            WorkerParts(
                store=parts.store,
                clock=parts.clock,
                planner=self.planner,
                reporter=self._reporter,
                coordinator=parts.coordinator,
                links=links,
                fences=fences,
                disown=lambda server_id: self.ownership.disown(server_id),
                request_refresh=lambda: self._upkeep.configuration_changed(),
                feed_lanes=lambda: self._feeder.feed(),
                check_deadlines=lambda: self._upkeep.check_deadlines(),
                max_call_duration=parts.max_call_duration,
            )
        )

    async def run(self, ready: asyncio.Event) -> None:
        """Take over what an earlier life left, then dial until cancelled. Raises what is our own
        bug; `ready` is set when everything that is on disk of our servers is known: of all, where
        there is no other worker."""
        unsubscribe = self._parts.signals.subscribe(self._upkeep)
        self._store.on_foreign_change(self._upkeep.configuration_changed, self._parts.wake_delivery)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._links.run_in(tasks)
                self._fitness.stored(self._parts.clock.monotonic())
                await self._upkeep.refresh()
                tasks.create_task(self.worker.run())
                tasks.create_task(self.ownership.run())
                tasks.create_task(self._coordinator.run(self.ownership))
                if not self._coordinator.shared:
                    await asyncio.sleep(0)  # everything is granted
                    await self.worker.wait_until(lambda: self.ownership.settled)
                tasks.create_task(self._upkeep.keep_fresh())
                tasks.create_task(self._upkeep.expire())
                tasks.create_task(self._keep_house())
                tasks.create_task(self._tell_state())
                self.worker.wake()
                ready.set()
        finally:
            self._links.run_in(None)
            unsubscribe()
            await self._feeder.close()

    async def drain(self, seconds: float) -> list[str]:
        """Start no more calls and wait for the live ones; those that are left. Where other workers
        are, they take over the servers with their live calls."""
        self._draining = True
        self._drain_until = self._parts.clock.monotonic() + seconds
        if self._coordinator.shared and await self._has_peers():
            await self._hand_over()
        return await self.worker.drain(max(0.0, self._drain_until - self._parts.clock.monotonic()))

    async def _hand_over(self) -> None:
        self._coordinator.offer(())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._drain_until) as self._handing_over:
                await self.ownership.hand_over_all()
        self._handing_over = None

    async def _has_peers(self) -> bool:
        try:
            return await self._parts.presence.has_peers()
        except StoreUnavailable as error:
            log.error("other workers cannot be looked for", extra={"error": str(error)})
            return False

    def stop_waiting(self, seconds: float) -> None:
        """Shorten a drain under way to `seconds` from now."""
        self._drain_until = self._parts.clock.monotonic() + seconds
        if self._handing_over is not None:
            self._handing_over.reschedule(self._drain_until)
        self.worker.stop_waiting(seconds)

    def follow_clock(self) -> None:
        """The wall clock was set: other items are due, and past their deadlines."""
        self.planner.rescan()
        self._upkeep.configuration_changed()
        self.worker.wake()

    def _apply_servers(self, servers: tuple[Server, ...]) -> None:
        """Offer what may be driven from here, and keep the links of what is ours as it says."""
        shared = self._coordinator.shared
        self._drivable = []
        for server in servers:
            if server.id not in self._known:
                self._known.add(server.id)
                self.planner.set_ours(server.id, False)  # until it is granted
            ours = self.ownership.is_ours(server.id)
            left = server.removed and not self.worker.has_calls_on(server.id)
            if left:
                self._links.end(server.id)
            elif ours:
                self._links.keep(server)
            # A removed one is looked through for what is open there, once.
            done = left and (ours or server.id in self._looked_through)
            if done:
                self._looked_through.add(server.id)
            # Alone, one whose secret is missing is ours all the same: its calls hold their slots.
            if not (shared and (done or (not ours and self._links.find_address(server) is None))):
                self._drivable.append(server.id)
        self._offer()

    def _offer(self) -> None:
        if not self._draining:
            self._coordinator.offer(self._drivable, self._doubtful)

    # Whether it can do its work.

    def _is_cut_off(self) -> bool:
        """Nothing can be written to the database for some time, and another worker may be able."""
        return self._coordinator.shared and self._fitness.cut_off(self._parts.clock.monotonic())

    def _look_at_fitness(self, now: float) -> None:
        """Leave to others what cannot be driven from here."""
        self._fitness.stored(max(self._fitness.stored_at, self.worker.written_at))
        if self._parts.store.can_note():
            self._fitness.noted(now)
        servers = [self.planner.server(server_id) for server_id in self._owned()]
        links = {s.id: self._links.hears(s.id) for s in servers if not s.removed}
        self._fitness.look(links, now)
        doubtful = self._fitness.doubtful(self._drivable, now)
        if doubtful == self._doubtful:
            return
        codes = sorted(self.planner.server(server_id).code for server_id in doubtful)
        log.warning("servers that are left to workers who can drive them", extra={"servers": codes})
        self._doubtful = doubtful
        self._offer()

    @property
    def links(self) -> dict[str, str]:
        """The state of every link, by server code, for operators."""
        return self._links.states

    def _owned(self) -> list[int]:
        stages = self.ownership.stages
        return [server_id for server_id, stage in stages.items() if stage is Tenure.OURS]

    @property
    def breakers(self) -> dict[str, str]:
        """The breakers that are not closed, by server code, for operators."""
        return self._links.breakers

    def _tell_ends(self, now: float) -> None:
        """Log how the calls of each minute ended, when it is over."""
        if now // MINUTE == self._told_minute:
            return
        self._told_minute = now // MINUTE
        told = self._reporter.ends.describe_minute(now)
        if told is not None:
            log.info("calls ended within a minute", extra=told)

    # Housekeeping.

    async def _keep_house(self) -> None:
        while True:
            now = self._parts.clock.monotonic()
            self._tidy(now)
            self._links.tell_breakers()
            self._tell_ends(self._parts.clock.now())
            if self._coordinator.shared:
                self._look_at_fitness(now)
            await asyncio.sleep(TIDY)

    async def _tell_state(self) -> None:
        """For operators and other processes; that it can be written is a sign of fitness."""
        published: dict[str, object] = {}
        at = float("-inf")
        while True:
            state, now = self._describe(), self._parts.clock.monotonic()
            if state != published or now - at >= HEARTBEAT:
                with contextlib.suppress(StoreUnavailable):
                    await self._parts.presence.say(state)
                    published, at = state, now
                    self._fitness.stored(self._parts.clock.monotonic())
            await asyncio.sleep(TIDY)

    def _describe(self) -> dict[str, object]:
        return {
            "links": self.links,
            "live": self.worker.live_calls,
            "drives": [self.planner.server(server_id).code for server_id in self._owned()],
            "stopping": self._draining,
            "breakers": self.breakers,
            "ends": self._reporter.ends.describe(self._parts.clock.now()),
            "trouble": self._coordinator.trouble,
        }

    def _tidy(self, now: float) -> None:
        """Let go of lanes that ran empty, queues that may be completed, and servers that were
        removed and have no calls any more."""
        self.planner.tidy()
        for queue_id in self.planner.idle_queues():
            if now - self._looked_at.get(queue_id, float("-inf")) >= LOOK_AGAIN:
                self._looked_at[queue_id] = now
                self._upkeep.check_queue(queue_id)
        self._looked_at = {q: at for q, at in self._looked_at.items() if self.planner.queue(q)}
        self._links.end_removed()
