"""Replaying the golden traces gives the CDRs that the carrier and the dialplans tell of."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import Direction, Record
from dialer.replay.comparison import compare_cdrs, read_expected
from tests.unit.dialer.replay.golden import (
    NAMES,
    TRACES,
    follow_records,
    read_expectations,
    read_records,
    write_cdrs,
)

APART = 0.25
"""Seconds between what the carrier noted and what its caller heard of it."""

HERE = Path(__file__).resolve().parents[4]


def test_every_outcome_is_there() -> None:
    said = {cdr.get("disposition") for name in NAMES for cdr in read_expectations(name)}
    assert said >= {
        *("answered", "busy", "no-answer", "not-available", "invalid", "congestion"),
        *("cancel", "failed", "unknown"),
    }
    legs = [cdr["leg_b"] for name in NAMES for cdr in read_expectations(name) if cdr.get("leg_b")]
    assert {leg["dial_status"] for leg in legs} == {"ANSWER", "BUSY", "NOANSWER", "CANCEL"}


@pytest.mark.parametrize("name", NAMES)
def test_the_cdrs_are_those_expected(name: str) -> None:
    expected = read_expectations(name)
    got = write_cdrs(read_records(name))
    assert compare_cdrs(read_expected(json.dumps(expected), name), got) == []
    by_id = {cdr["channel_id"]: cdr for cdr in got}
    for wanted in expected:
        if "carrier" in wanted:
            check_times(wanted["carrier"], by_id[wanted["channel_id"]])


def check_times(carrier: dict[str, float | None], cdr: dict[str, Any]) -> None:
    """A call begins at the PBX before it is at the carrier, and ends at both together."""
    arrived, answered = carrier["arrived_at"], carrier["answered_at"]
    assert arrived == pytest.approx(cdr["started_at"], abs=APART)
    if answered is not None:
        assert answered == pytest.approx(cdr["answered_at"], abs=APART)
    assert carrier["ended_at"] == pytest.approx(cdr["ended_at"], abs=APART)


def test_no_call_is_seen_twice_or_in_part() -> None:
    for name in NAMES:
        calls = follow_records(read_records(name))
        assert [call.missing for call in calls] == [None] * len(calls)
        assert all(call.originated for call in calls)
        assert len({call.channel_id for call in calls}) == len(calls) > 0


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_however_the_stream_is_cut(name: str, seed: int) -> None:
    records = read_records(name)
    assert write_cdrs(cut(records, random.Random(seed))) == write_cdrs(records)


def cut(records: list[Record], chance: random.Random) -> list[Record]:
    """What came, in other pieces: each of them when the last of its bytes had come."""
    pieces: list[Record] = []
    for record in records:
        if record.direction is not Direction.RECEIVED:
            pieces.append(record)
            continue
        rest = record.data
        while rest:
            size = chance.randint(1, min(len(rest), 400))
            pieces.append(replace(record, data=rest[:size]))
            rest = rest[size:]
    return pieces


def test_nothing_secret_and_nothing_of_a_machine_is_in_them() -> None:
    for path in sorted(TRACES.iterdir()):
        data = path.read_bytes()
        assert b"dialer-lab" not in data
        assert not any(place in data for place in (b"/home/", b"/tmp/", bytes(HERE)))
    assert sum(path.stat().st_size for path in TRACES.iterdir()) < 300_000
