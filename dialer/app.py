"""The composition root: the only place that joins the parts into a process.

`Product` is one process of the product: `dialer run` is API, worker and delivery in one, over one
store; with PostgreSQL and Redis each of them may be processes of its own (`dialer.backends.Role`).
"""

import asyncio
import gc
import logging
import os
import random
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from dialer.api.app import ApiDeps, create_api, create_health
from dialer.api.server import serve
from dialer.backends import Role, open_backends
from dialer.clock import Clock, SystemClock
from dialer.clock_keeping import ClockKeeper, Keeper, SharedClockKeeper
from dialer.delivery.forwarding import forward_left
from dialer.delivery.outbox import Deliverer, Sharing
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.sender import Sender, SenderSettings
from dialer.delivery.sgapi import SgapiTarget
from dialer.engine import HEARTBEAT, Engine, EngineParts
from dialer.errors import Conflict, SettingsError, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.ids import Ids
from dialer.presence import Presence
from dialer.reporting import Reporter
from dialer.settings import Settings
from dialer.signing_key import load_signing_key
from dialer.store.contract import Delivery, EndedItem, NewDelivery
from dialer.telemetry import conceal
from dialer.traces import TraceFolder

log = logging.getLogger(__name__)

DELIVERY_DRAIN = 5.0
"""Seconds that deliveries get to leave after the last call ended; the rest stays in the outbox."""

API_DRAIN = 6.0
"""Seconds that requests under way get to end: a little more than the server itself gives them."""

GC_THRESHOLDS = (5_000, 1_000, 1_000)
"""The cyclic collector stops the loop while it looks. Our hot path makes no cycles, so it need not
look often at what lives long; a large youngest generation made it stop for 40 to 60 ms while
batches came in (bench/ingest.py), a small one for less than 10."""


