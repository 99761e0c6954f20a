"""What is told of calls that go on, row by row (its meaning: the conformance suite)."""

import sqlite3
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from dialer.errors import OwnershipLost
from dialer.states import CallbackEvent
from dialer.store import attempts, ingest, tellings
from dialer.store.contract import Reservation, Telling
from dialer.store.deltas import Deltas
from dialer.store.reading import read_all, waiting
from dialer.store.rows import read_candidate
from tests import store_records as make


@pytest.fixture
def open_(connection: Connection, cursor: sqlite3.Cursor) -> list[Reservation]:
    added = ingest.insert_batch(connection, make.batch(*[make.item() for _ in range(2)]))
    found = read_all(connection, waiting(added.queue_id, 1, 0, 9))
    made = [make.reservation(read_candidate(raw)) for raw in found]
    assert attempts.reserve(cursor, made, Deltas()) == [True, True]
    return made


def telling(attempt: Reservation, event: CallbackEvent = CallbackEvent.STARTED) -> Telling:
    delivery = make.delivery(f"{attempt.cdr_id}-{event.value}")
    return Telling(attempt.channel_id, event, delivery, make.NOW, attempt.fence)


def tell(cursor: sqlite3.Cursor, *wanted: Telling) -> list[list[str] | int]:
    """The event ids stored for each; of a lost server its id."""
    return [
        result.server_id
        if isinstance(result, OwnershipLost)
        else [delivery.event_id for delivery in result]
        for result in tellings.tell(cursor, wanted, Deltas())
    ]


def marks(cursor: sqlite3.Cursor) -> list[int]:
    return [told for (told,) in cursor.execute("SELECT told FROM attempts ORDER BY id")]


def test_each_event_has_a_bit_of_its_own() -> None:
    assert sorted(tellings.BITS) == sorted(CallbackEvent)
    assert sorted(tellings.BITS.values()) == [1, 2]


def test_each_event_is_stored_once(cursor: sqlite3.Cursor, open_: list[Reservation]) -> None:
    first, second = open_
    started, answered = telling(first), telling(first, CallbackEvent.ANSWERED)
    other = telling(second, CallbackEvent.ANSWERED)
    told = tell(cursor, started, started, other, answered)
    ids = [t.delivery.event_id for t in (started, other, answered)]
    assert told == [[ids[0]], [], [ids[1]], [ids[2]]]
    assert marks(cursor) == [3, 2]
    assert tell(cursor, started, answered, other, telling(second)) == [
        [], [], [], [f"{second.cdr_id}-call_started"],
    ]  # fmt: skip
    assert marks(cursor) == [3, 3]
    assert cursor.execute("SELECT count(*) FROM deliveries").fetchone() == (4,)


def test_the_case_of_a_channel_id_does_not_matter(
    cursor: sqlite3.Cursor, open_: list[Reservation]
) -> None:
    upper = replace(telling(open_[0]), channel_id=open_[0].channel_id.upper())
    assert tell(cursor, upper) == [[upper.delivery.event_id]]


def test_nothing_is_told_of_an_ended_or_unknown_attempt(
    cursor: sqlite3.Cursor, open_: list[Reservation]
) -> None:
    attempts.settle(cursor, [make.settlement(open_[0])], Deltas())
    unknown = replace(telling(open_[1]), channel_id="of-nobody")
    assert tell(cursor, telling(open_[0]), unknown) == [[], []]
    assert marks(cursor) == [0, 0]


def test_only_the_owner_of_a_server_tells(cursor: sqlite3.Cursor, open_: list[Reservation]) -> None:
    assert tell(cursor, replace(telling(open_[0]), fence=9), telling(open_[1])) == [
        1, [f"{open_[1].cdr_id}-call_started"],
    ]  # fmt: skip
    assert marks(cursor) == [0, 1]
