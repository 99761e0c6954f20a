"""What one try of a delivery came to: the answer as received, and the verdict on it."""

from dataclasses import dataclass
from enum import StrEnum

from dialer.delivery.schedule import Chance, choose_delay
from dialer.states import DeliveryState
from dialer.store.contract import Delivery, DeliveryOutcome, Task

KEPT_TEXT = 1024
"""Bytes of a response or an error that are stored."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when there was no HTTP answer; then `error` says why. `text` is the start
    of an error's body, fit to be stored; `content` what SGAPI said, for reading."""

    status: int | None
    retry_after: float | None = None
    text: str = ""
    error: str | None = None
    content: bytes = b""


class Finding(StrEnum):
    """What a try says about the delivery and about its endpoint."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"  # the receiver has it and is not done with it
    FAILED = "failed"  # again by schedule, or given up; the endpoint may be in trouble
    DEAD = "dead"  # would fail for ever; says nothing against the endpoint
    PACED = "paced"  # the endpoint wants a pause; nothing is counted
    STOPPED = "stopped"  # the endpoint refuses us altogether; nothing is counted
    UNSENT = "unsent"  # it was not tried; nothing is counted


@dataclass(frozen=True, slots=True)
class Verdict:
    """`delay` is set, in seconds, where the delivery is tried again; None ends it. `hold` is how
    long the whole endpoint rests. `error` is None only for one that the receiver has. Where it
    goes on otherwise than before, `state` and `line` say how. `gone`: nothing more to this URL."""

    finding: Finding
    delay: float | None = None
    hold: float = 0.0
    error: str | None = None
    state: DeliveryState | None = None
    line: str | None = None
    task: Task | None = None
    gone: bool = False

    @property
    def counts(self) -> bool:
        return self.finding not in (Finding.PACED, Finding.STOPPED, Finding.UNSENT)


def judge_failure(answer: Answer, tries: int, chance: Chance) -> Verdict:
    """A failed try that is repeated by the schedule, no sooner than the receiver asked for, or
    given up after its last one. `tries` counts the earlier ones."""
    delay = choose_delay(tries + 1, chance)
    error = describe(answer)
    if delay is None:
        return Verdict(Finding.FAILED, error=f"given up after {tries + 1} tries: {error}")
    if answer.retry_after is not None:
        delay = max(delay, answer.retry_after)
    return Verdict(Finding.FAILED, delay=delay, error=error)


def judge_pace(answer: Answer, default: float, chance: Chance) -> Verdict:
    """A 429: the endpoint rests as long as it asked for, else `default` seconds."""
    hold = default if answer.retry_after is None else answer.retry_after
    # What was in flight together must not come back in one moment.
    delay = hold + chance.random()
    return Verdict(Finding.PACED, delay=delay, hold=hold, error=describe(answer))


def clean_text(text: str) -> str:
    """One printable line of at most 1 KiB."""
    line = "".join(c if c.isprintable() else " " for c in text[:KEPT_TEXT])
    return line.strip().encode(errors="replace")[:KEPT_TEXT].decode(errors="ignore")


def describe(answer: Answer) -> str:
    """One line for the record: `HTTP 500: <body>`, or the reason why there was no answer."""
    if answer.status is None:
        return answer.error or "no answer"
    head = f"HTTP {answer.status}"
    detail = answer.error or answer.text
    return f"{head}: {detail}" if detail else head


def record_verdict(
    delivery: Delivery, answer: Answer, verdict: Verdict, now: float
) -> DeliveryOutcome:
    """The verdict as the store keeps it."""
    delivered = verdict.finding is Finding.DELIVERED
    again = verdict.delay is not None
    waits_as = verdict.state or delivery.state
    return DeliveryOutcome(
        id=delivery.id,
        delivered=delivered,
        dead=not delivered and not again,
        due_at=now + verdict.delay if verdict.delay is not None else None,
        status=answer.status,
        error=None if delivered or verdict.error is None else verdict.error[: KEPT_TEXT + 64],
        now=now,
        # A look at a task is no try: it counts itself.
        counts=verdict.counts and delivery.state is DeliveryState.PENDING,
        accepted=again and waits_as is DeliveryState.ACCEPTED,
        leaves=delivery.state,
        endpoint=verdict.line,
        task=verdict.task,
        gone=verdict.gone,
    )
