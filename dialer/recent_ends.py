"""How the calls of the last minutes ended, and why those failed that did: counters, for operators.

Pure: `now` is an argument. A clock that is set back or forward loses counts, never invents any.
"""

from collections import Counter
from typing import Any, Final

from dialer.cdr import Cdr

MINUTES: Final = 5
"""How far back is told of, the minute under way included."""

MOST_REASONS: Final = 50
"""Different reasons that a minute keeps apart: texts of Asterisk's, few in practice."""

SHOWN_REASONS: Final = 3
LONGEST_REASON: Final = 80
OTHER: Final = "other reasons"
_MINUTE: Final = 60.0

Reason = tuple[str, str]  # disposition, why


class RecentEnds:
    """Counts ended attempts by minute. Its size is bounded."""

    def __init__(self) -> None:
        self._minutes: dict[int, Counter[str]] = {}
        self._reasons: dict[int, Counter[Reason]] = {}

    def note(self, cdr: Cdr, now: float) -> None:
        """An attempt ended at `now` (epoch seconds)."""
        minute = int(now // _MINUTE)
        if minute not in self._minutes:
            self._forget(minute)
            self._minutes[minute], self._reasons[minute] = Counter(), Counter()
        self._minutes[minute][cdr.disposition] += 1
        if cdr.error_message:
            reasons = self._reasons[minute]
            reason = (cdr.disposition, cdr.error_message[:LONGEST_REASON])
            if reason not in reasons and len(reasons) >= MOST_REASONS:
                reason = (cdr.disposition, OTHER)
            reasons[reason] += 1

    def describe(self, now: float) -> dict[str, Any]:
        """The last minutes as JSON can say it: how many ended how, the most frequent first, and
        the most frequent reasons as [disposition, reason, count]."""
        minute = int(now // _MINUTE)
        return self._describe(range(minute - MINUTES + 1, minute + 1))

    def describe_minute(self, now: float) -> dict[str, Any] | None:
        """The minute before the one of `now`; None when no call ended in it."""
        told = self._describe(range(int(now // _MINUTE) - 1, int(now // _MINUTE)))
        return told if told["dispositions"] else None

    def _describe(self, minutes: range) -> dict[str, Any]:
        ends: Counter[str] = Counter()
        reasons: Counter[Reason] = Counter()
        for minute in minutes:
            ends.update(self._minutes.get(minute, {}))
            reasons.update(self._reasons.get(minute, {}))
        return {
            "dispositions": dict(ends.most_common()),
            "reasons": [[*reason, count] for reason, count in reasons.most_common(SHOWN_REASONS)],
        }

    def _forget(self, minute: int) -> None:
        kept = range(minute - MINUTES, minute + 1)
        for counters in (self._minutes, self._reasons):
            for old in [old for old in counters if old not in kept]:
                del counters[old]
