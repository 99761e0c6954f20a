"""Tables from our dispositions to an API's words, and back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ami import Disposition

CLOSED: Final = frozenset({"expired", "terminated"})
"""What items that ended without an attempt are called: never a CDR's disposition."""


def freeze(table: dict[str, str]) -> Mapping[str, str]:
    """A table that names every disposition and every closing. Raises ValueError for one missing."""
    known = {*Disposition, *CLOSED}
    if set(table) != known:
        raise ValueError(f"wrong dispositions: {', '.join(sorted(known ^ set(table)))}")
    return MappingProxyType(dict(table))


def invert(table: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """For each of the API's words the dispositions of CDRs that it stands for."""
    words: dict[str, set[str]] = {}
    for disposition, word in table.items():
        words.setdefault(word, set())
        if disposition not in CLOSED:
            words[word].add(disposition)
    return MappingProxyType({word: frozenset(found) for word, found in words.items()})
