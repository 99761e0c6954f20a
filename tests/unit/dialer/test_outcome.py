from dataclasses import replace

import pytest

from dialer.outcome import Received, Row, tally
from dialer.states import ItemStatus
from dialer.store.contract import Totals
from tests.unit.dialer.delivery.samples import make_cdr

CDRS = [
    make_cdr(cdr_id="a", disposition="busy", final=False),
    make_cdr(cdr_id="b", disposition="busy"),
    make_cdr(cdr_id="c"),
]
TOTALS = Totals({ItemStatus.PROCESSED: 2, ItemStatus.TERMINATED: 1, ItemStatus.PENDING: 0})
RECEIVED = Received(
    originates=3,
    callbacks=frozenset("abc"),
    closings={"call-9": "expired"},
    sgapi=frozenset("abc"),
    repeated=1,
    turned_away=2,
)


def test_a_table_that_adds_up() -> None:
    outcome = tally(CDRS, TOTALS, RECEIVED)
    assert outcome.rows == (Row("busy", 2, 1), Row("answered", 1, 1), Row("expired", 0, 1))
    assert (outcome.attempts, outcome.items) == (3, 3)
    assert (outcome.repeated, outcome.turned_away) == (1, 2)
    assert outcome.complete
    assert [entry.text for entry in outcome.sums] == [
        "items: 3 = 2 processed + 1 terminated",
        "each with one end: 3",
        "CDRs: 3 = 3 attempts",
        "callbacks: 4 = 3 CDRs + 1 closings",
        "SGAPI: 3 = 3 CDRs",
    ]


@pytest.mark.parametrize(
    ("received", "broken"),
    [
        (replace(RECEIVED, originates=4), "CDRs"),
        (replace(RECEIVED, callbacks=frozenset("ab")), "callbacks"),
        (replace(RECEIVED, callbacks=frozenset("abx")), "callbacks"),
        (replace(RECEIVED, sgapi=frozenset("ab")), "SGAPI"),
        (replace(RECEIVED, closings={}), "each with one end"),
    ],
)
def test_what_did_not_arrive_is_seen(received: Received, broken: str) -> None:
    outcome = tally(CDRS, TOTALS, received)
    assert not outcome.complete
    assert any(entry.text.startswith(broken) for entry in outcome.sums if not entry.holds)


def test_an_item_that_has_not_ended_is_seen() -> None:
    totals = replace(TOTALS, items={**TOTALS.items, ItemStatus.QUEUED: 1})
    outcome = tally(CDRS, totals, RECEIVED)
    assert [entry.holds for entry in outcome.sums[:2]] == [False, False]
