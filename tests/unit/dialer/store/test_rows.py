"""Rows ↔ records."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami import LegB
from dialer.cdr import Cdr
from dialer.store import rows
from dialer.store.contract import Candidate, Delivery, Item, Queue, Server
from tests import store_records as make

MICROS = st.integers(0, 4_000_000_000_000_000)


@given(MICROS)
def test_a_microsecond_comes_back_exactly(micros: int) -> None:
    assert rows.to_micros(rows.to_seconds(micros)) == micros


@given(st.floats(0, 4e9))
def test_a_moment_is_kept_to_the_microsecond(seconds: float) -> None:
    assert abs(rows.to_seconds(rows.to_micros(seconds)) - seconds) <= 1e-6


def test_no_moment_stays_none() -> None:
    assert rows.to_micros_or_none(None) is None
    assert rows.to_seconds_or_none(None) is None
    assert rows.to_seconds_or_none(rows.to_micros_or_none(1.5)) == 1.5


@pytest.mark.parametrize(
    ("columns", "record"),
    [
        (rows.SERVER_COLUMNS, Server),
        (rows.QUEUE_COLUMNS, Queue),
        (rows.ITEM_COLUMNS, Item),
        (rows.CANDIDATE_COLUMNS, Candidate),
        (rows.DELIVERY_COLUMNS, Delivery),
    ],
)
def test_columns_stand_in_the_order_of_the_record(
    columns: tuple[object, ...], record: type
) -> None:
    names = [getattr(column, "name", None) for column in columns]
    assert names == [field.name for field in fields(record)]


@pytest.mark.parametrize("leg_b", [None, LegB(channel="PJSIP/x-1", sip_code=486, ended_at=1.25)])
def test_a_cdr_survives_its_json(leg_b: LegB | None) -> None:
    candidate = Candidate(
        1, 1, 1, 1, False, "c", "1", None, {}, 0, 0, 0, None, None, None, None, 0.0
    )
    cdr = make.cdr(make.reservation(candidate), leg_b=leg_b, details={"x": [1.5, "é"]})
    assert rows.load_cdr(json.loads(rows.dump_cdr(cdr))) == cdr


def test_a_field_of_a_later_version_is_left_alone() -> None:
    candidate = Candidate(
        1, 1, 1, 1, False, "c", "1", None, {}, 0, 0, 0, None, None, None, None, 0.0
    )
    cdr = make.cdr(make.reservation(candidate))
    values = json.loads(rows.dump_cdr(cdr)) | {"not_known_yet": 1}
    assert rows.load_cdr(values) == cdr
    assert {field.name for field in fields(Cdr)} < set(values)
