"""The AMI links of the servers that this process drives: one each, where its settings say."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from ami import Address, AmiClient, LinkState, LinkTap, Timing
from dialer.breaker import BreakerState, Trouble
from dialer.clock import Clock
from dialer.errors import SettingsError
from dialer.planner import Planner
from dialer.server_link import LinkListener, ServerLink
from dialer.store.contract import Server
from dialer.telemetry import conceal
from dialer.upkeep import address_of
from dialer.worker import Worker

log = logging.getLogger(__name__)

DELIVERY_SECONDS: Final = 5.0
"""Where workers share servers: what an Asterisk does not confirm is sent again for so long, so that
no Originate arrives after another worker took the server. It ends a link that one worker alone
would keep over a network that is dead for some seconds, with all that Asterisk had to tell."""

HEARING = frozenset({LinkState.UP.value, LinkState.SHUTTING_DOWN.value})


@dataclass(frozen=True, slots=True)
class LinksParts:
    """`links` is what the worker sees of this; `tap_of` gives what records the link to the server
    with a code (None: nothing does). `shared`: other workers may take a server over."""

    clock: Clock
    planner: Planner
    worker: Worker
    links: dict[int, ServerLink]
    max_call_duration: int
    shared: bool
    tap_of: Callable[[str], LinkTap | None]


class Links:
    """All methods run in the event loop. Links run in the task group that `run_in` gave."""

    def __init__(self, parts: LinksParts) -> None:
        self._parts = parts
        self._planner = parts.planner
        self._worker = parts.worker
        self._links = parts.links
        timing = Timing(delivery_timeout=DELIVERY_SECONDS if parts.shared else None)
        self._make_client = partial(AmiClient, timing=timing)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[int, asyncio.Task[None]] = {}
        self._breakers: dict[int, BreakerState] = {}  # as they were told of
        self._problems: dict[int, str] = {}

    def run_in(self, tasks: asyncio.TaskGroup | None) -> None:
        """Where links run from now on; None: nowhere any more."""
        self._tasks = tasks

    def find_address(self, server: Server) -> Address | None:
        """Where and as whom to log in; None: it cannot be known here, which is told."""
        try:
            address = address_of(server)
        except SettingsError as error:
            if self._problems.get(server.id) != str(error):
                log.error("server cannot be used", extra={"server": server.code, "why": str(error)})
            self.complain(server.id, str(error))
            return None
        conceal(address.secret)
        self.complain(server.id, None)
        return address

    def complain(self, server_id: int, problem: str | None) -> None:
        """What operators are told of a server in place of its link's state; None: nothing."""
        if problem is None:
            self._problems.pop(server_id, None)
        else:
            self._problems[server_id] = problem

    def keep(self, server: Server) -> None:
        """Have a link to where the server's settings say, as whom they say."""
        address = self.find_address(server)
        link = self._links.get(server.id)
        if address is None:
            return
        if link is not None and link.address == address:
            link.server = server
            return
        self.end(server.id)
        self._start(
            server,
            ServerLink(
                server,
                address,
                LinkListener(
                    on_effects=self._worker.on_effects,
                    on_change=self._on_change,
                    on_reported=lambda link: self._worker.on_reported(link.server.id),
                    on_failure=self._worker.break_down,
                ),
                self._parts.clock,
                self._parts.max_call_duration,
                make_client=self._make_client,
                tap=self._parts.tap_of(server.code),
            ),
        )

    def _start(self, server: Server, link: ServerLink) -> None:
        assert self._tasks is not None
        self._links[server.id] = link
        self._worker.adopt_link(server.id, link)
        self._running[server.id] = self._tasks.create_task(link.run())

    def end(self, server_id: int) -> asyncio.Task[None] | None:
        """Have no link there any more; the task that is done when it is closed, if there was
        one."""
        if server_id not in self._links:
            return None
        del self._links[server_id]
        running = self._running.pop(server_id)
        running.cancel()
        self.complain(server_id, None)
        self._planner.set_up(server_id, False)
        return running

    def end_removed(self) -> None:
        """Leave servers that were removed and have no calls any more."""
        for server_id, link in list(self._links.items()):
            if link.server.removed and not self._worker.has_calls_on(server_id):
                self.end(server_id)

    def _on_change(self, link: ServerLink, renewed: bool) -> None:
        server_id = link.server.id
        if self._links.get(server_id) is not link:
            return  # it was replaced and is taking its leave
        was_up = self._planner.is_up(server_id)
        if renewed:
            self._planner.link_up(server_id)
        elif link.up:
            self._planner.set_up(server_id, True)
        elif was_up and link.state != LinkState.UP.value:
            shutting = link.state == LinkState.SHUTTING_DOWN.value
            trouble = Trouble.SHUTTING_DOWN if shutting else Trouble.LINK_LOST
            self._planner.link_down(server_id, trouble, self._parts.clock.monotonic())
        else:
            self._planner.set_up(server_id, False)
        self._worker.wake()

    def hears(self, server_id: int) -> bool:
        """Whether the link brings what happens there: also where Asterisk is shutting down, takes
        no new calls, and nobody else could log in."""
        link = self._links.get(server_id)
        return link is not None and link.state in HEARING

    @property
    def states(self) -> dict[str, str]:
        """The state of every link, by server code, for operators."""
        states = {link.server.code: link.state for link in self._links.values()}
        for server_id, problem in self._problems.items():
            states[self._planner.server(server_id).code] = problem
        return states

    @property
    def breakers(self) -> dict[str, str]:
        """The breakers that are not closed, by server code, for operators."""
        now = self._parts.clock.monotonic()
        found = {}
        for server_id, link in self._links.items():
            breaker = self._planner.breaker(server_id)
            if breaker.state is not BreakerState.CLOSED:
                found[link.server.code] = breaker.describe(now)
        return found

    def tell_breakers(self) -> None:
        """Log what opened, half-opened or closed: once each. A lost link tells of itself."""
        for server_id, link in self._links.items():
            breaker = self._planner.breaker(server_id)
            before = self._breakers.get(server_id, BreakerState.CLOSED)
            if breaker.state is before:
                continue
            self._breakers[server_id] = breaker.state
            level = logging.INFO if breaker.state is BreakerState.CLOSED else logging.WARNING
            state = breaker.describe(self._parts.clock.monotonic())
            log.log(level, "breaker", extra={"server": link.server.code, "state": state})
