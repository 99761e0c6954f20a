"""The number of a caller ID."""

import pytest

from dialer.caller_id import find_number

HEARD = [
    ("Your Company <1001>", "1001"),
    ('"A B" <1001>', "1001"),
    ("1001", "1001"),
    ("+98 (21) 10-01", "+98211001"),
    ("1001 <2002>", "2002"),
    ("<1001>", "1001"),
    ("98.1", "981"),
    ("9-8", "98"),
    ("(1001)", "1001"),
    ("A < 1001 >", "1001"),
    ('""<1001>', "1001"),
    ("*1001#", "*1001#"),
]
"""Text → CallerIDNum in the events of an Asterisk 22.10 that was given it."""

ARGUABLE = [
    "A <1001> <2002>",
    '"A <9>" <1001>',
    "A <10<01>",
    "A <10>01>",
    '"A <1001>',
    '"A <1001>"',
    'A "b" <1001> c',
    'A \\"x <1001>',
    '"a\\" <5>" <1001>',
    ">1< <1001>",
    "<1001",
    "A <1001",
    "A <sip:1001@x>",
    "A <1001;x>",
    "A <1001x>",
    "A <98.>",
]
"""Asterisk finds some number in each, by rules that another version may not share."""

NONE = ["", "A", '"A" 1001', "98.", "[9-8]", '"1001"', "<>", "A <>", "1001>", "1001a", "1001,2"]
"""Without a number on the same Asterisk."""

FOREIGN = ["١٠٠١", "A <１００１>", "1001\u00a0", "A <10\u200b01>"]


@pytest.mark.parametrize(("text", "number"), HEARD)
def test_the_number_that_asterisk_finds(text: str, number: str) -> None:
    assert find_number(text) == number


@pytest.mark.parametrize("text", [*ARGUABLE, *NONE, *FOREIGN])
def test_what_has_none_or_could_be_argued_about(text: str) -> None:
    assert find_number(text) is None
