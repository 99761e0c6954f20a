"""When a failed delivery is tried again, and what a Retry-After header asks for.

The schedule spans more than a day (27.7 h before jitter), so that an endpoint that is down over
night loses nothing. Jitter only lengthens: many deliveries that failed together come back spread.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

DELAYS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0)
"""Seconds after the first, second … failed try. One more failure after the last is the end."""

JITTER: Final = 0.2
"""Share of a delay that chance adds at most."""

LONGEST_RETRY_AFTER: Final = 86400.0
"""A receiver may ask for a day at most; more is a mistake of its clock."""


class Chance(Protocol):
    """What is needed of `random.Random`."""

    def random(self) -> float: ...


def choose_delay(tries: int, chance: Chance) -> float | None:
    """Seconds until the next try after `tries` (≥ 1) counted ones failed; None: give up."""
    if tries > len(DELAYS):
        return None
    return DELAYS[tries - 1] * (1 + JITTER * chance.random())


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` that a Retry-After header (RFC 9110, 10.2.3: seconds or an HTTP date)
    asks for, 0 … a day; None when there is none or it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= 9 else LONGEST_RETRY_AFTER
    else:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
