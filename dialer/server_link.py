"""One Asterisk server as the worker drives it: AMI client, call tracker and reconciliation.

Everything that arrives is handled in the call that read it from the socket: an event that frees a
slot places the next call without a queue in between.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ami import (
    WANTED,
    Address,
    AmiClient,
    AmiError,
    CallEffect,
    CallEnded,
    CallTracker,
    LinkChange,
    LinkState,
    LinkTap,
    LiveChannel,
    Message,
    Originate,
    OriginateAnswered,
    ServerBooted,
    live_channels,
    translate,
)
from dialer.clock import Clock
from dialer.failpoints import failpoints
from dialer.reconcile import SETTLING, OpenCall, Reconciler
from dialer.store.contract import Server
from dialer.timeline import Timeline

log = logging.getLogger(__name__)

SWEEP = 30.0
"""Seconds between two looks at Asterisk's channels while calls are open: finds what a lost Hangup
left behind."""

OVERLONG_GRACE = 10.0
"""Seconds that Asterisk's own limit on a call's duration gets before we hang it up."""

TOLD = frozenset({LinkState.UP, LinkState.DOWN, LinkState.REFUSED, LinkState.SHUTTING_DOWN})
"""States of a link that operators are told of, once for each reason in a row."""

LIST_RETRY = 2.0
"""Seconds before a list of channels that failed is asked for again."""


NOTHING_LEFT = "nothing was left of it when Asterisk was asked"
RESTARTED = "Asterisk was restarted"
"""Why calls are over, where no cause of a hangup says it."""


@dataclass(frozen=True, slots=True)
class LinkListener:
    """Whom a link tells. All are called in the event loop and return at once. `on_change`: `up`
    or `state` may be another; `renewed`: it is a new link that came up. `on_reported`: an
    OriginateResponse to one of our calls came."""

    on_effects: Callable[[Sequence[CallEffect]], None]
    on_change: Callable[["ServerLink", bool], None]
    on_reported: Callable[["ServerLink"], None]
    on_failure: Callable[[BaseException], None]


class ServerLink:
    """Keeps one server connected and its calls followed, until `run` is cancelled."""

    def __init__(
        self,
        server: Server,
        address: Address,
        listener: LinkListener,
        clock: Clock,
        max_call_duration: float,
        make_client: Callable[..., AmiClient] = AmiClient,
        tap: LinkTap | None = None,
    ) -> None:
        self.server = server
        self.address = address
        self.tracker = CallTracker()
        self.state = "down"
        self._listener = listener
        self._clock = clock
        self._max_call_duration = max_call_duration
        self._stamps, self._own = Timeline(), Timeline()  # of Asterisk's clock and of ours
        self._reconciler = Reconciler()
        self._sent_at: dict[str, float] = {}
        self._startup: str | None = None
        self._told: tuple[LinkState, str] | None = None
        self._restarted_at: float | None = None
        self._up_at = float("-inf")  # monotonic
        self._booted_at = float("-inf")  # monotonic: this Asterisk's start, as it said at the login
        self._renewed = False  # the status was asked for a moment ago, when the link came up
        self._compared = True  # since the link came up
        self._look = asyncio.Event()
        self._look_again_at: float | None = None  # monotonic: when to ask for the confirming list
        self._expiry: asyncio.TimerHandle | None = None
        self._client = make_client(
            address,
            on_event=self._on_event,
            on_link=self._on_link,
            on_room=lambda: self._listener.on_change(self, False),
            wanted=WANTED,
            tap=tap,
        )

    @property
    def up(self) -> bool:
        return self._client.up

    @property
    def flowing(self) -> bool:
        """`up`, and nothing that was written waits in this process."""
        return self._client.flowing

    async def run(self) -> None:
        """Connect, stay connected and reconcile until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._client.run())
                tasks.create_task(self._reconcile())
        finally:
            if self._expiry is not None:
                self._expiry.cancel()

    # Calls.

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        """Write an Originate; its call is tracked from before its first byte.

        Raises `LinkDown` or `ActionInvalid`: nothing was written, nothing is tracked.
        """
        now = self._clock.monotonic()
        self.tracker.begin(originate.channel_id, originate.action_id, self._steady_now(), now)
        self._sent_at[originate.channel_id] = now
        try:
            return self._client.originate(originate)
        except AmiError:
            self.forget(originate.channel_id)
            raise

    def forget(self, channel_id: str) -> None:
        """Nothing of an Originate left, or not all of it: there is no call."""
        self.tracker.forget(channel_id)
        self._sent_at.pop(channel_id, None)

    def resume(
        self, channel_id: str, action_id: str, opened_at: float, answered_at: float | None = None
    ) -> None:
        """Follow a call that an earlier life of this process, or another link, may have placed,
        and may have seen answered."""
        wall, now, steady = self._clock.now(), self._clock.monotonic(), self._steady_now()
        # What is of the future was before the clock was set back.
        opened_at = min(opened_at, wall)
        if answered_at is not None:
            answered_at = steady - max(0.0, wall - answered_at)
        begun_at = steady - (wall - opened_at)
        self.tracker.resume(channel_id, action_id, begun_at, now, answered_at)
        self._sent_at[channel_id] = now - max(wall - opened_at, 0.0)
        self.look()

    def _steady_now(self) -> float:
        return self._own.steady(self._clock.now(), self._clock.monotonic())

    def look(self) -> None:
        """Compare the open calls with Asterisk's channels soon: something was missed."""
        self._look.set()

    def refuse(self, channel_id: str, detail: str) -> None:
        """Asterisk answered the Originate with an error: there is no call."""
        self._emit(
            self.tracker.rejected(channel_id, self._steady_now(), self._clock.monotonic(), detail)
        )

    async def hang_up(self, channel_id: str) -> None:
        """End a call; unanswered it becomes `cancel`. A failure is left to the sweep."""
        self.tracker.cancelling(channel_id)
        try:
            await self._client.hangup(channel_id)
        except AmiError as error:
            log.warning("hangup failed", extra={"server": self.server.code, "error": str(error)})

    # What arrives.

    def _on_event(self, message: Message) -> None:
        event = translate(message, self._clock.now())
        if event is not None:
            at = self._stamps.steady(event.at, self._clock.monotonic())
            if at != event.at:
                event = replace(event, at=at)
            if failpoints.armed:
                failpoints.reach(f"event.{type(event).__name__}")
            if isinstance(event, ServerBooted) and event.uptime is not None:
                self._booted_at = self._clock.monotonic() - event.uptime
            ours = isinstance(event, OriginateAnswered) and self.tracker.awaits(event.action_id)
            self._emit(self.tracker.apply(event, self._clock.monotonic()))
            if ours:
                self._listener.on_reported(self)
            if failpoints.armed:
                failpoints.reach("event.handled")

    def _emit(self, effects: Sequence[CallEffect]) -> None:
        if effects:
            if self._stamps.moved:
                effects = [self._stamps.restore(effect) for effect in effects]
            for effect in effects:
                if isinstance(effect, CallEnded):
                    self._sent_at.pop(effect.report.channel_id, None)
            self._listener.on_effects(effects)
        self._watch_graces()

    def _watch_graces(self) -> None:
        at = self.tracker.next_expiry()
        if at is None or (self._expiry is not None and self._expiry.when() <= at):
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_at(at, self._on_grace)

    def _on_grace(self) -> None:
        self._expiry = None
        try:
            self._emit(self.tracker.expire(self._clock.monotonic()))
        except Exception as error:
            self._listener.on_failure(error)

    def _on_link(self, change: LinkChange) -> None:
        if change.state in TOLD and (change.state, change.reason) != self._told:
            self._told = (change.state, change.reason)
            level = logging.INFO if change.state is LinkState.UP else logging.WARNING
            fields = {"server": self.server.code, "state": change.state.value}
            log.log(level, "AMI link", extra={**fields, "why": change.reason})
        self.state = change.state.value
        if self.up:
            if failpoints.armed:
                failpoints.reach("link.up")
            if self._startup is not None and change.startup not in (None, self._startup):
                self._restarted_at = self._clock.monotonic()
            self._startup = change.startup or self._startup
            self._renewed, self._up_at = True, self._clock.monotonic()
            self._compared = False
            self.look()
        else:
            if failpoints.armed:
                failpoints.reach("link.down")
            if change.state is LinkState.DOWN:
                self._reconciler.link_lost()
                self.tracker.note_gap()
        self._listener.on_change(self, self.up)

    # Reconciliation.

    async def _reconcile(self) -> None:
        wait: float = SWEEP
        while True:
            try:
                async with asyncio.timeout(wait):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            wait = await self._compare() if self.up and self._sent_at else SWEEP

    async def _compare(self) -> float:
        """Compare the open calls with Asterisk's channels; seconds until the next look."""
        if failpoints.armed:
            failpoints.reach("reconcile.before")
        try:
            await self._find_restart()
            asked_at = self._clock.monotonic()
            listed = live_channels(await self._client.channels())
        except AmiError as error:
            log.warning(
                "no list of channels", extra={"server": self.server.code, "why": str(error)}
            )
            return LIST_RETRY
        if failpoints.armed:
            failpoints.reach("reconcile.listed")
        overlong = self._take_in(listed, asked_at)
        # Last: while these are awaited calls may end.
        for channel_id in overlong:
            await self.hang_up(channel_id)
        again = self._look_again_at
        return SWEEP if again is None else max(0.1, again - self._clock.monotonic())

    async def _find_restart(self) -> None:
        """An Asterisk that was restarted behind a link that stayed (a proxy's, a tunnel's) says so
        in CoreStatus alone. Raises `AmiError`."""
        renewed, self._renewed = self._renewed, False
        if renewed or self._startup is None:
            return
        startup = (await self._client.core_status()).startup
        if startup != self._startup:
            self._startup, self._restarted_at = startup, self._clock.monotonic()

    def _take_in(self, listed: Sequence[LiveChannel], asked_at: float) -> list[str]:
        """Follow what is in the list, settle what two lists lack; the channels to be hung up."""
        restarted_at, self._restarted_at = self._restarted_at, None
        by_id: dict[str, list[LiveChannel]] = {}
        for channel in listed:
            for name in {channel.uniqueid, channel.linkedid} - {None, ""}:
                by_id.setdefault(name or "", []).append(channel)
        # What was written on an earlier link had its time to show: only the two lists count.
        before = asked_at - SETTLING
        calls = [
            OpenCall(channel_id, at if at > self._up_at else min(at, before))
            for channel_id, at in self._sent_at.items()
        ]
        legs = {leg: id_ for id_ in self._sent_at for leg in self.tracker.further_legs(id_)}
        calls += [OpenCall(leg, before) for leg in legs]
        found = self._reconciler.compare(
            calls, frozenset(by_id), asked_at, restarted_at=restarted_at
        )
        self._look_again_at = found.look_again_at
        if not self._compared:
            self._compared = True
            counts = {"live": len(found.live), "gone": len(found.gone)}
            counts["missing"] = len(calls) - sum(counts.values())
            log.info("open calls compared", extra={"server": self.server.code, **counts})
        at, now = self._steady_now(), self._clock.monotonic()
        overlong: list[str] = []
        for channel_id in found.live:
            if channel_id in legs:
                continue
            own = by_id[channel_id]
            self._emit(self.tracker.adopt(channel_id, channel_id, own, at, now))
            if failpoints.armed:
                failpoints.reach("reconcile.adopted")
            if now - self._sent_at[channel_id] > self._max_call_duration + OVERLONG_GRACE:
                overlong += [channel_id, *(c.uniqueid for c in own if c.uniqueid != channel_id)]
        for channel_id in found.gone:
            if channel_id in legs:
                self._emit(self.tracker.lose_leg(legs[channel_id], channel_id, now))
            else:
                restarted = restarted_at is not None or self._sent_at[channel_id] < self._booted_at
                why = RESTARTED if restarted else NOTHING_LEFT
                self._emit(self.tracker.settle_absent(channel_id, at, now, why))
            if failpoints.armed:
                failpoints.reach("reconcile.gone")
        return overlong
