"""Delivers the outbox: at least once, by schedule, until acknowledged or given up.

New deliveries are offered by the worker right after their commit; the rest is read from the store
when it is due. Nothing polls: a timer stands at the next due time, and whatever changes the
picture (an offer, an answer, a wake-up) acts at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from math import inf
from typing import Any, Final, Protocol

from dialer.clock import Clock
from dialer.delivery import callback, following, sgapi
from dialer.delivery.backlog import Backlog, Limits, Page
from dialer.delivery.claims import Claims
from dialer.delivery.claims import Sharing as Sharing
from dialer.delivery.schedule import Chance
from dialer.delivery.verdict import Answer, Finding, Verdict, record_verdict
from dialer.errors import StoreUnavailable
from dialer.failpoints import failpoints
from dialer.states import DeliveryState
from dialer.store.contract import Delivery, DeliveryOutcome, Task

log = logging.getLogger(__name__)

RECHECK: Final = 0.25
"""Seconds between two looks for due deliveries at least: retries that fall due one by one are
read together. The shortest delay of the schedule is twenty times that."""

LONGEST_NAP: Final = 60.0
"""Seconds after which the wall clock is looked at again, should it have been set."""

STORE_PAUSE: Final = 0.1
LONGEST_STORE_PAUSE: Final = 5.0
"""Seconds before a write or read that the store could not take is repeated, doubling."""

TAKEN: Final = frozenset({Finding.DELIVERED, Finding.ACCEPTED})

NOT_SENT: Final = Verdict(
    Finding.UNSENT, error="not sent: this callback URL answered 410 (gone) before"
)


def judge(delivery: Delivery, answer: Answer, chance: Chance, now: float) -> Verdict:
    """What a try's answer means for its delivery and for its endpoint."""
    if delivery.kind == callback.KIND:
        return callback.judge_callback(answer, delivery.tries, chance)
    if delivery.state is DeliveryState.ACCEPTED:
        task = delivery.task or Task(since=delivery.created_at)
        return following.judge_look(answer, task, chance, now)
    return sgapi.judge_sgapi(answer, delivery.tries, chance, now, delivery.task)


class OutboxStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    def record_delivery(self, outcome: DeliveryOutcome) -> Awaitable[bool]: ...
    async def due_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int
    ) -> tuple[Delivery, ...]: ...
    async def claim_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int, until: float
    ) -> tuple[Delivery, ...]: ...
    async def release_deliveries(self, ids: Sequence[int], until: float, now: float) -> None: ...
    async def renew_deliveries(
        self, ids: Sequence[int], until: float, later: float
    ) -> frozenset[int]: ...
    async def due_endpoints(self, now: float) -> tuple[str, ...]: ...
    async def next_delivery_at(self, after: float = 0.0) -> float | None: ...


class DeliverySender(AbstractAsyncContextManager[Any], Protocol):
    """What is needed of `dialer.delivery.sender.Sender`."""

    async def send(self, delivery: Delivery) -> Answer: ...


class Receivers(Protocol):
    """What is needed of `dialer.delivery.receivers.ReceiverBook`."""

    async def refresh(self) -> None: ...
    def is_gone(self, client_id: int, url: str) -> bool: ...
    def note_gone(self, client_id: int, url: str) -> bool: ...


