"""The dialing half of the product: links, planner, worker and what keeps them informed.

Built by `dialer.app`. One engine drives every Asterisk server of its store.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ami import LinkState, LinkTap
from dialer.breaker import BreakerState, Trouble
from dialer.clock import Clock
from dialer.coordination.contract import Signals
from dialer.delivery.sgapi import SgapiTarget
from dialer.errors import SettingsError, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.feeding import Feeder
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.server_link import LinkListener, ServerLink
from dialer.store.contract import (
    Delivery,
    EndedItem,
    NewDelivery,
    OpenAttempt,
    RecentStart,
    Server,
    Store,
)
from dialer.telemetry import conceal
from dialer.upkeep import STORE_RETRY, Upkeep, address_of
from dialer.worker import Worker, WorkerParts

log = logging.getLogger(__name__)

LOST = "another worker owns it; restart this one to have it back"

HEARTBEAT = 2.0
"""Seconds after which the state for `dialer status` is written again though nothing changed."""

TIDY = 1.0
"""Seconds between two rounds of housekeeping that no event asks for."""


MINUTE = 60.0
"""Seconds after which the log says how calls ended."""

LOOK_AGAIN = 30.0
"""Seconds between two looks whether a queue without waiting items is completed."""

SEEDED = 10.0
"""Seconds back that starts of an earlier life count for limits of calls per second (a limit may be
below one a second)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier life of this process left on disk."""

    attempts: tuple[OpenAttempt, ...]
    starts: tuple[RecentStart, ...]


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine needs from outside."""

    store: Store
    clock: Clock
    signals: Signals
    sgapi: SgapiTarget | None
    new_id: Callable[[], str]
    offer: Callable[[Sequence[Delivery]], None]
    wake_delivery: Callable[[], None]
    max_call_duration: int
    tap_of: Callable[[str], LinkTap | None] = lambda _: None
    """What records the link to the server with this code; None: nothing does."""


