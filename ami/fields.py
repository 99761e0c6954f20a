"""A set of headers, read of many messages at a fraction of what asking for each one costs.

An Asterisk sends the headers of an event in the same order every time. A message of an order that
is not known yet is asked for its headers one by one, and its order is learned: as a pattern that
finds the values of the next such message in one go. What a pattern gives is what asking gives, for
it matches only a text with these very headers, up to the last one that can matter.
"""

import re
from typing import Final, Protocol

# More orders than the events of one name have, from some versions of Asterisk together. A bound
# for one that sends them in ever new orders: it is asked, as it would be without patterns.
_MOST_LAYOUTS: Final = 6
# Messages of unknown order after which all is learned anew: Asterisk may have been upgraded. A
# pattern takes a millisecond to make, which is nothing beside those.
_PATIENCE: Final = 10_000
_MOST_HEADERS: Final = 100

_VALUE: Final = r"[^\r]*+"
# The first line of a text whose lines end with CR LF has no other line ends.
_FIRST_VALUE: Final = r"[^\r\n]*+"
# Asking takes stray line ends off a value's end: a text that has any is no pattern's business.
_NO_STRAY: Final = r"(?<!\n)"


# A pattern, and which of its groups hold the values asked for.
_Layout = tuple[re.Pattern[str], tuple[int, ...]]


class Headers(Protocol):
    """An AMI message: its bytes, and its headers by case-insensitive name."""

    @property
    def raw(self) -> bytes: ...

    def get(self, header: str, default: str = "", /) -> str: ...


class Fields:
    """Reads these headers, two or more, of messages."""

    __slots__ = ("_layouts", "_names", "_strangers")

    def __init__(self, *names: str) -> None:
        self._names: Final = names
        self._layouts: list[_Layout] = []
        self._strangers = 0  # messages of an unknown order, since all was learned anew

    def read(self, message: Headers) -> tuple[str, ...]:
        """The values in the order of the names, each as `message.get` gives it."""
        text = message.raw.decode("utf-8", "replace")
        for layout, groups in self._layouts:
            found = layout.match(text)
            if found is not None:
                return found.group(*groups)
        self._strangers += 1
        if self._strangers > _PATIENCE:
            self._layouts, self._strangers = [], 1
        if self._strangers <= _MOST_LAYOUTS:
            self._learn(text)
        return tuple(map(message.get, self._names))

    def _learn(self, text: str) -> None:
        """Add the layout of such a message, unless it has lines that are no headers."""
        lines = [line.partition(":") for line in text.split("\r\n", _MOST_HEADERS)]
        if len(lines) > _MOST_HEADERS or not all(colon for _, colon, _ in lines):
            return
        if "\n" in lines[0][0] + lines[0][2]:
            return  # this one's lines end otherwise
        keys = [key for key, _, _ in lines]
        places = [_find_key(keys, name) for name in self._names]
        # Of a header that is spelled as asked for, what comes after the first one does not matter.
        exact = all(
            at is not None and keys[at] == name
            for at, name in zip(places, self._names, strict=True)
        )
        self._layouts.append(_make_layout(keys, places, whole=not exact))


def _find_key(keys: list[str], name: str) -> int | None:
    """Which line has the header: the first one spelled so, else the first in any case."""
    if name in keys:
        return keys.index(name)
    lowered = [key.lower() for key in keys]
    return lowered.index(name.lower()) if name.lower() in lowered else None


def _make_layout(keys: list[str], places: list[int | None], *, whole: bool) -> _Layout:
    """The pattern of a text with these headers, and which groups of it hold what is at `places`;
    `whole`: such a text has no further ones."""
    read = sorted({at for at in places if at is not None})
    lines = []
    for at, key in enumerate(keys if whole else keys[: read[-1] + 1]):
        value = _VALUE if at else _FIRST_VALUE
        value = f" ?+({value}){_NO_STRAY}" if at in read else value
        lines.append(f"{re.escape(key)}:{value}")
    # The empty group at the end stands for headers that are not there.
    pattern = r"\r\n".join(lines) + (r"\Z()" if whole else r"(?:\r\n|\Z)()")
    groups = (len(read) + 1 if at is None else read.index(at) + 1 for at in places)
    return re.compile(pattern), tuple(groups)
