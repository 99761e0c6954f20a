"""The breaker of one Asterisk server: takes it out while it does not do its part. Pure.

It opens for what the server does to everybody: Originates without an answer, calls without an
OriginateResponse, "shutting down", a lost link. Never for the outcome of a call: a wrong endpoint,
busy and congestion are answers. While it is open the server's items wait. After a while, or when
the link is back, one probe call goes; its answer closes the breaker.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dialer.states import check_transition


class BreakerState(StrEnum):
    """Whether calls may be placed: all, none, or one to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


BREAKER_TRANSITIONS: Final = {
    BreakerState.CLOSED: {BreakerState.OPEN},
    # Closed at once where the login was the probe: the link is back.
    BreakerState.OPEN: {BreakerState.HALF_OPEN, BreakerState.CLOSED},
    BreakerState.HALF_OPEN: {BreakerState.OPEN, BreakerState.CLOSED},
}


class Trouble(StrEnum):
    """Why a breaker is open."""

    UNANSWERED = "Originates are not answered"
    UNREPORTED = "OriginateResponses are missing"
    SHUTTING_DOWN = "Asterisk is shutting down"
    LINK_LOST = "the link is lost"


TOLERATED: Final = {
    Trouble.UNANSWERED: 3,
    Trouble.UNREPORTED: 3,
    Trouble.SHUTTING_DOWN: 1,
    Trouble.LINK_LOST: 1,
}
"""How often in a row a trouble is seen until the breaker opens."""

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0
"""Seconds that it stays open for what no new link heals; doubled while probes fail."""

FLAPPING: Final = 3
"""Links lost in a row, none of which brought an answer, until a new link is probed with one call
instead of being trusted."""

_HEALED_BY_LINK: Final = frozenset({Trouble.SHUTTING_DOWN, Trouble.LINK_LOST})


@dataclass(slots=True)
class Breaker:
    """Times are monotonic seconds. `until`: when a probe may go, or, while one is under way, when
    another may; infinity: when the link is back. `openings`: how often it opened since it was last
    closed by a call's answer."""

    state: BreakerState = BreakerState.CLOSED
    trouble: Trouble | None = None
    until: float = 0.0
    openings: int = 0
    probing: bool = False
    _seen: dict[Trouble, int] = field(default_factory=dict)

    def may_place(self, now: float) -> bool:
        """Whether a call may be placed now. Time is what half-opens it."""
        if self.state is BreakerState.OPEN and now >= self.until:
            self._half_open()
        return self.state is BreakerState.CLOSED or (
            self.state is BreakerState.HALF_OPEN and (not self.probing or now >= self.until)
        )

    def placed(self, now: float) -> None:
        """A call was placed: in half-open it is the probe."""
        if self.state is BreakerState.HALF_OPEN:
            self.probing = True
            self.until = now + LONGEST_PAUSE

    def unplaced(self) -> None:
        """What was placed last did not leave: it tells nothing."""
        self.probing = False

    def answered(self) -> None:
        """Asterisk answered an Originate, whatever it said of it."""
        self._seen.pop(Trouble.UNANSWERED, None)
        if self.trouble is not Trouble.UNREPORTED:
            self._close()

    def reported(self) -> None:
        """An OriginateResponse came."""
        self._seen.pop(Trouble.UNREPORTED, None)
        if self.trouble is Trouble.UNREPORTED:
            self._close()

    def saw(self, trouble: Trouble, now: float) -> None:
        """One more sign of `trouble`."""
        if self.state is BreakerState.OPEN:
            if trouble in _HEALED_BY_LINK:  # worse than what it is open for
                self._open(trouble, now)
            return
        self._seen[trouble] = self._seen.get(trouble, 0) + 1
        if self.state is BreakerState.HALF_OPEN or self._seen[trouble] >= TOLERATED[trouble]:
            self._open(trouble, now)

    def link_up(self) -> None:
        """Logged in, booted and CoreStatus answered: that is the probe for what a link heals,
        unless links come and go."""
        if self.state is BreakerState.HALF_OPEN:
            self.probing = False  # the probe went with the link before
        if self.state is not BreakerState.OPEN:
            return
        if self.trouble in _HEALED_BY_LINK and self.openings < FLAPPING:
            self._move(BreakerState.CLOSED)
            self._seen.clear()
            self.trouble = None
        else:
            self._half_open()

    def _open(self, trouble: Trouble, now: float) -> None:
        if self.state is not BreakerState.OPEN:
            self._move(BreakerState.OPEN)
            self.openings += 1
        self.trouble = trouble
        self.probing = False
        self._seen.clear()
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.openings - 1, 16))
        self.until = float("inf") if trouble in _HEALED_BY_LINK else now + pause

    def _half_open(self) -> None:
        self._move(BreakerState.HALF_OPEN)
        self.probing = False

    def _close(self) -> None:
        """A call was answered: all is well. What was under way when it opened tells nothing."""
        if self.state is BreakerState.OPEN:
            return
        if self.state is BreakerState.HALF_OPEN:
            if not self.probing:
                return
            self._move(BreakerState.CLOSED)
            self.probing = False
            self.trouble = None
            self._seen.clear()
        self.openings = 0

    def _move(self, state: BreakerState) -> None:
        check_transition(BREAKER_TRANSITIONS, self.state, state)
        self.state = state

    def describe(self, now: float) -> str:
        """For operators: "closed", or the state and why."""
        if self.state is BreakerState.CLOSED:
            return self.state.value
        if self.state is BreakerState.OPEN and self.until != float("inf"):
            left = max(0.0, self.until - now)
            return f"{self.state.value}: {self.trouble} (next try in {left:.0f} s)"
        return f"{self.state.value}: {self.trouble}"
