"""Whether, and when, an item gets a further attempt (docs/dialing.md, "Attempts")."""

from dataclasses import dataclass
from typing import Final

RETRIED: Final = frozenset({"busy", "no-answer", "not-available", "congestion", "failed"})
"""Dispositions that are worth another attempt. Answered, invalid and cancel are not, and unknown
only where its queue says so."""

UNPLACED_BUDGET: Final = 3
"""Attempts that certainly never became a channel have a budget of their own …"""

UNPLACED_GAP: Final = 60.0
"""… and a gap of their own, in seconds."""

SIP_FORBIDDEN: Final = 403
BEARER_NOT_AVAILABLE: Final = 58


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What the queue says: `retry` off stops all; `count` holds where the item has no own;
    `redial_unknown`: what may have rung counts as failed."""

    retry: bool = True
    count: int = 0
    gap: float = 300.0
    redial_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt that ended, and how many there were of its item, this one included."""

    disposition: str
    ended_at: float
    attempts: int
    unplaced: int
    placed: bool
    repeats: bool = False  # the error would come again: wrong dial string, forbidden application
    sip_code: int | None = None
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """`next_at` None: that was the last attempt."""

    next_at: float | None
    reason: str

    @property
    def final(self) -> bool:
        return self.next_at is None


def decide_retry(
    tried: Tried, rules: RetryRules, own_retry: int, *, quick: bool = False
) -> RetryDecision:
    """Decide what follows `tried`. `own_retry` > 0 beats the queue's count."""
    if quick:
        return RetryDecision(None, "a quick call has one attempt")
    redialed = rules.redial_unknown and tried.disposition == "unknown"
    if tried.disposition not in RETRIED and not redialed:
        return RetryDecision(None, f"{tried.disposition} is not retried")
    if not rules.retry:
        return RetryDecision(None, "the queue's retry is off")
    if _would_repeat(tried):
        return RetryDecision(None, "the same would happen again")
    if not tried.placed:
        if tried.unplaced >= UNPLACED_BUDGET:
            return RetryDecision(None, "could not be placed too often")
        return RetryDecision(tried.ended_at + UNPLACED_GAP, "could not be placed")
    allowed = 1 + (own_retry if own_retry > 0 else rules.count)
    if tried.attempts >= allowed:
        return RetryDecision(None, "attempts used up")
    return RetryDecision(tried.ended_at + rules.gap, f"{tried.disposition} is retried")


def _would_repeat(tried: Tried) -> bool:
    forbidden = tried.sip_code == SIP_FORBIDDEN or tried.cause == BEARER_NOT_AVAILABLE
    return tried.repeats or (tried.disposition == "failed" and forbidden)
