"""Identifiers that grow: UUIDv7 (RFC 9562, section 5.7) for ActionIDs, ChannelIds, CDRs and calls.

Always 36 characters, so that none is a prefix of another: Asterisk refuses a ChannelId that is a
prefix of a live one. Growing, because random keys cut the speed of an index by half.
"""

from collections.abc import Callable

_COUNTER_BITS = 42  # 12 in rand_a and 30 in rand_b, as CPython 3.14's uuid.uuid7 has it
_COUNTER_MASK = (1 << _COUNTER_BITS) - 1
_SEED_MASK = _COUNTER_MASK >> 1  # the top bit starts at 0: room to count within a millisecond
_LOW_MASK = (1 << 30) - 1
_SEED, _TAIL = 6, 4  # random bytes: of a millisecond's first counter, of every id
_POOL = 8192  # fetched at once: each fetch lets go of Python's lock
_VARIANT = 2 << 62


def uuid7(milliseconds: int, counter: int, tail: int) -> str:
    """The UUIDv7 text of a 48-bit time, a 42-bit counter and 32 random bits."""
    return _write(_write_head(milliseconds, counter >> 30), counter, tail)


def _write_head(milliseconds: int, high: int) -> str:
    """The first three groups: they stay the same for a billion ids of one millisecond."""
    text = f"{milliseconds & 0xFFFFFFFFFFFF:012x}"
    return f"{text[:8]}-{text[8:]}-7{high & 0xFFF:03x}-"


def _write(head: str, counter: int, tail: int) -> str:
    rest = f"{_VARIANT | (counter & _LOW_MASK) << 32 | tail:x}"
    return f"{head}{rest[:4]}-{rest[4:]}"


class Ids:
    """Makes UUIDv7s that are strictly growing within this object, whatever the clock does
    (RFC 9562, section 6.2, method 1). `entropy(n)` gives n random bytes, like `os.urandom`; it is
    asked for many ids at once, so an `Ids` must not be used on both sides of a fork."""

    __slots__ = ("_counter", "_entropy", "_head", "_left", "_milliseconds", "_pool")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._pool = b""
        self._left = 0  # bytes of the pool that are not used yet
        self._milliseconds = -1
        self._counter = 0
        self._head = ""

    def new(self, now: float) -> str:
        """A fresh id. `now` is epoch seconds; a clock that went back keeps the latest time."""
        milliseconds = int(now * 1000)
        if milliseconds > self._milliseconds:
            self._begin(milliseconds)
        else:
            self._counter += 1
            if not self._counter & _LOW_MASK:
                self._go_on()
        return _write(self._head, self._counter, self._take(_TAIL))

    def _begin(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._counter = self._take(_SEED) & _SEED_MASK
        self._head = _write_head(milliseconds, self._counter >> 30)

    def _go_on(self) -> None:
        """The counter's low part is used up; with the high one, the next millisecond is taken."""
        if self._counter > _COUNTER_MASK:
            self._begin(self._milliseconds + 1)
        else:
            self._head = _write_head(self._milliseconds, self._counter >> 30)

    def _take(self, count: int) -> int:
        if self._left < count:
            self._pool = self._entropy(_POOL)
            self._left = _POOL
        end = self._left
        self._left = end - count
        return int.from_bytes(self._pool[end - count : end], "big")