class Engine:
    """Start it with `run`; stop it with `drain`, then cancel `run`."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._links: dict[int, ServerLink] = {}
        self._link_tasks: dict[int, asyncio.Task[None]] = {}
        self._problems: dict[int, str] = {}
        self._fences: dict[int, int] = {}
        self._owning: set[int] = set()
        self._lost: set[int] = set()  # servers that another worker owns now
        self._breakers: dict[int, BreakerState] = {}  # as they were told of
        self._draining = False
        self._left: Left | None = None
        self._told_minute = 0.0
        self._looked_at: dict[int, float] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.planner = Planner(parts.new_id)
        self._reporter = Reporter(parts.sgapi, parts.offer)
        self.worker = Worker(
            WorkerParts(
                store=parts.store,
                clock=parts.clock,
                planner=self.planner,
                reporter=self._reporter,
                links=self._links,
                fences=self._fences,
                disown=self._disown,
                request_refresh=lambda: self._upkeep.configuration_changed(),
                feed_lanes=lambda: self._feeder.feed(),
                check_deadlines=lambda: self._upkeep.check_deadlines(),
                max_call_duration=parts.max_call_duration,
            )
        )
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

    def close_item(self, ended: EndedItem) -> tuple[NewDelivery, ...]:
        """The closing callback of an item that the API ends (store.contract.CloseItem)."""
        return self._reporter.closing_of(ended, self._parts.clock.now())

    async def run(self, ready: asyncio.Event) -> None:
        """Take over what an earlier life left, then dial until cancelled. Raises what is our own
        bug; `ready` is set when everything that is on disk is known."""
        unsubscribe = self._parts.signals.subscribe(self._upkeep)
        self._store.on_foreign_change(self._upkeep.configuration_changed)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._own([server.id for server in (await self._store.snapshot()).servers])
                since = self._parts.clock.now() - SEEDED
                self._left = Left(
                    await self._store.open_attempts(), await self._store.recent_starts(since)
                )
                if failpoints.armed:
                    failpoints.reach("start.left")
                await self._upkeep.refresh()
                if failpoints.armed:
                    failpoints.reach("start.resumed")
                tasks.create_task(self.worker.run())
                tasks.create_task(self._upkeep.keep_fresh())
                tasks.create_task(self._upkeep.expire())
                tasks.create_task(self._keep_house())
                self.worker.wake()
                ready.set()
        finally:
            self._tasks = None
            unsubscribe()
            await self._feeder.close()

    async def drain(self, seconds: float) -> list[str]:
        """Start no more calls and wait for the live ones; those that are left."""
        self._draining = True
        return await self.worker.drain(seconds)

    def stop_waiting(self, seconds: float) -> None:
        """Shorten a drain under way to `seconds` from now."""
        self.worker.stop_waiting(seconds)

    def follow_clock(self) -> None:
        """The wall clock was set: other items are due, and past their deadlines."""
        self.planner.rescan()
        self._upkeep.configuration_changed()
        self.worker.wake()

    # Links.

    def _apply_servers(self, servers: tuple[Server, ...]) -> None:
        if self._left is not None:
            # Before any link: calls that are live hold their slots, and their events find them.
            left, self._left = self._left, None
            self.worker.resume(left.attempts)
            self.worker.seed_rates(left.starts)
        for server in servers:
            if server.removed and not self.worker.has_calls_on(server.id):
                if server.id in self._links:
                    self._end_link(server.id)
            else:
                self._keep_link(server)

    def _keep_link(self, server: Server) -> None:
        """Have a link to where the server's settings say, as whom they say."""
        link = self._links.get(server.id)
        if server.id in self._lost:
            return
        if server.id not in self._fences:
            self._own_later(server.id)
            return
        try:
            address = address_of(server)
        except SettingsError as error:
            self._complain(server, str(error))
            return
        conceal(address.secret)
        self._problems.pop(server.id, None)
        if link is not None and link.address == address:
            link.server = server
            return
        if link is not None:
            self._end_link(server.id)
        self._start_link(
            server,
            ServerLink(
                server,
                address,
                LinkListener(
                    on_effects=self.worker.on_effects,
                    on_change=self._on_change,
                    on_reported=lambda link: self.worker.on_reported(link.server.id),
                    on_failure=self.worker.break_down,
                ),
                self._parts.clock,
                self._parts.max_call_duration,
                tap=self._parts.tap_of(server.code),
            ),
        )

    def _start_link(self, server: Server, link: ServerLink) -> None:
        assert self._tasks is not None
        self._links[server.id] = link
        self.worker.adopt_link(server.id, link)
        self._link_tasks[server.id] = self._tasks.create_task(link.run())

    def _end_link(self, server_id: int) -> None:
        del self._links[server_id]
        self._link_tasks.pop(server_id).cancel()
        self._problems.pop(server_id, None)
        self.planner.set_up(server_id, False)

    def _complain(self, server: Server, problem: str) -> None:
        if self._problems.get(server.id) != problem:
            self._problems[server.id] = problem
            log.error("server cannot be used", extra={"server": server.code, "why": problem})

    def _on_change(self, link: ServerLink, renewed: bool) -> None:
        server_id = link.server.id
        if self._links.get(server_id) is not link:
            return  # it was replaced and is taking its leave
        was_up = self.planner.is_up(server_id)
        if renewed:
            self.planner.link_up(server_id)
        elif link.up:
            self.planner.set_up(server_id, True)
        elif was_up and link.state != LinkState.UP.value:
            shutting = link.state == LinkState.SHUTTING_DOWN.value
            trouble = Trouble.SHUTTING_DOWN if shutting else Trouble.LINK_LOST
            self.planner.link_down(server_id, trouble, self._parts.clock.monotonic())
        else:
            self.planner.set_up(server_id, False)
        self.worker.wake()

    # Owning servers.

    async def _own(self, server_ids: Sequence[int]) -> None:
        self._fences.update(await self._store.own(server_ids))

    def _own_later(self, server_id: int) -> None:
        """A server that was added: its link starts when it is ours."""
        assert self._tasks is not None
        if server_id not in self._owning:
            self._owning.add(server_id)
            self._tasks.create_task(self._own_added(server_id))

    async def _own_added(self, server_id: int) -> None:
        try:
            await self._own([server_id])
        except StoreUnavailable as error:
            log.error("a server cannot be owned yet", extra={"error": str(error)})
            await asyncio.sleep(STORE_RETRY)
        self._owning.discard(server_id)
        self._upkeep.configuration_changed()

    def _disown(self, server_id: int) -> None:
        """Another worker owns the server: no more calls there from this process, which has to be
        started again to have it back."""
        if server_id in self._lost:
            return
        server = self.planner.server(server_id)
        log.critical("another worker owns this server now", extra={"server": server.code})
        self._lost.add(server_id)
        if server_id in self._links:
            self._end_link(server_id)
        self.planner.set_up(server_id, False)
        self._problems[server_id] = LOST

    @property
    def links(self) -> dict[str, str]:
        """The state of every link, by server code, for operators."""
        states = {link.server.code: link.state for link in self._links.values()}
        for server_id, problem in self._problems.items():
            states[self.planner.server(server_id).code] = problem
        return states

    @property
    def breakers(self) -> dict[str, str]:
        """The breakers that are not closed, by server code, for operators."""
        now = self._parts.clock.monotonic()
        found = {}
        for server_id, link in self._links.items():
            breaker = self.planner.breaker(server_id)
            if breaker.state is not BreakerState.CLOSED:
                found[link.server.code] = breaker.describe(now)
        return found

    def _tell_breakers(self) -> None:
        """Log what opened, half-opened or closed: once each. A lost link tells of itself."""
        for server_id, link in self._links.items():
            breaker = self.planner.breaker(server_id)
            before = self._breakers.get(server_id, BreakerState.CLOSED)
            if breaker.state is before:
                continue
            self._breakers[server_id] = breaker.state
            level = logging.INFO if breaker.state is BreakerState.CLOSED else logging.WARNING
            state = breaker.describe(self._parts.clock.monotonic())
            log.log(level, "breaker", extra={"server": link.server.code, "state": state})

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
        published: dict[str, object] = {}
        at = float("-inf")
        while True:
            now = self._parts.clock.monotonic()
            self._tidy(now)
            self._tell_breakers()
            self._tell_ends(self._parts.clock.now())
            state: dict[str, object] = {
                "links": self.links,
                "live": self.worker.live_calls,
                "stopping": self._draining,
                "breakers": self.breakers,
                "ends": self._reporter.ends.describe(self._parts.clock.now()),
            }
            if state != published or now - at >= HEARTBEAT:
                published, at = state, now
                with contextlib.suppress(StoreUnavailable):
                    await self._store.put_runtime(state, self._parts.clock.now())
            await asyncio.sleep(TIDY)

    def _tidy(self, now: float) -> None:
        """Let go of lanes that ran empty, queues that may be completed, and servers that were
        removed and have no calls any more."""
        self.planner.tidy()
        for queue_id in self.planner.idle_queues():
            if now - self._looked_at.get(queue_id, float("-inf")) >= LOOK_AGAIN:
                self._looked_at[queue_id] = now
                self._upkeep.check_queue(queue_id)
        self._looked_at = {q: at for q, at in self._looked_at.items() if self.planner.queue(q)}
        for server_id, link in list(self._links.items()):
            if link.server.removed and not self.worker.has_calls_on(server_id):
                self._end_link(server_id)
