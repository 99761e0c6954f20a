"""The events of a call in every order in which an Asterisk may send them give the same CDR.

Its threads are each in order: that of a channel (Newchannel, Newstate, BridgeEnter, UserEvent,
Hangup), that which dials it (DialBegin, DialState, DialEnd) and that which answers the Originate.
Between them nothing is certain but that a channel is there before it is dialed or tells anything,
and hangs up when all dialing is over. Of 150 busy calls OriginateResponse came after Hangup in 21,
Ringing before DialBegin in 49.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami import Message, parse_message
from ami.trace import Direction, Record
from tests.unit.dialer.replay.golden import NAMES, read_records, write_cdrs

BANNER = b"Asterisk Call Manager"
SHUFFLED = tuple(name for name in NAMES if not name.startswith("restart_"))


@pytest.mark.parametrize("name", SHUFFLED)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_the_cdr_is_the_same(name: str, seed: int) -> None:
    records = split_messages(read_records(name))
    expected = {cdr["channel_id"]: cdr for cdr in write_cdrs(records)}
    got = write_cdrs(shuffle(records, random.Random(seed)))
    assert {cdr["channel_id"]: cdr for cdr in got} == expected
    assert len(got) == len(expected)


def test_orders_do_change() -> None:
    records = split_messages(read_records("ring_then_busy"))
    orders = {
        tuple(record.data for record in shuffle(records, random.Random(seed))) for seed in range(20)
    }
    assert len(orders) > 5


def split_messages(records: list[Record]) -> list[Record]:
    """One record for each message that came."""
    split: list[Record] = []
    for record in records:
        if record.direction is not Direction.RECEIVED or record.data.startswith(BANNER):
            split.append(record)
            continue
        blocks = record.data.split(b"\r\n\r\n")
        assert blocks.pop() == b""  # in these traces no message came in two pieces
        split += [replace(record, data=block + b"\r\n\r\n") for block in blocks]
    return split


def shuffle(records: list[Record], chance: random.Random) -> list[Record]:
    """What was sent, and what answers it, stays where it is; the events between are shuffled."""
    shuffled: list[Record] = []
    events: list[Record] = []
    for record in [*records, Record(None, Direction.NOTE, b"{}")]:
        message = parse_message(record.data)
        if record.direction is Direction.RECEIVED and message and not is_answer(message):
            events.append(record)
            continue
        shuffled += merge(events, chance)
        shuffled.append(record)
        events = []
    return shuffled


def is_answer(message: Message) -> bool:
    return not message.get("Event") or message.name == "FullyBooted"


def merge(events: list[Record], chance: random.Random) -> list[Record]:
    """One of the orders that are possible. When they came stays in order, for clocks do."""
    waiting = [(record, parse_message(record.data)) for record in events]
    merged: list[Record] = []
    while waiting:
        free = [
            index
            for index, (_, message) in enumerate(waiting)
            if not any(is_before(earlier, message) for _, earlier in waiting[:index])
        ]
        merged.append(waiting.pop(chance.choice(free))[0])
    return [replace(record, at=event.at) for record, event in zip(merged, events, strict=True)]


def is_before(first: Message | None, second: Message | None) -> bool:
    """Whether what came first in the trace had to."""
    assert first is not None
    assert second is not None
    if call_of(first) != call_of(second):
        return False
    if thread_of(first) == thread_of(second):
        return True
    if first.name == "Newchannel":
        return second.name == "OriginateResponse" or channel_of(first) in (
            channel_of(second),
            second.get("Uniqueid"),
        )
    return second.name == "Hangup" and first.name not in (
        "Hangup",
        "UserEvent",
        "OriginateResponse",
    )


def thread_of(message: Message) -> tuple[str, str]:
    if message.name == "OriginateResponse":
        return "originate", message.get("ActionID")
    return ("dial" if message.name.startswith("Dial") else "channel"), channel_of(message)


def channel_of(message: Message) -> str:
    return message.get("DestUniqueid") or message.get("Uniqueid")


def call_of(message: Message) -> str:
    """An OriginateResponse names its channel alone, which is the call's first."""
    return message.get("DestLinkedid") or message.get("Linkedid") or message.get("Uniqueid")
