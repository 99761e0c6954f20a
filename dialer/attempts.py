"""An attempt between its slot and its settlement, and how its end is decided."""

from dataclasses import dataclass, field
from enum import StrEnum

from ami import CallReport, Disposition
from dialer.cdr import AttemptFacts, Cdr, build_cdr
from dialer.coordination.contract import Turn
from dialer.planner import Placement
from dialer.retry import RetryDecision, RetryRules, Tried, decide_retry
from dialer.states import check_transition
from dialer.store.contract import Queue


class Stage(StrEnum):
    """Where an attempt is. It holds its slot in `HOLDING`."""

    RESERVING = "reserving"  # its intent is being written to disk
    CLEARED = "cleared"  # on disk, waiting for the calls-per-second gate of the wire
    SENT = "sent"  # its Originate was handed to the socket: from here on it may ring
    SETTLING = "settling"  # it ended; its CDR is being written to disk
    WITHDRAWING = "withdrawing"  # it certainly never left; that is being written to disk
    REFUSED = "refused"  # the store did not grant it: there is no such attempt
    SETTLED = "settled"
    WITHDRAWN = "withdrawn"  # its item waits again and keeps its ids
    LOST = "lost"  # another worker owns the server now: nothing more is done about it here


STAGES = {
    Stage.RESERVING: {Stage.CLEARED, Stage.REFUSED},
    Stage.CLEARED: {Stage.SENT, Stage.SETTLING, Stage.WITHDRAWING, Stage.LOST},
    Stage.SENT: {Stage.SETTLING, Stage.WITHDRAWING, Stage.LOST},
    Stage.SETTLING: {Stage.SETTLED, Stage.LOST},
    Stage.WITHDRAWING: {Stage.WITHDRAWN, Stage.LOST},
    Stage.REFUSED: set[Stage](),
    Stage.SETTLED: set[Stage](),
    Stage.WITHDRAWN: set[Stage](),
    Stage.LOST: set[Stage](),
}
"""One that an earlier life left begins as `sent`, or as `withdrawing` where it never left."""

HOLDING = frozenset({Stage.RESERVING, Stage.CLEARED, Stage.SENT})
"""Stages in which an attempt holds its slot."""


@dataclass(slots=True)
class LiveAttempt:
    """One attempt in the worker's hands. `repeats`: the error would come again."""

    placement: Placement
    stage: Stage = Stage.RESERVING
    application: str | None = None
    data: str | None = None
    repeats: bool = False
    rules: RetryRules = field(default_factory=RetryRules)
    sent_at: float = 0.0  # epoch seconds
    sent_mono: float = 0.0  # monotonic seconds
    answered_at: float | None = None  # epoch seconds
    started_at: float | None = None  # epoch seconds; kept for callbacks about calls that go on
    reserved_mono: float = 0.0  # monotonic seconds; where workers share: its write began
    turn: Turn | None = None  # where workers share the client's calls per second
    response_due: bool = False  # its Originate was written, and not answered yet

    @property
    def channel_id(self) -> str:
        return self.placement.channel_id

    def move(self, stage: Stage) -> None:
        """Raises `IllegalTransition`."""
        check_transition(STAGES, self.stage, stage)
        self.stage = stage


def rules_of(queue: Queue) -> RetryRules:
    """A queue's own retry rules."""
    return RetryRules(queue.retry, queue.retry_count, float(queue.retry_gap), queue.redial_unknown)


def conclude(
    attempt: LiveAttempt, report: CallReport, rules: RetryRules, now: float
) -> tuple[Cdr, RetryDecision]:
    """Decide what follows an ended attempt and write its record. `now` is epoch seconds: gaps are
    measured by our clock, the record's times are Asterisk's."""
    item = attempt.placement.candidate
    tried = Tried(
        disposition=report.disposition.value,
        ended_at=now,
        attempts=item.attempts + (1 if report.placed else 0),
        unplaced=item.unplaced + (0 if report.placed else 1),
        placed=report.placed,
        repeats=attempt.repeats,
        sip_code=report.sip_code,
        cause=report.cause,
    )
    decision = decide_retry(tried, rules, item.retry, quick=item.quick)
    cdr = build_cdr(
        report,
        _facts(attempt),
        final=decision.final,
        next_attempt_at=_within(decision.next_at, item.deadline),
    )
    return cdr, decision


def unplaced_report(channel_id: str, action_id: str, at: float, why: str) -> CallReport:
    """The report of an attempt of which nothing reached the wire."""
    return CallReport(
        channel_id=channel_id,
        action_id=action_id,
        disposition=Disposition.FAILED,
        connected_b=False,
        started_at=at,
        ringing_at=None,
        answered_at=None,
        ended_at=at,
        end_estimated=False,
        cause=None,
        cause_text=None,
        sip_code=None,
        reason=None,
        dial_status=None,
        leg_b=None,
        placed=False,
        rang=False,
        detail=why,
    )


def _within(next_at: float | None, deadline: float | None) -> float | None:
    """The client is not promised an attempt that its own deadline forbids."""
    if next_at is None or (deadline is not None and next_at > deadline):
        return None
    return next_at


def _facts(attempt: LiveAttempt) -> AttemptFacts:
    place, item = attempt.placement, attempt.placement.candidate
    return AttemptFacts(
        cdr_id=place.cdr_id,
        call_id=item.call_id,
        client_id=item.client_id,
        accountcode=place.client.accountcode,
        queue_id=item.queue_id,
        item_id=item.id,
        batch_id=item.batch_id,
        server_code=place.server.code,
        attempt=place.number,
        number=item.number,
        caller_id=item.caller_id,
        application=attempt.application,
        data=attempt.data,
        payload=item.payload,
        recordings=place.server.recording_url,
    )
