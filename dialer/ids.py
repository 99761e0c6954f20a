"""Identifiers that grow: UUIDv7 (RFC 9562, section 5.7) for ActionIDs, ChannelIds, CDRs and calls.

Always 36 characters, so that none is a prefix of another: Asterisk refuses a ChannelId that is a
prefix of a live one. Growing, because random keys cut the speed of an index by half.
"""

from collections.abc import Callable

_COUNTER_BITS = 42  # 12 in rand_a and 30 in rand_b, as CPython 3.14's uuid.uuid7 has it
_COUNTER_MASK = (1 << _COUNTER_BITS) - 1
_SEED_MASK = _COUNTER_MASK >> 1  # the top bit starts at 0: room to count within a millisecond
_EACH = 10  # random bytes an id uses
_POOL = 100 * _EACH
_VERSION = 7 << 76
_VARIANT = 2 << 62


def uuid7(milliseconds: int, counter: int, tail: int) -> str:
    """The UUIDv7 text of a 48-bit time, a 42-bit counter and 32 random bits."""
    high = (counter >> 30) & 0xFFF
    low = counter & 0x3FFFFFFF
    value = (
        (milliseconds & 0xFFFFFFFFFFFF) << 80
        | _VERSION
        | high << 64
        | _VARIANT
        | low << 32
        | tail & 0xFFFFFFFF
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Ids:
    """Makes UUIDv7s that are strictly growing within this object, whatever the clock does
    (RFC 9562, section 6.2, method 1). `entropy(n)` gives n random bytes, like `os.urandom`; it is
    asked for many ids at once, so an `Ids` must not be used on both sides of a fork."""

    __slots__ = ("_counter", "_entropy", "_left", "_milliseconds", "_pool")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._pool = b""
        self._left = 0  # bytes of the pool that are not used yet
        self._milliseconds = -1
        self._counter = 0

    def new(self, now: float) -> str:
        """A fresh id. `now` is epoch seconds; a clock that went back keeps the latest time."""
        milliseconds = int(now * 1000)
        if not self._left:
            self._pool = self._entropy(_POOL)
            self._left = _POOL
        random = int.from_bytes(self._pool[self._left - _EACH : self._left], "big")
        self._left -= _EACH
        if milliseconds > self._milliseconds:
            self._milliseconds = milliseconds
            self._counter = (random >> 32) & _SEED_MASK
        else:
            self._counter += 1
            if self._counter > _COUNTER_MASK:
                self._milliseconds += 1
                self._counter = (random >> 32) & _SEED_MASK
        return uuid7(self._milliseconds, self._counter, random)
