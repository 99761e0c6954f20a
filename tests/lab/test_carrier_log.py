"""The reader of the carrier's log, on text; the lab's own log is read in test_lab."""

import pytest

from tests.lab.carrier_log import CarrierCall, parse_lines

NOTICE = "[1795219416.000] NOTICE[17] cdr.c: CDR logging disabled.\n"


def arrived(at: str, identity: str, number: str, caller: str = "5551000") -> str:
    fields = f"id={identity} number={number} caller={caller}"
    return f"[{at}] NOTICE[18][C-00000001] Ext. {number}: CALL arrived {fields}\n"


def did(at: str, identity: str, what: str) -> str:
    return f"[{at}] NOTICE[18][C-00000001] Ext. x: CALL did id={identity} did={what}\n"


def ended(at: str, identity: str) -> str:
    return f"[{at}] NOTICE[18][C-00000001] Ext. h: CALL ended id={identity}\n"


def test_interleaved_calls_are_put_together() -> None:
    lines = [
        NOTICE,
        arrived("10.000", "1.0", "900"),
        arrived("10.100", "1.1", "901"),
        did("10.101", "1.1", "busy"),
        did("10.200", "1.0", "answer"),
        ended("10.102", "1.1"),
        ended("12.200", "1.0"),
    ]
    answered, busy = parse_lines(lines)
    assert answered == CarrierCall(10.0, "900", "5551000", "answer", 10.2, 12.2)
    assert answered.talked == pytest.approx(2.0)
    assert busy == CarrierCall(10.1, "901", "5551000", "busy", 10.101, 10.102)
    assert busy.talked is None


def test_a_live_call_has_done_nothing_yet() -> None:
    (call,) = parse_lines([arrived("10.000", "1.0", "902")])
    assert (call.did, call.did_at, call.ended_at, call.talked) == (None, None, None, None)


def test_a_line_without_its_end_is_left_for_later() -> None:
    (call,) = parse_lines([arrived("10.000", "1.0", "900"), did("10.2", "1.0", "answer").rstrip()])
    assert call.did is None


def test_numbers_and_callers_are_decoded() -> None:
    (call,) = parse_lines([arrived("10.000", "1.0", "%2B49900", caller="")])
    assert (call.number, call.caller) == ("+49900", "")


def test_the_call_id_is_decoded() -> None:
    line = arrived("10.000", "1.0", "900", caller="1 sip=a%40b")
    assert [call.sip_call_id for call in parse_lines([line])] == ["a@b"]
    assert [call.sip_call_id for call in parse_lines([arrived("10.0", "1.0", "900")])] == [""]
