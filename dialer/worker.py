"""The worker: plans calls, writes each attempt to disk, originates it and settles its end.

Data's way: plan → reserve (on disk) → Originate → events → ended → settle (CDR and outbox rows, on
disk) → deliver. Whatever changes the picture calls `wake`, and all that changed within one turn of
the event loop is planned together.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ami import CallEffect, CallEnded, CallProgressed, CallReport, Progress
from dialer.attempts import LiveAttempt, Stage, unplaced_report
from dialer.clock import Clock
from dialer.coordination.contract import Coordinator
from dialer.dispatch import Dispatcher, DispatcherParts
from dialer.errors import Conflict, OwnershipLost, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.planner import Placement, Planner
from dialer.reporting import Reporter
from dialer.server_link import ServerLink
from dialer.settling import Settler, SettlerParts
from dialer.slots import OLDEST, Slots, SlotsParts
from dialer.store.contract import OpenAttempt, RecentStart, Reservation, Store
from dialer.telling import Teller, TellerParts

log = logging.getLogger(__name__)

STORE_PAUSE = 1.0
"""Seconds without new attempts after the store could not take a write (disk full, locked)."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the worker is made of; `engine` puts it together. `fences`: the latest token of every
    server that this process owns, or owned. `disown`: the store says that it owns one no more."""

    store: Store
    clock: Clock
    planner: Planner
    reporter: Reporter
    coordinator: Coordinator
    links: dict[int, ServerLink]
    fences: Mapping[int, int]
    disown: Callable[[int], None]
    request_refresh: Callable[[], None]
    feed_lanes: Callable[[], None]
    check_deadlines: Callable[[], None]
    max_call_duration: int


class Worker:
    """One worker of one process. All methods run in its event loop."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._clock = parts.clock
        self._planner = parts.planner
        self._live: dict[str, LiveAttempt] = {}
        self._reserving = 0
        self._settler = Settler(
            SettlerParts(
                store=parts.store,
                clock=parts.clock,
                planner=parts.planner,
                reporter=parts.reporter,
                check_deadlines=parts.check_deadlines,
                fence_of=lambda server_id: parts.fences[server_id],
                safely=self._safely,
                on_written=self._on_written,
                on_lost=self._lose,
            )
        )
        self._teller = Teller(
            TellerParts(
                store=parts.store,
                clock=parts.clock,
                planner=parts.planner,
                reporter=parts.reporter,
                fence_of=lambda server_id: parts.fences[server_id],
                safely=self._safely,
                on_lost=self._lose,
            )
        )
        self._slots = self._make_slots() if parts.coordinator.shared else None
        self._dispatcher = self._make_dispatcher()
        self._start = self._reserve if self._slots is None else self._slots.ask
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._woken = False
        self._stopping = False
        self._draining: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self.written_at = self._clock.monotonic()  # something of a call, to disk
        self._idle = asyncio.Event()
        self._idle.set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _make_slots(self) -> Slots:
        return Slots(
            SlotsParts(
                coordinator=self._parts.coordinator,
                clock=self._clock,
                planner=self._planner,
                safely=self._safely,
                may_start=self._may_start,
                start=self._reserve,
                line_up=lambda attempt: self._dispatcher.line_up(attempt),
                take_back=self._take_back,
                wake=self.wake,
            )
        )

    def _make_dispatcher(self) -> Dispatcher:
        return Dispatcher(
            DispatcherParts(
                store=self._store,
                clock=self._clock,
                planner=self._planner,
                links=self._parts.links,
                slots=self._slots,
                max_call_duration=self._parts.max_call_duration,
                safely=self._safely,
                take_back=self._take_back,
                never_sent=self._never_sent,
                pause=self._pause,
                wake=self.wake,
            )
        )

    async def run(self) -> None:
        """Wait for ever; raises what went wrong in a callback, so that it stops the product
        instead of leaving an attempt behind in silence."""
        await self._broken

    def break_down(self, error: BaseException) -> None:
        """A part that nobody awaits failed: our own bug."""
        if not self._broken.done():
            self._broken.set_exception(error)

    def _safely(self, act: Callable[..., None], *arguments: object) -> None:
        """Run a callback of the event loop, which would only log what it raises."""
        try:
            act(*arguments)
        except Exception as error:
            self.break_down(error)

    # Planning.

    def wake(self) -> None:
        """Something changed: plan at the end of this turn of the event loop."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._safely, self._plan)

    def _plan(self) -> None:
        self._woken = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._stopping:
            self._place_calls()
            self._dispatcher.depart()  # limits may have been raised
        if self._slots is not None:
            self._check_idle()
        if self._watchers:
            self._tell_watchers()
        if not self._reserving:
            self._settler.conclude_soon()

    def _place_calls(self) -> None:
        wall, now = self._clock.now(), self._clock.monotonic()
        pause = self._paused_until - now
        if self._slots is not None:
            pause = max(pause, self._slots.closed_for(now))
        if pause > 0:
            self._wake_in(pause)
            return
        for placement in self._planner.plan(wall, now):
            self._start(placement)
        self._parts.feed_lanes()
        waits = [at - now for at in (self._planner.wake_at,) if at is not None]
        waits += [
            at - wall
            for at in (self._planner.wake_wall, self._planner.next_lookup)
            if at is not None
        ]
        if waits:
            self._wake_in(min(waits))

    def _wake_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, seconds), self.wake)

    # Reserving: on disk before the Originate's first byte.

    def _reserve(self, placement: Placement) -> None:
        attempt = LiveAttempt(placement, rules=self._settler.rules_of(placement.candidate.queue_id))
        if self._slots is not None:
            attempt.reserved_mono = self._clock.monotonic()
        self._live[placement.channel_id] = attempt
        self._idle.clear()
        self._reserving += 1
        item = placement.candidate
        if failpoints.armed:
            failpoints.reach("worker.reserve.before")
        reservation = Reservation(
            item_id=item.id,
            client_id=item.client_id,
            queue_id=item.queue_id,
            server_id=item.server_id,
            number=placement.number,
            channel_id=placement.channel_id,
            action_id=placement.action_id,
            cdr_id=placement.cdr_id,
            now=self._clock.now(),
            fence=self._parts.fences[item.server_id],
        )
        reserved: asyncio.Future[bool] = asyncio.ensure_future(self._store.reserve(reservation))
        reserved.add_done_callback(
            lambda done: self._safely(self._reserved, attempt, reservation, done)
        )

    def _reserved(
        self, attempt: LiveAttempt, reservation: Reservation, done: "asyncio.Future[bool]"
    ) -> None:
        if done.cancelled():
            return
        self._reserving -= 1
        self._settler.conclude_soon()
        error = done.exception()
        if error is None and done.result():
            if failpoints.armed:
                failpoints.reach("worker.reserve.granted")
            attempt.move(Stage.CLEARED)
            if self._slots is None and not self._stopping:
                self._dispatcher.line_up(attempt)
            elif self._slots is not None and self._may_start(attempt.placement):
                self._slots.ask_turn(attempt)
            else:
                self._take_back(attempt)
            return
        placement = attempt.placement
        attempt.move(Stage.REFUSED)
        del self._live[attempt.channel_id]
        self._free(attempt)
        if isinstance(error, Conflict) and placement.candidate.channel_base is not None:
            self._dial_under_own_id(placement)
        else:
            if isinstance(error, StoreUnavailable):
                self._pause()
            elif isinstance(error, OwnershipLost):
                self._lose(error.server_id, reservation.fence)
            elif error is not None:
                raise error
            self._planner.refused(placement, self._clock.now(), self._clock.monotonic())
            self._parts.request_refresh()
        self._check_idle()
        self.wake()

    def _pause(self) -> None:
        self._paused_until = self._clock.monotonic() + STORE_PAUSE

    def _dial_under_own_id(self, placement: Placement) -> None:
        """The client's ChannelId was used before: the wire carries ours, nobody is told."""
        now = self._clock.monotonic()
        self._planner.release(placement, now, dialed=False)
        again = replace(
            placement,
            candidate=replace(placement.candidate, channel_base=None, kept_ids=None),
            channel_id=placement.action_id,
        )
        self._planner.hold(again, now)
        if self._slots is None:
            self._reserve(again)
        else:
            self._slots.ask_again(again)

    def _may_start(self, placement: Placement) -> bool:
        return not self._stopping and self._planner.is_ours(placement.server.id)

    def _free(self, attempt: LiveAttempt) -> None:
        if self._slots is not None:
            self._slots.free(attempt.placement)

    # What was not sent.

    def _never_sent(self, attempt: LiveAttempt, why: str) -> None:
        """It is on disk and can not be sent, now or later: an attempt that never was a call."""
        self._planner.unsent(attempt.placement)
        self._end(
            attempt,
            unplaced_report(
                attempt.channel_id, attempt.placement.action_id, self._clock.now(), why
            ),
        )

    def _take_back(self, attempt: LiveAttempt) -> None:
        """It is on disk and certainly never left: its item waits again, with its ids. It holds no
        slot while it waits: nothing of it can be anywhere."""
        attempt.move(Stage.WITHDRAWING)
        del self._live[attempt.channel_id]
        self._planner.unsent(attempt.placement)
        self._planner.release(attempt.placement, self._clock.monotonic(), dialed=False)
        self._free(attempt)
        self._settler.withdraw(attempt)
        self.wake()

    # The end of a call.

    def on_reported(self, server_id: int) -> None:
        """An OriginateResponse to a call of ours came."""
        if self._planner.reported(server_id):
            self.wake()

    def on_effects(self, effects: Sequence[CallEffect]) -> None:
        """What the trackers found out."""
        for effect in effects:
            if isinstance(effect, CallEnded):
                attempt = self._live.get(effect.report.channel_id)
                if attempt is None:
                    channel_id = effect.report.channel_id
                    log.warning("end of an unknown call", extra={"channel": channel_id})
                else:
                    self._end(attempt, effect.report)
            else:
                self._progressed(effect)

    def _progressed(self, effect: CallProgressed) -> None:
        attempt = self._live.get(effect.channel_id)
        if attempt is None:
            return
        if effect.progress is Progress.ANSWERED and attempt.answered_at is None:
            attempt.answered_at = effect.at
            self._store.note_answered(effect.channel_id, effect.at)
        if attempt.placement.client.callback_events:
            self._teller.tell(attempt, effect.progress, effect.at)

    def _end(self, attempt: LiveAttempt, report: CallReport) -> None:
        attempt.move(Stage.SETTLING)
        if report.end_estimated:
            log.warning(
                "the end of a call was not seen",
                extra={"channel": report.channel_id, "disposition": report.disposition.value},
            )
        now = self._clock.monotonic()
        if report.unreported:
            self._planner.unreported(attempt.placement.server.id, now)
        del self._live[attempt.channel_id]
        self._planner.release(attempt.placement, now, dialed=report.placed)
        self._free(attempt)
        self._settler.end(attempt, report)
        self.wake()

    def _on_written(self) -> None:
        self.written_at = self._clock.monotonic()
        self._check_idle()
        self.wake()

    def _lose(self, server_id: int, fence: int) -> None:
        """The store says that this token is none any more: another worker owns the server, unless
        this one has a later token, and the write was of before."""
        if self._parts.fences[server_id] == fence:
            self._parts.disown(server_id)
            self.let_go(server_id)
        self.wake()

    def let_go(self, server_id: int) -> None:
        """Dial nothing more there and let go of its calls, which are another worker's to follow
        and to settle. What is being written to disk goes on; see `is_quiet_on`."""
        now = self._clock.monotonic()
        for attempt in tuple(self._live.values()):
            if attempt.placement.server.id != server_id or attempt.stage is Stage.RESERVING:
                continue
            if attempt.stage is Stage.CLEARED:
                self._planner.unsent(attempt.placement)
            attempt.move(Stage.LOST)
            del self._live[attempt.channel_id]
            self._planner.release(attempt.placement, now, dialed=False)
            self._planner.lost(attempt.placement)
        self._check_idle()
        self.wake()

    # Starting and stopping.

    def stop_on(self, server_id: int) -> None:
        """Take back what is on disk and has not left; the server is not ours to dial on (as the
        planner knows), so nothing follows."""
        for attempt in self._dispatcher.clear(server_id):
            self._take_back(attempt)

    def is_quiet_on(self, server_id: int, *, answered: bool = False) -> bool:
        """Nothing of this server is being asked for, or on its way to the disk or from there to
        the wire; `answered`: nor waits for Asterisk's Response."""
        if self._settler.is_writing_on(server_id):
            return False
        if self._slots is not None and self._slots.is_asking_on(server_id):
            return False
        return not any(
            a.stage in (Stage.RESERVING, Stage.CLEARED) or (answered and a.response_due)
            for a in self._live.values()
            if a.placement.server.id == server_id
        )

    async def wait_until(self, met: Callable[[], bool]) -> None:
        """Wait until `met()`, asked when the picture changes. Cancel it to give up."""
        while not met():
            watcher = (met, asyncio.get_running_loop().create_future())
            self._watchers.append(watcher)
            try:
                await watcher[1]
            finally:
                self._watchers.remove(watcher)

    def _tell_watchers(self) -> None:
        for met, told in self._watchers:
            if not told.done() and met():
                told.set_result(None)

    def resume(self, attempts: Iterable[OpenAttempt]) -> None:
        """Take over attempts that an earlier owner of their server, or an earlier life of this
        process, left open. Those that never left
        wait again; all others hold their slots and are followed until reconciliation knows what
        became of them."""
        attempts = tuple(attempts)
        if attempts:
            log.warning("taking over calls of an earlier start", extra={"count": len(attempts)})
        for opened in attempts:
            placement = Placement(
                candidate=opened.candidate,
                server=self._planner.server(opened.candidate.server_id),
                client=self._planner.client(opened.candidate.client_id),
                number=opened.number,
                channel_id=opened.channel_id,
                action_id=opened.action_id,
                cdr_id=opened.cdr_id,
            )
            self._idle.clear()
            if opened.unsent:
                self._settler.withdraw(LiveAttempt(placement, Stage.WITHDRAWING))
                continue
            self._planner.hold(placement, self._clock.monotonic())
            attempt = LiveAttempt(
                placement, Stage.SENT, sent_at=opened.opened_at, answered_at=opened.answered_at
            )
            attempt.application = opened.candidate.payload.get("action", {}).get("Application")
            attempt.data = opened.candidate.payload.get("action", {}).get("Data")
            self._live[opened.channel_id] = attempt
            if placement.client.callback_events and opened.answered_at is not None:
                # Told already, unless the life before ended between the two writes.
                self._teller.tell(attempt, Progress.ANSWERED, opened.answered_at)

    def hold_slots(self, server_id: int) -> None:
        """Tell the other workers which calls are on a server that was taken over."""
        if self._slots is not None:
            on_it = [a for a in self._live.values() if a.placement.server.id == server_id]
            self._slots.hold(server_id, on_it)

    def room(self) -> None:
        """Slots or turns may be had (again)."""
        if self._slots is not None:
            self._slots.room()
        self.wake()

    def adopt_link(self, server_id: int, link: ServerLink) -> None:
        """A server got a link (its first, or one to another address): it follows the calls that
        are live there."""
        for attempt in self._live.values():
            if attempt.stage is Stage.SENT and attempt.placement.server.id == server_id:
                place = attempt.placement
                link.resume(place.channel_id, place.action_id, attempt.sent_at, attempt.answered_at)

    def has_calls_on(self, server_id: int) -> bool:
        return any(a.placement.server.id == server_id for a in self._live.values())

    def seed_rates(self, starts: Iterable[RecentStart]) -> None:
        """Count calls that an earlier life started a moment ago: a restart is no way around a
        limit of calls per second. Where workers share, a start's attempt was opened then, and its
        Originate may have been written up to `OLDEST` later, a moment ago."""
        wall, now = self._clock.now(), self._clock.monotonic()
        by_owner: dict[tuple[int, int], list[float]] = {}
        for start in starts:
            owner = (start.server_id, start.client_id)
            # One of the future was made before the clock was set back: a moment ago, at worst.
            by_owner.setdefault(owner, []).append(now - max(0.0, wall - start.at))
        after = OLDEST if self._slots is not None else 0.0
        for (server_id, client_id), times in by_owner.items():
            for of_server, of_client in (
                self._planner.gates(server_id, client_id),
                self._dispatcher.gates(server_id, client_id),
            ):
                of_server.seed([min(now, at + after) for at in times])
                of_client.seed(times)

    async def drain(self, seconds: float) -> list[str]:
        """Start nothing more and wait for live calls to end; the ChannelIds of those that did not
        (they stay open on disk and are taken over at the next start)."""
        self._stopping = True
        for attempt in self._dispatcher.clear():
            self._take_back(attempt)
        if self._slots is not None and not self._slots.idle:
            self._idle.clear()
        try:
            async with asyncio.timeout(seconds) as self._draining:
                await self._idle.wait()
        except TimeoutError:
            pass
        finally:
            self._draining = None
        return sorted(self._live)

    def stop_waiting(self, seconds: float) -> None:
        """Shorten a drain under way to `seconds` from now."""
        if self._draining is not None:
            self._draining.reschedule(self._clock.monotonic() + seconds)

    def _check_idle(self) -> None:
        asking = self._slots is not None and not self._slots.idle
        if not self._live and self._settler.idle and not asking:
            self._idle.set()

    @property
    def live_calls(self) -> int:
        return len(self._live)
