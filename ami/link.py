"""The life of a link to one Asterisk, as a table; and how long to wait before trying again."""

import random
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from ami.errors import IllegalLinkMove


class LinkState(Enum):
    """Only UP takes calls."""

    DOWN = "down"
    CONNECTING = "connecting"
    LOGGING_IN = "logging-in"
    BOOTING = "booting"  # logged in; Asterisk still loads its modules
    UP = "up"
    REFUSED = "refused"  # wrong user or secret; tried again, slowly
    SHUTTING_DOWN = "shutting-down"  # Asterisk takes no new actions
    LEAVING = "leaving"  # we log off


class LinkSignal(Enum):
    """What moves a link."""

    CONNECT = "connect"
    CONNECTED = "connected"
    LOGIN_ACCEPTED = "login-accepted"
    LOGIN_REFUSED = "login-refused"
    BOOTED = "booted"
    SHUTDOWN_SEEN = "shutdown-seen"  # Event: Shutdown, or "Asterisk is shutting down"
    SHUTDOWN_ABORTED = "shutdown-aborted"  # it answers as before: `core abort shutdown`
    LEAVE = "leave"
    LOST = "lost"


_S, _E = LinkState, LinkSignal

MOVES: Final = MappingProxyType(
    {
        _S.DOWN: {_E.CONNECT: _S.CONNECTING, _E.LEAVE: _S.LEAVING},
        _S.REFUSED: {_E.CONNECT: _S.CONNECTING, _E.LEAVE: _S.LEAVING},
        _S.CONNECTING: {
            _E.CONNECTED: _S.LOGGING_IN,
            _E.LOST: _S.DOWN,
            _E.LEAVE: _S.LEAVING,
        },
        _S.LOGGING_IN: {
            _E.LOGIN_ACCEPTED: _S.BOOTING,
            _E.LOGIN_REFUSED: _S.REFUSED,
            _E.LOST: _S.DOWN,
            _E.LEAVE: _S.LEAVING,
        },
        _S.BOOTING: {
            _E.BOOTED: _S.UP,
            _E.SHUTDOWN_SEEN: _S.SHUTTING_DOWN,
            _E.LOST: _S.DOWN,
            _E.LEAVE: _S.LEAVING,
        },
        _S.UP: {
            _E.SHUTDOWN_SEEN: _S.SHUTTING_DOWN,
            _E.LOST: _S.DOWN,
            _E.LEAVE: _S.LEAVING,
        },
        _S.SHUTTING_DOWN: {
            _E.SHUTDOWN_ABORTED: _S.UP,
            _E.LOST: _S.DOWN,
            _E.LEAVE: _S.LEAVING,
        },
        _S.LEAVING: {_E.LOST: _S.DOWN},
    }
)


def move(state: LinkState, signal: LinkSignal) -> LinkState:
    """The state that `signal` leads to. Raises IllegalLinkMove where the table has none."""
    following = MOVES[state].get(signal)
    if following is None:
        raise IllegalLinkMove(state.value, signal.value)
    return following


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `cap`, in seconds."""

    first: float
    cap: float


# A restarting Asterisk listens again within seconds; a fleet must not come at it in one moment.
RECONNECT: Final = Backoff(first=0.25, cap=10.0)
# A wrong secret does not heal by itself, and every try is a security event over there.
AFTER_REFUSAL: Final = Backoff(first=10.0, cap=300.0)


def backoff(failures: int, rng: random.Random, limits: Backoff = RECONNECT) -> float:
    """Seconds to wait after `failures` (≥ 1) failures in a row: from half of the doubled wait to
    all of it, never more than the cap."""
    # 2 ** 32 times anything is over any cap; more only overflows.
    whole = min(limits.cap, limits.first * 2.0 ** min(max(failures, 1) - 1, 32))
    return whole * rng.uniform(0.5, 1.0)
