"""The composition root: the only place that builds adapters and joins the parts.

`Product` is `dialer run`: API, worker and delivery in one process, over one store.
"""

import asyncio
import gc
import logging
import os
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from dialer.api.app import ApiDeps, create_api
from dialer.api.server import serve
from dialer.clock import Clock, SystemClock
from dialer.clock_keeping import ClockKeeper
from dialer.coordination.local import LocalCoordinator, LocalSignals
from dialer.delivery.forwarding import forward_left
from dialer.delivery.outbox import Deliverer
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.sender import Sender, SenderSettings
from dialer.delivery.sgapi import SgapiTarget
from dialer.engine import Engine, EngineParts
from dialer.errors import Conflict, SettingsError, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.ids import Ids
from dialer.presence import Presence
from dialer.settings import Settings
from dialer.signing_key import load_signing_key
from dialer.store import open_store
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
    """The whole product in one event loop. `run` it, or `start` and `stop` it."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.http_port = 0
        self.ready = asyncio.Event()
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._listening = asyncio.Event()
        self._dialing = asyncio.Event()
        self._drain_seconds = settings.drain_timeout
        self._running: asyncio.Task[None] | None = None
        conceal(*settings.secrets)
        ids = Ids(os.urandom)
        self._sgapi = target = (
            SgapiTarget(settings.sgapi_url, settings.sgapi_entity) if settings.sgapi_url else None
        )
        self.store = open_store(settings.database_url)
        self.signals = LocalSignals()
        self._receivers = ReceiverBook(self.store, lambda: load_signing_key(settings))
        self._deliverer = self._make_deliverer()
        self._presence = Presence(self.store, self._clock, "run", os.urandom(8).hex())
        self._traces = TraceFolder(settings.record_dir, self._clock.now, settings.record_max_mb)
        self.engine = Engine(
            EngineParts(
                store=self.store,
                clock=self._clock,
                signals=self.signals,
                coordinator=LocalCoordinator(),
                presence=self._presence,
                sgapi=target,
                new_id=lambda: ids.new(self._clock.now()),
                offer=self._deliverer.offer,
                wake_delivery=self._deliverer.wake,
                max_call_duration=settings.max_call_duration,
                tap_of=self._traces.tap_of,
            )
        )
        self._api = create_api(
            ApiDeps(
                store=self.store,
                settings=settings,
                clock=self._clock,
                ids=ids,
                signals=self.signals,
                readiness=self._readiness,
                close_item=self.engine.close_item,
                sgapi=target,
                offer=self._deliverer.offer,
            )
        )

    def _readiness(self) -> dict[str, bool]:
        stores = self._dialing.is_set() and self.store.trouble is None
        return {"store": stores, "worker": self.ready.is_set()}

    async def start(self) -> None:
        """Start in the background; returns when the API listens and the worker dials. Raises what
        made it fail."""
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
        await self.store.open()
        if failpoints.armed:
            failpoints.reach("start.opened")
        try:
            await self.store.claim()
        except Conflict as error:
            await self.store.close()
            raise SettingsError(f"{error} ({self.settings.database_url})") from None
        if failpoints.armed:
            failpoints.reach("start.claimed")
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            await self._receivers.refresh()  # a signing key that cannot be had is told at once
            keeper = self._make_keeper()
            if keeper is not None:
                await keeper.start()
            if self._sgapi is None:  # before any call can end
                await self.store.forward_unsent(None, self._clock.now(), 0)
            async with asyncio.TaskGroup() as tasks:
                api_stop = asyncio.Event()
                serving = tasks.create_task(self._serve(api_stop))
                parts = [
                    serving,
                    tasks.create_task(self._deliverer.run()),
                    tasks.create_task(self.engine.run(self._dialing)),
                    tasks.create_task(self._forward_left()),
                    *([tasks.create_task(keeper.run())] if keeper is not None else ()),
                ]
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
            await self.store.close()

    def _make_deliverer(self) -> Deliverer:
        token = self.settings.sgapi_token
        settings = SenderSettings(
            allow_private=self.settings.callback_allow_private,
            sgapi_address=self._sgapi.address if self._sgapi else None,
            sgapi_token=token.get_secret_value() if token else None,
        )
        sender = Sender(self._clock, settings, self._receivers.secrets_of)
        rng = random.SystemRandom()
        return Deliverer(self.store, self._clock, sender, self._receivers, rng)

    def _make_keeper(self) -> ClockKeeper | None:
        """None where time is in somebody else's hands."""
        if not isinstance(self._clock, SystemClock):
            return None
        return ClockKeeper(self._clock, self.store, self.engine.follow_clock)

    async def _forward_left(self) -> None:
        """Send what was put, or ended, while there was no SGAPI_URL."""
        if self._sgapi is not None:
            wake = self._deliverer.wake
            await forward_left(self.store, self._sgapi, self._clock, wake, asyncio.sleep)

    def _serve(self, stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        return serve(
            self._api, self.settings.http_host, self.settings.http_port, self._on_listening, stop
        )

    def _on_listening(self, port: int) -> None:
        self.http_port = port
        self._listening.set()

    async def _wind_down(self) -> None:
        left = await self.engine.drain(self._drain_seconds)
        if left:
            log.warning("calls left for the next start", extra={"channels": left})
        seconds = min(DELIVERY_DRAIN, self._drain_seconds)
        undelivered = await self._deliverer.drain(self._clock.monotonic() + seconds)
        if undelivered:
            log.warning("deliveries left for the next start", extra={"count": undelivered})
