"""How many Originates an Asterisk may have that it has not answered yet. Pure.

Asterisk has no limit of its own: it makes a thread for every Originate, and answers later when it
has too much to do. So its answers set the pace: while they are prompt one more may be under way
for every windowful of them, when one is slow only half as many, when one is missing few. The
length of a call has no part in this: what counts is the Response to the Originate
(docs/decisions/0014-back-pressure.md).
"""

from dataclasses import dataclass
from typing import Final

FIRST: Final = 64.0
"""Unanswered Originates that a fresh link may have: at a healthy Asterisk's 5 ms an answer that is
over 10,000 calls a second."""

LEAST: Final = 2.0
MOST: Final = 512.0

PROMPT: Final = 0.1
"""Seconds; an answer within them lets the window grow. A healthy Asterisk takes 1 to 10 ms."""

SLOW: Final = 0.5
"""Seconds; a later answer halves the window."""

MUTE: Final = 1.0
"""Seconds without any answer while some are due, after which `LEAST` at most are under way: of what
is written to an Asterisk that hangs nobody will ever know whether it rang."""


@dataclass(slots=True)
class Window:
    """Of one server. Every `take` is followed by one of the other calls. Times are monotonic."""

    limit: float = FIRST
    under_way: int = 0
    _narrowed_at: float = float("-inf")
    _heard_at: float = float("-inf")  # the last answer, or since when one is due

    def has_room(self, now: float) -> bool:
        """Whether one more may be under way."""
        limit = LEAST if now - self._heard_at > MUTE else self.limit
        return not self.under_way or self.under_way < int(limit)

    def take(self, now: float) -> None:
        """A call was planned: its Originate will be written."""
        if not self.under_way:
            self._heard_at = now
        self.under_way += 1

    def give_back(self) -> None:
        """It was not written, or nobody can tell any more whether it is answered."""
        self.under_way -= 1

    def answered(self, seconds: float, now: float) -> None:
        """Its Response came `seconds` after it was written."""
        self.under_way -= 1
        self._heard_at = now
        if seconds <= PROMPT:
            self.limit = min(MOST, self.limit + 1.0 / self.limit)
        elif seconds > SLOW and now - seconds >= self._narrowed_at:
            # Those that were under way when it was last halved tell nothing new.
            self.limit = max(LEAST, self.limit / 2.0)
            self._narrowed_at = now

    def missed(self, now: float) -> None:
        """No Response came in its time."""
        self.under_way -= 1
        self.limit = LEAST
        self._narrowed_at = now

    def renew(self) -> None:
        """A new link: what was learned of the one before says nothing of it."""
        self.limit = FIRST
        self._narrowed_at = float("-inf")