class Deliverer:
    """One deliverer of one process; all methods are called in its event loop. `run` is supervised:
    it ends by being cancelled, or raises what is our own bug."""

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        sender: DeliverySender,
        receivers: Receivers,
        chance: Chance,
        limits: Limits | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        sharing: Sharing | None = None,
    ) -> None:
        self._sharing = sharing
        self._claims = Claims()
        self._draining = False
        self._store = store
        self._clock = clock
        self._sender = sender
        self._receivers = receivers
        self._chance = chance
        self._pause = pause
        self._backlog = Backlog(limits or Limits(), shared=sharing is not None)
        self._tasks: asyncio.TaskGroup | None = None
        self._due_at = 0.0  # epoch: when to look for due deliveries on disk
        self._looking = False  # a look at the disk is under way
        self._unsure = True  # receivers may have changed
        self._nap_until = -inf  # monotonic: when the main loop wakes by itself, while it naps
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()
        self._stopped: set[str] = set()

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        """Send what was just committed. What does not fit into memory stays on disk, in turn.
        Where others deliver, too, it is claimed first, as all that is on disk."""
        if self._sharing is None:
            self._backlog.offer(deliveries)
        else:
            self._backlog.flag({delivery.endpoint for delivery in deliveries})
        self._send_more()

    def wake(self) -> None:
        """Look at the disk: something may be due that was not offered, and what is known of
        receivers may have changed."""
        self._unsure = True
        self._due_at = 0.0
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled. What is in flight then stays in the outbox."""
        async with self._sender, asyncio.TaskGroup() as tasks:
            while not await self._learn_receivers():
                await self._pause(LONGEST_STORE_PAUSE)
            self._tasks = tasks
            if self._sharing is not None:
                tasks.create_task(self._renew_claims(self._sharing))
            try:
                while True:
                    self._woken.clear()
                    self._looking = True
                    await self._load()
                    self._looking = False
                    self._send_more()
                    self._settled.set()
                    await self._nap()
            finally:
                self._tasks = None

    async def drain(self, deadline: float) -> int:
        """Wait until everything due was tried and recorded (endpoints that rest aside), or until
        `deadline` (monotonic seconds). `run` goes on meanwhile; cancel it afterwards. Returns how
        many deliveries are left in memory; they are all on disk. What was claimed and waits is
        left to the other deliverers at once."""
        self._draining = True
        await self._release(self._backlog.clear() if self._sharing is not None else ())
        while not self._is_quiet() and (left := deadline - self._clock.monotonic()) > 0:
            self._settled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LONGEST_NAP)):
                    await self._settled.wait()
        return self._backlog.held

    async def _release(self, deliveries: Iterable[Delivery]) -> None:
        """Leave what was claimed, and is not held here, to everybody at once."""
        left = self._claims.take_away(delivery.id for delivery in deliveries)
        try:
            for until, ids in left:
                await self._store.release_deliveries(ids, until, self._clock.now())
        except StoreUnavailable as error:
            log.error("deliveries wait until their claims end", extra={"error": str(error)})

    async def _renew_claims(self, sharing: Sharing) -> None:
        """As long as this runs, what it holds stays its own."""
        while True:
            await self._pause(sharing.renew)
            later = self._clock.now() + sharing.claim
            held = self._claims.sort(self._backlog.kept(), later - sharing.renew / 2)
            try:
                for until, ids in held:
                    given = await self._store.renew_deliveries(ids, until, later)
                    self._claims.renewed(ids, given, later)
            except StoreUnavailable as error:
                log.debug("claims are not renewed", extra={"error": str(error)})

    def resting(self) -> dict[str, float]:
        """Endpoints that are left alone at the moment, and until when (monotonic seconds)."""
        return self._backlog.resting(self._clock.monotonic())

    def _is_quiet(self) -> bool:
        if self._looking or self._due_at <= self._clock.now():
            return False
        return self._backlog.is_quiet(self._clock.monotonic())

    def _send_more(self) -> None:
        if self._tasks is None:
            return  # not running yet, or no more
        now = self._clock.monotonic()
        while (delivery := self._backlog.take(now)) is not None:
            if self._sharing is not None and not self._is_ours(delivery, self._sharing):
                self._backlog.drop(delivery)
                self._expect(self._clock.now())
                continue
            self._tasks.create_task(self._deliver(delivery))
        wakes_at = self._backlog.wakes_at()
        if self._backlog.is_hungry() or (wakes_at is not None and wakes_at < self._nap_until):
            self._woken.set()

    def _is_ours(self, delivery: Delivery, sharing: Sharing) -> bool:
        """Whether its claim lasts through a try; it may have waited for its turn for long."""
        if self._claims.lasts(delivery.id, self._clock.now() + sharing.least):
            return True
        self._claims.forget(delivery.id)
        return False

    async def _deliver(self, delivery: Delivery) -> None:
        if self._receivers.is_gone(delivery.client_id, delivery.url):
            answer, verdict, now = Answer(None), NOT_SENT, self._clock.now()
        else:
            if failpoints.armed:
                failpoints.reach(f"delivery.{delivery.kind}.before")
            answer = await self._sender.send(delivery)
            if failpoints.armed:
                failpoints.reach(f"delivery.{delivery.kind}.after")
            now = self._clock.now()
            verdict = judge(delivery, answer, self._chance, now)
        self._backlog.answered(delivery, verdict, self._clock.monotonic())
        self._report(delivery, verdict)
        self._send_more()
        outcome = record_verdict(delivery, answer, verdict, now)
        await self._record(outcome)
        if failpoints.armed:
            failpoints.reach("delivery.recorded")
        self._backlog.recorded(delivery)
        self._claims.forget(delivery.id)
        self._settled.set()
        self._expect(outcome.due_at)

    async def _record(self, outcome: DeliveryOutcome) -> None:
        pause = STORE_PAUSE
        while True:
            try:
                if not await self._store.record_delivery(outcome):
                    log.warning("no longer pending", extra={"delivery": outcome.id})
                return
            except StoreUnavailable as error:
                # Why is told once, by the store: many may wait.
                log.debug(
                    "outcome not stored yet", extra={"delivery": outcome.id, "error": str(error)}
                )
                await self._pause(pause)
                pause = min(2 * pause, LONGEST_STORE_PAUSE)

    def _expect(self, due_at: float | None) -> None:
        """Move the timer forward where a retry is due sooner."""
        if due_at is not None and due_at < self._due_at:
            self._due_at = due_at
            if due_at - self._clock.now() < self._nap_until - self._clock.monotonic():
                self._woken.set()

    async def _learn_receivers(self) -> bool:
        """Read what is known of receivers, where it may have changed; whether it is read."""
        if not self._unsure:
            return True
        self._unsure = False
        try:
            await self._receivers.refresh()
        except StoreUnavailable as error:
            log.error("receivers cannot be read", extra={"error": str(error)})
            self._unsure = True
        return not self._unsure

    async def _load(self) -> None:
        pages: deque[Page] = deque()
        try:
            # First: what was sent again by an operator may be for one that is gone no more.
            await self._learn_receivers()
            await self._find_due()
            while pages or (pages := deque(self._backlog.pages())):
                page = pages[0]
                rows = await self._read(page)
                self._backlog.loaded(pages.popleft(), rows)
                if self._sharing is not None:
                    await self._release([row for row in rows if not self._backlog.holds(row.id)])
                self._send_more()
        except StoreUnavailable as error:
            log.error("the outbox cannot be read", extra={"error": str(error)})
            for page in pages:
                self._backlog.unread(page)
            self._woken.set()
            await self._pause(LONGEST_STORE_PAUSE)

    async def _read(self, page: Page) -> Sequence[Delivery]:
        now = self._clock.now()
        if self._sharing is None:
            return await self._store.due_deliveries(page.endpoint, now, page.after_id, page.limit)
        if self._draining:
            return ()
        until = now + self._sharing.claim
        rows = await self._store.claim_deliveries(
            page.endpoint, now, page.after_id, page.limit, until
        )
        self._claims.note((row.id for row in rows), until)
        return rows

    async def _find_due(self) -> None:
        now = self._clock.now()
        if now < self._due_at:
            return
        self._backlog.sweep(self._clock.monotonic())
        # From here on a sooner time than infinity comes from whoever records a retry.
        self._due_at = inf
        try:
            self._backlog.flag(filter(self._serves, await self._store.due_endpoints(now)))
            next_at = await self._store.next_delivery_at(now)
        except StoreUnavailable:
            self._due_at = now
            raise
        if next_at is not None:
            self._due_at = min(self._due_at, max(next_at, now + RECHECK))
        if self._sharing is not None:
            self._due_at = min(self._due_at, now + self._sharing.recheck)

    def _serves(self, endpoint: str) -> bool:
        return self._sharing is None or endpoint != following.LINE or self._sharing.follows()

    async def _nap(self) -> None:
        now, wakes_at = self._clock.monotonic(), self._backlog.wakes_at()
        wait = self._due_at - self._clock.now()
        if wakes_at is not None:
            wait = min(wait, wakes_at - now)
        nap = min(max(wait, 0.0), LONGEST_NAP)
        self._nap_until = now + wait
        with suppress(TimeoutError):
            async with asyncio.timeout(nap):
                await self._woken.wait()
        self._nap_until = -inf

    def _report(self, delivery: Delivery, verdict: Verdict) -> None:
        endpoint = delivery.endpoint
        if verdict.finding is Finding.STOPPED:
            if endpoint not in self._stopped:
                self._stopped.add(endpoint)
                log.error(
                    "our credentials are refused: deliveries wait, one is tried now and then",
                    extra={"endpoint": endpoint, "error": verdict.error, "seconds": verdict.hold},
                )
        elif verdict.finding in TAKEN and endpoint in self._stopped:
            self._stopped.discard(endpoint)
            log.warning("our credentials are accepted again", extra={"endpoint": endpoint})
        if verdict.gone and self._receivers.note_gone(delivery.client_id, delivery.url):
            log.error(
                "a callback URL is gone: what is for it becomes dead letters",
                extra={"client": delivery.client_id, "endpoint": endpoint},
            )
        silent = verdict.finding in TAKEN or verdict.finding is Finding.UNSENT
        if verdict.delay is None and not silent:
            fields = {"delivery": delivery.id, "endpoint": endpoint, "error": verdict.error}
            log.error("a delivery is dead", extra=fields)
