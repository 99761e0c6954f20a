"""The tables that lab/shapes.py writes; needs no lab."""

from dataclasses import replace

from dialer.dialects import Shape
from lab.shapes import show, write_tables
from tests.lab.outcomes import DIRECT, EXPIRED, Told
from tests.unit.dialer.dialects.samples import HANOI, make_failure, make_talk


def test_a_row_for_each_call_that_has_a_cdr() -> None:
    talk, busy = DIRECT[0], DIRECT[4]
    told = [
        Told(Shape.NATIVE, talk, {}, make_talk(), HANOI),
        Told(Shape.NATIVE, busy, {}, make_failure("busy"), replace(HANOI, row_id=29057)),
        Told(Shape.NATIVE, EXPIRED, {}),
    ]
    lines = write_tables(told).splitlines()
    assert "| answered | answered | ANSWERED, NORMAL_CLEARING | answered |" in "\n".join(lines)
    assert [line for line in lines if line.startswith("### ")] == [
        "### Every outcome in each API's words",
        "### `/v2/cdr`, default",
        "### `/v2/cdr`, flex",
        "### Ozonetel",
        "### PBX",
    ]
    for name in ("answered", "busy"):
        assert len([line for line in lines if line.startswith(f"| {name} | ")]) == 5
    assert "expired" not in "\n".join(lines)


def test_keys_that_are_the_same_in_all_stand_below() -> None:
    told = [Told(Shape.NATIVE, DIRECT[0], {}, make_talk(), HANOI)] * 2
    tables = write_tables(told)
    assert "The same in all: cdrId …000001, sip_call_id …3b9b38, " in tables


def test_values_in_cells() -> None:
    assert [show(value) for value in (None, "", 7, "a|b")] == ["null", "''", "7", "`a\\|b`"]
    assert show("file://018d0000-0000-7000-8000-000000000001.wav") == "file://…000001.wav"
