"""Puts the ends of attempts on disk: settled with their CDR, or withdrawn as if they never were.

Whatever the store says, an end is never given up: it is written again until it is there, or until
the store says that another worker owns the server.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from ami import CallReport
from dialer.attempts import LiveAttempt, Stage, conclude, rules_of
from dialer.clock import Clock
from dialer.errors import OwnershipLost, StoreUnavailable
from dialer.failpoints import failpoints
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.retry import RetryRules
from dialer.states import ItemEnd
from dialer.store.contract import (
    Delivery,
    EndedItem,
    NewDelivery,
    Settlement,
    Store,
    Withdrawal,
)

log = logging.getLogger(__name__)

SETTLE_RETRY = 0.5
"""Seconds before an end that could not be written is tried again."""

CONCLUDED_AT_ONCE = 10
"""Ended calls whose records are made in one turn of the event loop: some 2 ms."""

Written = asyncio.Future[tuple[Delivery, ...]]


@dataclass(frozen=True, slots=True)
class SettlerParts:
    """`safely` runs a callback and reports what it raises; `fence_of` gives the token of a
    server; `on_written` and `on_lost` are told of each end that is on disk, or never will be, for
    its token is none any more."""

    store: Store
    clock: Clock
    planner: Planner
    reporter: Reporter
    check_deadlines: Callable[[], None]
    fence_of: Callable[[int], int]
    safely: Callable[..., None]
    on_written: Callable[[], None]
    on_lost: Callable[[int, int], None]


class Settler:
    """All methods run in the event loop and return at once."""

    def __init__(self, parts: SettlerParts) -> None:
        self._parts = parts
        self._planner = parts.planner
        self._ended: deque[tuple[LiveAttempt, CallReport, float]] = deque()
        self._concluding = False
        self._writing: Counter[int] = Counter()  # by server

    @property
    def idle(self) -> bool:
        """Every end is on disk."""
        return not self._writing

    def is_writing_on(self, server_id: int) -> bool:
        """Whether ends of calls on this server are on their way to the disk."""
        return server_id in self._writing

    def rules_of(self, queue_id: int, otherwise: RetryRules | None = None) -> RetryRules:
        """A queue's rules as they are now; `otherwise` where it is not known any more."""
        queue = self._planner.queue(queue_id)
        return rules_of(queue) if queue is not None else otherwise or RetryRules()

    # Settling.

    def end(self, attempt: LiveAttempt, report: CallReport) -> None:
        """An attempt in `settling`. Its record is made at the next `conclude_soon`."""
        self._writing[attempt.placement.server.id] += 1
        self._ended.append((attempt, report, self._parts.clock.now()))

    def conclude_soon(self) -> None:
        """Ended calls are written up after what their slots let go has left for the disk: making
        records takes longer than planning, and would keep the next calls waiting."""
        if self._ended and not self._concluding:
            self._concluding = True
            asyncio.get_running_loop().call_soon(self._parts.safely, self._conclude_some)

    def _conclude_some(self) -> None:
        for _ in range(min(len(self._ended), CONCLUDED_AT_ONCE)):
            self._conclude(*self._ended.popleft())
        self._concluding = False
        self.conclude_soon()

    def _conclude(self, attempt: LiveAttempt, report: CallReport, now: float) -> None:
        item = attempt.placement.candidate
        rules = self.rules_of(item.queue_id, attempt.rules)
        cdr, decision = conclude(attempt, report, rules, now)
        client = self._planner.client(attempt.placement.client.id)
        settlement = Settlement(
            channel_id=attempt.channel_id,
            item_id=item.id,
            queue_id=item.queue_id,
            cdr=cdr,
            final=decision.final,
            next_attempt_at=decision.next_at,
            unplaced=not report.placed,
            deliveries=self._parts.reporter.deliveries_of(cdr, client, now),
            now=now,
            fence=self._parts.fence_of(item.server_id),
            closing=() if decision.final else self._closing(attempt, report),
            retry_gap=rules.gap if report.placed and not decision.final else None,
        )
        self._settle(attempt, settlement)

    def _settle(self, attempt: LiveAttempt, settlement: Settlement) -> None:
        if failpoints.armed:
            failpoints.reach("worker.settle.before")
        written: Written = asyncio.ensure_future(self._parts.store.settle(settlement))
        written.add_done_callback(
            lambda done: self._parts.safely(self._settled, attempt, settlement, done)
        )

    def _settled(self, attempt: LiveAttempt, settlement: Settlement, done: Written) -> None:
        if not self._is_written(attempt, done, self._settle, settlement):
            return
        if failpoints.armed:
            failpoints.reach("worker.settle.after")
        attempt.move(Stage.SETTLED)
        self._parts.reporter.offer(done.result())
        next_at = self._next_attempt_at(settlement)
        self._planner.settled(attempt.placement, next_at, self._parts.clock.now())
        self._finish(attempt, waits=not settlement.final)

    def _closing(
        self, attempt: LiveAttempt, report: CallReport | None = None
    ) -> tuple[NewDelivery, ...]:
        """What the client is told if its queue turns out to take no further attempts."""
        item = attempt.placement.candidate
        if report is not None:
            item = replace(
                item,
                attempts=item.attempts + report.placed,
                unplaced=item.unplaced + (not report.placed),
            )
        client = self._planner.client(item.client_id)
        ended = EndedItem(item, ItemEnd.TERMINATED, client, attempt.placement.server.code)
        return self._parts.reporter.closing_of(ended, self._parts.clock.now())

    def _next_attempt_at(self, settlement: Settlement) -> float | None:
        """When the retry is due by the rules that hold now: they may have changed while the
        settlement was under way."""
        next_at, used = settlement.next_attempt_at, settlement.retry_gap
        if next_at is None or used is None:
            return next_at
        return next_at + self.rules_of(settlement.queue_id, RetryRules(gap=used)).gap - used

    # Withdrawing.

    def withdraw(self, attempt: LiveAttempt) -> None:
        """An attempt in `withdrawing`: nothing of it left, and it holds no slot."""
        self._writing[attempt.placement.server.id] += 1
        self._planner.withdrawing(attempt.placement)
        withdrawal = Withdrawal(
            channel_id=attempt.channel_id,
            now=self._parts.clock.now(),
            fence=self._parts.fence_of(attempt.placement.server.id),
            closing=self._closing(attempt),
        )
        self._take_back(attempt, withdrawal)

    def _take_back(self, attempt: LiveAttempt, withdrawal: Withdrawal) -> None:
        if failpoints.armed:
            failpoints.reach("worker.withdraw.before")
        written: Written = asyncio.ensure_future(self._parts.store.withdraw(withdrawal))
        written.add_done_callback(
            lambda done: self._parts.safely(self._withdrawn, attempt, withdrawal, done)
        )

    def _withdrawn(self, attempt: LiveAttempt, withdrawal: Withdrawal, done: Written) -> None:
        if not self._is_written(attempt, done, self._take_back, withdrawal):
            return
        if failpoints.armed:
            failpoints.reach("worker.withdraw.after")
        attempt.move(Stage.WITHDRAWN)
        self._parts.reporter.offer(done.result())
        self._planner.withdrawn(attempt.placement)
        self._finish(attempt, waits=True)

    # Both.

    def _is_written(
        self,
        attempt: LiveAttempt,
        done: Written,
        again: Callable[..., None],
        write: Settlement | Withdrawal,
    ) -> bool:
        if done.cancelled():
            return False
        error = done.exception()
        if error is None:
            return True
        if isinstance(error, StoreUnavailable):
            # Why is told once, by the store: there may be hundreds that wait, twice a second.
            log.debug("the end of a call could not be written yet", extra={"error": str(error)})
            loop = asyncio.get_running_loop()
            loop.call_later(SETTLE_RETRY, self._parts.safely, again, attempt, write)
            return False
        if isinstance(error, OwnershipLost):
            attempt.move(Stage.LOST)
            self._parts.planner.lost(attempt.placement)
            self._count_down(attempt)
            self._parts.on_lost(error.server_id, write.fence)
            return False
        raise error

    def _finish(self, attempt: LiveAttempt, *, waits: bool) -> None:
        """`waits`: the item may wait for its deadline now."""
        if waits and attempt.placement.candidate.deadline is not None:
            self._parts.check_deadlines()
        self._count_down(attempt)
        self._parts.on_written()

    def _count_down(self, attempt: LiveAttempt) -> None:
        server_id = attempt.placement.server.id
        self._writing[server_id] -= 1
        if not self._writing[server_id]:
            del self._writing[server_id]