class Product:
    """One process in one event loop. `run` it, or `start` and `stop` it."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, role: Role = Role.RUN
    ) -> None:
        self.settings = settings
        self.role = role
        self.http_port = 0
        self.ready = asyncio.Event()
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._listening = asyncio.Event()
        self._dialing = asyncio.Event()
        self._drain_seconds = settings.drain_timeout
        self._running: asyncio.Task[None] | None = None
        conceal(*settings.secrets)
        self._ids = Ids(os.urandom)
        self._sgapi = (
            SgapiTarget(settings.sgapi_url, settings.sgapi_entity) if settings.sgapi_url else None
        )
        self._backends = open_backends(settings, self._clock)
        self.store = self._backends.store
        self.signals = self._backends.signals
        self._presence = Presence(self.store, self._clock, role.value, os.urandom(8).hex())
        self._receivers = ReceiverBook(self.store, lambda: load_signing_key(settings))
        self._deliverer = self._make_deliverer()
        self._offer = self._deliverer.offer if role.delivers else _leave
        self._wake_delivery = self._deliverer.wake if role.delivers else _do_nothing
        self._traces = TraceFolder(settings.record_dir, self._clock.now, settings.record_max_mb)
        self.engine = self._make_engine()
        self._reporter = Reporter(self._sgapi, self._offer)

    def _make_engine(self) -> Engine:
        return Engine(
            EngineParts(
                store=self.store,
                clock=self._clock,
                signals=self.signals,
                coordinator=self._backends.coordinator,
                presence=self._presence,
                sgapi=self._sgapi,
                new_id=lambda: self._ids.new(self._clock.now()),
                offer=self._offer,
                wake_delivery=self._wake_delivery,
                max_call_duration=self.settings.max_call_duration,
                tap_of=self._traces.tap_of,
            )
        )

    def _make_deliverer(self) -> Deliverer:
        token = self.settings.sgapi_token
        settings = SenderSettings(
            allow_private=self.settings.callback_allow_private,
            sgapi_address=self._sgapi.address if self._sgapi else None,
            sgapi_token=token.get_secret_value() if token else None,
        )
        sender = Sender(self._clock, settings, self._receivers.secrets_of)
        rng = random.SystemRandom()
        follows = Sharing(lambda: self._presence.leads(Role.RUN, Role.DELIVER))
        sharing = follows if self._backends.shared else None
        return Deliverer(self.store, self._clock, sender, self._receivers, rng, sharing=sharing)

    def _readiness(self) -> dict[str, bool]:
        parts = {"store": self._dialing.is_set() and self.store.trouble is None}
        if self.role.dials:
            parts["worker"] = self.ready.is_set()
            if self._backends.shared:
                parts["coordination"] = self._backends.coordinator.trouble is None
        return parts

    async def start(self) -> None:
        """Start in the background; returns when all its parts are at work. Raises what made it
        fail."""
        self._running = asyncio.get_running_loop().create_task(self.run())
        waiting = asyncio.get_running_loop().create_task(self.ready.wait())
        await asyncio.wait({self._running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._running

    async def stop(self, drain: float | None = None) -> None:
        """Start no more calls, give the live ones `drain` seconds, and end."""
        self.request_stop(drain)
        if self._running is not None:
            await self._running

    def request_stop(self, drain: float | None = None) -> None:
        """What a SIGTERM does; a second one with `drain` 0 cuts the waiting short."""
        if drain is not None:
            self._drain_seconds = drain
            self.engine.stop_waiting(drain)
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    async def run(self) -> None:
        """Run until `request_stop`, or until a part fails, which ends all others."""
        await self._open()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            keeper = await self._prepare()
            async with asyncio.TaskGroup() as tasks:
                api_stop = asyncio.Event()
                serving = tasks.create_task(self._serve(api_stop))
                parts = [serving, *map(tasks.create_task, self._parts(keeper))]
                await self._dialing.wait()
                await self._listening.wait()
                self.ready.set()
                if failpoints.armed:
                    failpoints.reach("start.ready")
                await self._stop.wait()
                self.ready.clear()
                await self._wind_down()
                api_stop.set()
                await asyncio.wait([serving], timeout=API_DRAIN)
                for part in parts:
                    part.cancel()
            with suppress(StoreUnavailable):  # what is on disk is taken over all the same
                await self._presence.leave()
        finally:
            self._traces.close()
            if self.role.dials:  # last: nothing of this worker is written any more
                await self._backends.coordinator.close()
            await self._backends.close()

    async def _open(self) -> None:
        try:
            await self._backends.open()
            if failpoints.armed:
                failpoints.reach("start.opened")
            if self.role.dials:
                await self.store.claim()
                await self._backends.coordinator.open()
        except BaseException as error:
            await self._backends.close()
            if isinstance(error, Conflict):
                raise SettingsError(f"{error} ({self.settings.database_url})") from None
            raise
        if failpoints.armed:
            failpoints.reach("start.claimed")

    async def _prepare(self) -> Keeper | None:
        """Before anything runs. The keeper of the clock, where there is one."""
        # A signing key that cannot be had is told at once.
        if self.role.serves:
            load_signing_key(self.settings)
        if self.role.delivers:
            await self._receivers.refresh()
        keeper = self._make_keeper()
        if keeper is not None:
            await keeper.start()
        if self.role.dials and self._sgapi is None:  # before any call can end
            await self.store.forward_unsent(None, self._clock.now(), 0)
        return keeper

    def _parts(self, keeper: Keeper | None) -> list[Coroutine[Any, Any, None]]:
        """What this process does beside answering HTTP."""
        parts: list[Coroutine[Any, Any, None]] = []
        signals = self._backends.run()
        if signals is not None:
            parts.append(signals)
        if keeper is not None:
            parts.append(keeper.run())
        if self.role.delivers:
            parts += [self._deliverer.run(), self._forward_left()]
        if self.role.dials:
            parts.append(self.engine.run(self._dialing))
        else:
            parts.append(self._keep_note())
            self._dialing.set()
        return parts

    def _make_keeper(self) -> Keeper | None:
        """None where time is in somebody else's hands. Several processes go by the database's
        clock, each of them."""
        if not isinstance(self._clock, SystemClock):
            return None
        if self._backends.shared:
            return SharedClockKeeper(self._clock, self.store, self.engine.follow_clock)
        return ClockKeeper(self._clock, self.store, self.engine.follow_clock)

    async def _keep_note(self) -> None:
        """A process that does not dial says that it is there; one that does says more."""
        if self.role.delivers:
            self.store.on_foreign_change(self._deliverer.wake)
        while True:
            with suppress(StoreUnavailable):
                await self._presence.say({"stopping": self.stopping})
            await asyncio.sleep(HEARTBEAT)

    async def _forward_left(self) -> None:
        """Send what was put, or ended, while there was no SGAPI_URL."""
        if self._sgapi is not None:
            wake = self._deliverer.wake
            await forward_left(self.store, self._sgapi, self._clock, wake, asyncio.sleep)

    def _serve(self, stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        host, port = self.settings.http_host, self.settings.http_port
        if self.role.serves:
            return serve(create_api(self._api_deps()), host, port, self._on_listening, stop)
        health_port = self.settings.health_port
        if health_port is None:
            self._listening.set()
            return _wait(stop.wait())
        return serve(create_health(self._readiness), host, health_port, self._on_listening, stop)

    def _api_deps(self) -> ApiDeps:
        return ApiDeps(
            store=self.store,
            settings=self.settings,
            clock=self._clock,
            ids=self._ids,
            signals=self.signals,
            readiness=self._readiness,
            close_item=self._close_item,
            sgapi=self._sgapi,
            offer=self._offer,
            processes=lambda: self._presence.count(Role.RUN, Role.API),
        )

    def _close_item(self, ended: EndedItem) -> tuple[NewDelivery, ...]:
        """The closing callback of an item that the API ends (store.contract.CloseItem)."""
        return self._reporter.closing_of(ended, self._clock.now())

    def _on_listening(self, port: int) -> None:
        self.http_port = port
        self._listening.set()

    async def _wind_down(self) -> None:
        if self.role.dials:
            left = await self.engine.drain(self._drain_seconds)
            if left:
                log.warning("calls left for the next start", extra={"channels": left})
        if self.role.delivers:
            seconds = min(DELIVERY_DRAIN, self._drain_seconds)
            undelivered = await self._deliverer.drain(self._clock.monotonic() + seconds)
            if undelivered:
                log.warning("deliveries left for the next start", extra={"count": undelivered})


def _leave(deliveries: Sequence[Delivery]) -> None:
    """Those who deliver find them in the store."""


def _do_nothing() -> None:
    """Those who deliver are woken by the store."""


async def _wait(awaited: Awaitable[object]) -> None:
    await awaited
