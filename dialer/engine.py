"""The dialing half of the product: links, planner, worker and what keeps them informed.

Built by `dialer.app`. One engine drives every Asterisk server of its store.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialer.clock import Clock
from dialer.coordination.contract import Signals
from dialer.delivery.sgapi import SgapiTarget
from dialer.errors import SettingsError, StoreUnavailable
from dialer.feeding import Feeder
from dialer.planner import Planner
from dialer.policy import DEFAULT_POLICY, Policy
from dialer.reporting import Reporter
from dialer.server_link import LinkListener, ServerLink
from dialer.store.contract import Delivery, EndedItem, NewDelivery, Server, Store
from dialer.upkeep import Upkeep, address_of
from dialer.worker import Worker, WorkerParts

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds after which the state for `dialer status` is written again though nothing changed."""

TIDY = 1.0
"""Seconds between two rounds of housekeeping that no event asks for."""


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


class Engine:
    """Start it with `run`; stop it with `drain`, then cancel `run`."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._links: dict[int, ServerLink] = {}
        self._link_tasks: dict[int, asyncio.Task[None]] = {}
        self._problems: dict[int, str] = {}
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
                policy_of=self._policy_of,
                request_refresh=lambda: self._upkeep.configuration_changed(),
                feed_lanes=lambda: self._feeder.feed(),
                max_call_duration=parts.max_call_duration,
            )
        )
        self._feeder = Feeder(parts.store, self.planner, parts.clock, self.worker.wake)
        self._upkeep = Upkeep(
            parts.store,
            self.planner,
            parts.clock,
            self._reporter,
            self._apply_servers,
            self.worker.wake,
            parts.wake_delivery,
        )

    @staticmethod
    def _policy_of(client_id: int) -> Policy:
        return DEFAULT_POLICY

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
                await self._upkeep.refresh()
                self.worker.resume(await self._store.open_attempts())
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
        return await self.worker.drain(seconds)

    def stop_waiting(self, seconds: float) -> None:
        """Shorten a drain under way to `seconds` from now."""
        self.worker.stop_waiting(seconds)

    # Links.

    def _apply_servers(self, servers: tuple[Server, ...]) -> None:
        for server in servers:
            link = self._links.get(server.id)
            if server.removed:
                if link is not None and not len(link.tracker):
                    self._end_link(server.id)
                continue
            try:
                address = address_of(server)
            except SettingsError as error:
                self._complain(server, str(error))
                continue
            self._problems.pop(server.id, None)
            if link is not None and link.address == address:
                link.server = server
                continue
            if link is not None:
                self._end_link(server.id)
            self._start_link(
                server,
                ServerLink(
                    server,
                    address,
                    LinkListener(self.worker.on_effects, self._on_up),
                    self._parts.clock,
                    self._parts.max_call_duration,
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
        self.planner.set_up(server_id, False)

    def _complain(self, server: Server, problem: str) -> None:
        if self._problems.get(server.id) != problem:
            self._problems[server.id] = problem
            log.error("server cannot be used", extra={"server": server.code, "why": problem})

    def _on_up(self, server_id: int, up: bool) -> None:
        self.planner.set_up(server_id, up)
        self.worker.wake()

    @property
    def links(self) -> dict[str, str]:
        """The state of every link, by server code, for operators."""
        states = {link.server.code: link.state for link in self._links.values()}
        for server_id, problem in self._problems.items():
            states[self.planner.server(server_id).code] = problem
        return states

    # Housekeeping.

    async def _keep_house(self) -> None:
        published: dict[str, object] = {}
        at = float("-inf")
        while True:
            self.planner.tidy()
            now = self._parts.clock.monotonic()
            state: dict[str, object] = {"links": self.links, "live": self.worker.live_calls}
            if state != published or now - at >= HEARTBEAT:
                published, at = state, now
                with contextlib.suppress(StoreUnavailable):
                    await self._store.put_runtime(state, self._parts.clock.now())
            await asyncio.sleep(TIDY)
