"""Times of a clock that somebody may set while calls run, on a scale that goes on steadily.

A call's record is made from stamps of one clock (Asterisk's, or ours where it sends none). Where
that clock is set in mid-call, the difference of two stamps is no duration any more. So stamps are
taken to a scale without steps before they are looked at, and a report back to the clock as it is.
"""

from dataclasses import dataclass, replace

from ami import CallEffect, CallEnded, CallProgressed, CallReport

STEP = 600.0
"""Seconds from which a stamp that is ahead of, or behind, the one before it, as monotonic time saw
them, says that the clock was set. An event that was under way for as long would be another
explanation, but a link that was silent for a tenth of that is cut."""


@dataclass(slots=True)
class Timeline:
    """`moved`: seconds by which the clock was set so far."""

    moved: float = 0.0
    _ahead: float | None = None  # of monotonic time, at the last stamp

    def steady(self, at: float, now: float) -> float:
        """A stamp (epoch seconds) that was read at the monotonic time `now`, on the scale."""
        ahead = at - now
        if self._ahead is not None and abs(ahead - self._ahead) >= STEP:
            self.moved += ahead - self._ahead
        self._ahead = ahead
        return at - self.moved

    def restore(self, effect: CallEffect) -> CallEffect:
        """What was found out on the scale, by the clock as it is now."""
        if not self.moved:
            return effect
        if isinstance(effect, CallEnded):
            return CallEnded(_move(effect.report, self.moved))
        return CallProgressed(effect.channel_id, effect.progress, effect.at + self.moved)


def _move(report: CallReport, by: float) -> CallReport:
    leg = report.leg_b
    if leg is not None:
        leg = replace(leg, answered_at=_plus(leg.answered_at, by), ended_at=_plus(leg.ended_at, by))
    return replace(
        report,
        started_at=report.started_at + by,
        ringing_at=_plus(report.ringing_at, by),
        answered_at=_plus(report.answered_at, by),
        ended_at=report.ended_at + by,
        leg_b=leg,
    )


def _plus(at: float | None, by: float) -> float | None:
    return None if at is None else at + by
