"""The worker: plans calls, writes each attempt to disk, originates it and settles its end.

Data's way: plan → reserve (on disk) → Originate → events → ended → settle (CDR and outbox rows, on
disk) → deliver. Whatever changes the picture calls `wake`, and all that changed within one turn of
the event loop is planned together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ami import ActionInvalid, ActionRejected, AmiError, CallEffect, CallEnded, CallReport, Message
from dialer.attempts import (
    STAGES,
    LiveAttempt,
    Stage,
    conclude,
    rules_of,
    unplaced_report,
)
from dialer.clock import Clock
from dialer.errors import Conflict, Refused, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.originate import build_originate, find_application
from dialer.pacing import RateGate
from dialer.planner import Placement, Planner
from dialer.recording import explain_refusal
from dialer.reporting import Reporter
from dialer.retry import RetryRules
from dialer.server_link import ServerLink
from dialer.states import ItemEnd, check_transition
from dialer.store.contract import (
    Delivery,
    EndedItem,
    NewDelivery,
    OpenAttempt,
    RecentStart,
    Reservation,
    Settlement,
    Store,
)

log = logging.getLogger(__name__)

STORE_PAUSE = 1.0
"""Seconds without new attempts after the store could not take a write (disk full, locked)."""

SETTLE_RETRY = 0.5
"""Seconds before a settlement that could not be written is tried again; it is never given up."""

CONCLUDED_AT_ONCE = 10
"""Ended calls whose records are made in one turn of the event loop: some 2 ms."""

TRANSIENT = ("shutting down", "Originate failed")
"""Asterisk's error texts that do not mean that the same Originate would fail again."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the worker is made of; `app` puts it together."""

    store: Store
    clock: Clock
    planner: Planner
    reporter: Reporter
    links: dict[int, ServerLink]
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
        self._ended: deque[tuple[LiveAttempt, CallReport, float]] = deque()
        self._concluding = False
        self._settling = 0
        self._wire: dict[tuple[str, int], RateGate] = {}
        self._woken = False
        self._stopping = False
        self._draining: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
        if not self._reserving:
            self._conclude_soon()

    def _place_calls(self) -> None:
        wall, now = self._clock.now(), self._clock.monotonic()
        if now < self._paused_until:
            self._wake_in(self._paused_until - now)
            return
        for placement in self._planner.plan(wall, now):
            self._reserve(placement)
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
        attempt = LiveAttempt(placement, rules=self._rules(placement.candidate.queue_id))
        self._live[placement.channel_id] = attempt
        self._idle.clear()
        self._reserving += 1
        item = placement.candidate
        if failpoints.armed:
            failpoints.reach("worker.reserve.before")
        reserved: asyncio.Future[bool] = asyncio.ensure_future(
            self._store.reserve(
                Reservation(
                    item_id=item.id,
                    client_id=item.client_id,
                    queue_id=item.queue_id,
                    server_id=item.server_id,
                    number=placement.number,
                    channel_id=placement.channel_id,
                    action_id=placement.action_id,
                    cdr_id=placement.cdr_id,
                    now=self._clock.now(),
                )
            )
        )
        reserved.add_done_callback(lambda done: self._safely(self._reserved, attempt, done))

    def _reserved(self, attempt: LiveAttempt, done: "asyncio.Future[bool]") -> None:
        if done.cancelled():
            return
        self._reserving -= 1
        self._conclude_soon()
        error = done.exception()
        if error is None and done.result():
            if failpoints.armed:
                failpoints.reach("worker.reserve.granted")
            self._move(attempt, Stage.CLEARED)
            self._send(attempt)
            return
        placement = attempt.placement
        del self._live[attempt.channel_id]
        if isinstance(error, Conflict) and placement.candidate.channel_base is not None:
            self._dial_under_own_id(placement)
        else:
            if isinstance(error, StoreUnavailable):
                log.error("the store takes no writes", extra={"error": str(error)})
                self._paused_until = self._clock.monotonic() + STORE_PAUSE
            elif error is not None:
                raise error
            self._planner.refused(placement, self._clock.now(), self._clock.monotonic())
            self._parts.request_refresh()
        self._check_idle()
        self.wake()

    def _dial_under_own_id(self, placement: Placement) -> None:
        """The client's ChannelId was used before: the wire carries ours, nobody is told."""
        now = self._clock.monotonic()
        self._planner.release(placement, now, dialed=False)
        again = replace(
            placement,
            candidate=replace(placement.candidate, channel_base=None),
            channel_id=placement.action_id,
        )
        self._planner.hold(again, now)
        self._reserve(again)

    # Sending.

    def _send(self, attempt: LiveAttempt) -> None:
        """Write the Originate once the gates of the wire allow it."""
        placement = attempt.placement
        now = self._clock.monotonic()
        gates = self._wire_gates(placement.server.id, placement.client.id)
        opens = max(gate.earliest() for gate in gates)
        if opens > now:
            loop = asyncio.get_running_loop()
            loop.call_later(opens - now, self._safely, self._send, attempt)
            return
        for gate in gates:
            gate.take(now)
        link = self._parts.links.get(placement.server.id)
        if link is None:
            self._never_sent(attempt, "the server was removed")
            return
        try:
            self._originate(attempt, link)
        except Refused as error:
            attempt.repeats = True
            self._never_sent(attempt, f"rejected by policy: {error}")
        except ActionInvalid as error:
            attempt.repeats = True
            self._never_sent(attempt, str(error))
        except AmiError as error:
            self._never_sent(attempt, str(error))

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
        answer = link.originate(originate)
        if failpoints.armed:
            failpoints.reach("worker.originate.after")
        self._move(attempt, Stage.SENT)
        attempt.sent_at = self._clock.now()
        answer.add_done_callback(lambda done: self._safely(self._answered, attempt, link, done))

    def _answered(
        self, attempt: LiveAttempt, link: ServerLink, done: "asyncio.Future[Message]"
    ) -> None:
        """Asterisk's Response. Lost links and missing answers are left to reconciliation."""
        if failpoints.armed:
            failpoints.reach("worker.originate.answered")
        error = None if done.cancelled() else done.exception()
        if isinstance(error, ActionRejected):
            attempt.repeats = not any(text in error.message for text in TRANSIENT)
            payload = attempt.placement.candidate.payload
            link.refuse(attempt.channel_id, explain_refusal(error.message, payload))

    def _wire_gates(self, server_id: int, client_id: int) -> tuple[RateGate, RateGate]:
        """The gates as the wire sees them: commits take time, so what was planned in step may
        arrive here out of step."""
        gates = []
        for key, rate in (
            (("server", server_id), self._planner.server(server_id).max_cps),
            (("client", client_id), self._planner.client(client_id).max_cps),
        ):
            gate = self._wire.setdefault(key, RateGate(rate))
            gate.change(rate)
            gates.append(gate)
        return gates[0], gates[1]

    def _never_sent(self, attempt: LiveAttempt, why: str) -> None:
        """It is on disk but nothing of it reached the wire: an attempt that never was a call."""
        self._end(
            attempt,
            unplaced_report(
                attempt.channel_id, attempt.placement.action_id, self._clock.now(), why
            ),
        )

    # The end of a call.

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

    def _end(self, attempt: LiveAttempt, report: CallReport) -> None:
        self._move(attempt, Stage.SETTLING)
        if report.end_estimated:
            log.warning(
                "the end of a call was not seen",
                extra={"channel": report.channel_id, "disposition": report.disposition.value},
            )
        del self._live[attempt.channel_id]
        self._settling += 1
        self._planner.release(attempt.placement, self._clock.monotonic(), dialed=report.placed)
        self._ended.append((attempt, report, self._clock.now()))
        self.wake()

    def _conclude_soon(self) -> None:
        """Ended calls are written up after what their slots let go has left for the disk: making
        records takes longer than planning, and would keep the next calls waiting."""
        if self._ended and not self._concluding:
            self._concluding = True
            asyncio.get_running_loop().call_soon(self._safely, self._conclude_some)

    def _conclude_some(self) -> None:
        for _ in range(min(len(self._ended), CONCLUDED_AT_ONCE)):
            self._conclude(*self._ended.popleft())
        self._concluding = False
        self._conclude_soon()

    def _conclude(self, attempt: LiveAttempt, report: CallReport, now: float) -> None:
        rules = self._rules(attempt.placement.candidate.queue_id, attempt.rules)
        cdr, decision = conclude(attempt, report, rules, now)
        client = self._planner.client(attempt.placement.client.id)
        settlement = Settlement(
            channel_id=attempt.channel_id,
            item_id=attempt.placement.candidate.id,
            queue_id=attempt.placement.candidate.queue_id,
            cdr=cdr,
            final=decision.final,
            next_attempt_at=decision.next_at,
            unplaced=not report.placed,
            deliveries=self._parts.reporter.deliveries_of(cdr, client, now),
            now=now,
            closing=() if decision.final else self._closing(attempt, report),
            retry_gap=rules.gap if report.placed and not decision.final else None,
        )
        self._settle(attempt, settlement)

    def _settle(self, attempt: LiveAttempt, settlement: Settlement) -> None:
        if failpoints.armed:
            failpoints.reach("worker.settle.before")
        written: asyncio.Future[tuple[Delivery, ...]] = asyncio.ensure_future(
            self._store.settle(settlement)
        )
        written.add_done_callback(
            lambda done: self._safely(self._settled, attempt, settlement, done)
        )

    def _settled(
        self,
        attempt: LiveAttempt,
        settlement: Settlement,
        done: "asyncio.Future[tuple[Delivery, ...]]",
    ) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, StoreUnavailable):
            log.error("a CDR could not be written yet", extra={"error": str(error)})
            loop = asyncio.get_running_loop()
            loop.call_later(SETTLE_RETRY, self._safely, self._settle, attempt, settlement)
            return
        if failpoints.armed:
            failpoints.reach("worker.settle.after")
        self._parts.reporter.offer(done.result())
        next_at = self._next_attempt_at(settlement)
        self._planner.settled(attempt.placement, next_at, self._clock.now())
        if not settlement.final and attempt.placement.candidate.deadline is not None:
            self._parts.check_deadlines()
        self._settling -= 1
        self._check_idle()
        self.wake()

    def _closing(self, attempt: LiveAttempt, report: CallReport) -> tuple[NewDelivery, ...]:
        """What the client is told if its queue turns out to take no further attempts."""
        item = attempt.placement.candidate
        tried = replace(
            item,
            attempts=item.attempts + report.placed,
            unplaced=item.unplaced + (not report.placed),
        )
        return self._parts.reporter.closing_of(
            EndedItem(
                tried,
                ItemEnd.TERMINATED,
                self._planner.client(item.client_id),
                attempt.placement.server.code,
            ),
            self._clock.now(),
        )

    def _next_attempt_at(self, settlement: Settlement) -> float | None:
        """When the retry is due by the rules that hold now: they may have changed while the
        settlement was under way."""
        next_at, used = settlement.next_attempt_at, settlement.retry_gap
        if next_at is None or used is None:
            return next_at
        return next_at + self._rules(settlement.queue_id, RetryRules(gap=used)).gap - used

    def _rules(self, queue_id: int, otherwise: RetryRules | None = None) -> RetryRules:
        queue = self._planner.queue(queue_id)
        return rules_of(queue) if queue is not None else otherwise or RetryRules()

    @staticmethod
    def _move(attempt: LiveAttempt, stage: Stage) -> None:
        check_transition(STAGES, attempt.stage, stage)
        attempt.stage = stage

    # Starting and stopping.

    def resume(self, attempts: Iterable[OpenAttempt]) -> None:
        """Take over attempts that an earlier life of this process left open: they hold their slots
        and are followed until reconciliation knows what became of them."""
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
            self._planner.hold(placement, self._clock.monotonic())
            attempt = LiveAttempt(placement, Stage.SENT, sent_at=opened.opened_at)
            attempt.application = opened.candidate.payload.get("action", {}).get("Application")
            attempt.data = opened.candidate.payload.get("action", {}).get("Data")
            self._live[opened.channel_id] = attempt
            self._idle.clear()

    def adopt_link(self, server_id: int, link: ServerLink) -> None:
        """A server got a link (its first, or one to another address): it follows the calls that
        are live there."""
        for attempt in self._live.values():
            if attempt.stage is Stage.SENT and attempt.placement.server.id == server_id:
                place = attempt.placement
                link.resume(place.channel_id, place.action_id, attempt.sent_at)

    def has_calls_on(self, server_id: int) -> bool:
        return any(a.placement.server.id == server_id for a in self._live.values())

    def seed_rates(self, starts: Iterable[RecentStart]) -> None:
        """Count calls that an earlier life started a moment ago: a restart is no way around a
        limit of calls per second."""
        wall, now = self._clock.now(), self._clock.monotonic()
        by_owner: dict[tuple[int, int], list[float]] = {}
        for start in starts:
            owner = (start.server_id, start.client_id)
            by_owner.setdefault(owner, []).append(now - (wall - start.at))
        for (server_id, client_id), times in by_owner.items():
            for gates in (
                self._planner.gates(server_id, client_id),
                self._wire_gates(server_id, client_id),
            ):
                for gate in gates:
                    gate.seed(times)

    async def drain(self, seconds: float) -> list[str]:
        """Start nothing more and wait for live calls to end; the ChannelIds of those that did not
        (they stay open on disk and are taken over at the next start)."""
        self._stopping = True
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
        if not self._live and not self._settling:
            self._idle.set()

    @property
    def live_calls(self) -> int:
        return len(self._live)
