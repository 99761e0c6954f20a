"""What is read with a learned order of headers is what asking for each header gives."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami import fields
from ami.fields import Fields
from ami.wire import Kind, Message

NAMES = ("Uniqueid", "Channel", "Cause")


class Asked:
    """A message that counts how often it is asked for a header."""

    def __init__(self, *lines: str) -> None:
        self.raw = "\r\n".join(lines).encode()
        self.times = 0

    def get(self, header: str, default: str = "", /) -> str:
        self.times += 1
        return Message(Kind.EVENT, "X", self.raw).get(header, default)


def test_the_next_message_of_the_same_order_is_not_asked() -> None:
    reader = Fields(*NAMES)
    first = Asked("Event: X", "Channel: PJSIP/a", "Other: o", "Uniqueid: 1", "Cause: 16")
    assert reader.read(first) == ("1", "PJSIP/a", "16")
    assert first.times == 3
    second = Asked(
        "Event: X", "Channel:  b: c", "Other: a\nb", "Uniqueid:", "Cause: Zoë", "More: 1"
    )
    assert reader.read(second) == ("", " b: c", "Zoë")
    assert second.times == 0


def test_headers_that_are_not_there_are_looked_for_to_the_end() -> None:
    reader = Fields(*NAMES)
    reader.read(Asked("Event: X", "Uniqueid: 1"))
    without = Asked("Event: X", "Uniqueid: 2")
    assert reader.read(without) == ("2", "", "")
    assert without.times == 0
    assert reader.read(Asked("Event: X", "Uniqueid: 3", "Cause: 17")) == ("3", "", "17")


def test_a_spelling_of_its_own_is_used_only_where_no_exact_one_follows() -> None:
    reader = Fields(*NAMES)
    assert reader.read(Asked("Event: X", "UniqueID: 1", "Channel: a", "Cause: 1"))[0] == "1"
    known = Asked("Event: X", "UniqueID: 2", "Channel: a", "Cause: 1")
    assert (reader.read(known)[0], known.times) == ("2", 0)
    both = Asked("Event: X", "UniqueID: 3", "Channel: a", "Cause: 1", "Uniqueid: 4")
    assert reader.read(both)[0] == "4"


@pytest.mark.parametrize(
    "odd",
    [
        ("Event: X", "no header", "Uniqueid: 1", "Channel: a", "Cause: 1"),
        ("Event: X\nUniqueid: 1", "Uniqueid: 2", "Channel: a", "Cause: 1"),
        ("Event\nUniqueid: 1",),
        ("Event: X", *(f"H{number}: h" for number in range(120)), "Uniqueid: 1"),
    ],
    ids=["a line without a colon", "lines that end otherwise", "its first one too", "too many"],
)
def test_orders_that_are_not_learned(odd: tuple[str, ...]) -> None:
    reader = Fields(*NAMES)
    for _ in range(2):
        message = Asked(*odd)
        assert reader.read(message) == tuple(map(Asked(*odd).get, NAMES))
        assert message.times == 3


def test_ever_new_orders_are_asked_and_later_ones_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_PATIENCE", 20)
    reader = Fields(*NAMES)
    for number in range(20):
        reader.read(Asked("Event: X", f"H{number}: h", "Uniqueid: 1"))
    known, stranger = Asked("Event: X", "H5: h", "Uniqueid: 2"), Asked("H6: h", "Uniqueid: 2")
    assert reader.read(known)[0] == "2"
    assert reader.read(stranger)[0] == "2"  # with which the patience is at its end
    assert (known.times, stranger.times) == (0, 3)
    for message in (again := Asked("H6: h", "Uniqueid: 3"), known):
        assert reader.read(message)[0] in "23"
    assert (again.times, known.times) == (0, 3)


KEYS = st.sampled_from(["Uniqueid", "UNIQUEID", "Channel", "Cause", "Event", "Dest(x)+", "é", ""])
VALUES = st.sampled_from(
    ["", " ", "  ", "x", ": ", ": a", "a:b", "\n", "\nUniqueid: 9", "é\r", "\r\n", "x\n"]
)
MESSAGES = st.lists(st.tuples(KEYS, st.sampled_from([":", ": ", ""]), VALUES), max_size=7)


@settings(max_examples=100, deadline=None)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=4), again=st.data())
@example(
    messages=[[("Uniqueid", ":", "x"), ("Channel", ":", "y"), ("Cause", ":", "z")]], again=None
)
def test_reading_is_asking(
    messages: list[list[tuple[str, str, str]]], again: st.DataObject | None
) -> None:
    reader = Fields(*NAMES)
    for lines in messages:
        for _ in range(2):
            raw = "\r\n".join(map("".join, lines)).encode()
            message = Message(Kind.EVENT, "X", raw)
            assert reader.read(message) == tuple(map(message.get, NAMES))
            values = [again.draw(VALUES) if again is not None else "\r" for _ in lines]
            lines = [
                (key, colon, value) for (key, colon, _), value in zip(lines, values, strict=True)
            ]
