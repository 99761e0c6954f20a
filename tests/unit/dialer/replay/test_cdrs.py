import json
from dataclasses import fields

import pytest

from dialer.cdr import Cdr
from dialer.replay.cdrs import STREAM_FIELDS, write_cdr
from tests.unit.dialer.replay.traced import CREATED, HUNG_UP, ORIGINATE, SUCCESS, UP, follow


def cdr_of(*messages: str) -> dict[str, object]:
    (call,) = follow(*messages)
    return write_cdr(call)


def test_fields_are_production_s_by_name() -> None:
    assert set(STREAM_FIELDS) < {field.name for field in fields(Cdr)}


def test_an_answered_call() -> None:
    cdr = cdr_of(ORIGINATE, CREATED, UP, SUCCESS, HUNG_UP)
    assert tuple(cdr) == STREAM_FIELDS
    assert cdr["number"] == "9001"
    assert (cdr["duration"], cdr["billsec"], cdr["connected"]) == (10, 7, True)
    assert (cdr["started_at"], cdr["ended_at"]) == (1000.0, 1010.5)
    assert json.loads(json.dumps(cdr)) == cdr


def test_a_second_leg_decides_whether_it_was_connected_where_nothing_says_what_ran() -> None:
    leg = CREATED.replace("Uniqueid: c1", "Uniqueid: b1")
    dial = "Event: DialBegin|Uniqueid: c1|Linkedid: c1|DestUniqueid: b1|DestLinkedid: c1"
    gone = HUNG_UP.replace("Uniqueid: c1", "Uniqueid: b1")
    cdr = cdr_of(CREATED, UP, leg, dial, gone, HUNG_UP)
    assert cdr["leg_b"] is not None
    assert cdr["connected"] is False


def test_calls_of_nobody_owe_no_response() -> None:
    busy = HUNG_UP.replace("16|Cause-txt: Normal Clearing", "17|Cause-txt: User busy")
    assert cdr_of(CREATED, busy)["error_message"] == "User busy"


def test_without_a_clock_there_are_no_times() -> None:
    messages = [CREATED, UP, SUCCESS, HUNG_UP]
    untimed = ["|".join(p for p in m.split("|") if "Timestamp" not in p) for m in messages]
    cdr = cdr_of(*untimed)
    assert {cdr[name] for name in STREAM_FIELDS if name.endswith("_at")} == {None}
    assert cdr["duration"] is None


def test_a_call_in_part_has_no_cdr() -> None:
    (call,) = follow(CREATED)
    with pytest.raises(ValueError, match="its end is not in the trace"):
        write_cdr(call)
