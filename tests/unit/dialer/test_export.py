"""CDRs as lines of a file."""

import csv
import io
import json
from dataclasses import fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami import LegB
from dialer.cdr import Cdr
from dialer.export import COLUMNS, TIMES, Format, guard, record_of, write_lines
from dialer.histories import CdrRow
from dialer.store.contract import Reservation
from tests import store_records as make

TEHRAN = ZoneInfo("Asia/Tehran")
ATTEMPT = Reservation(4, 1, 3, 1, 1, "channel", "action", "cdr-1", make.NOW, 0)
LEG_B = LegB("PJSIP/55-0001", "ANSWER", 16, 200, make.NOW + 1, None)
ROW = CdrRow(
    7,
    make.cdr(
        ATTEMPT,
        started_at=make.NOW,
        caller_id='"Zoë" <+4930123456>',
        application="Dial",
        data="PJSIP/9@agents,30",
        leg_b=LEG_B,
        details={"a": [1, None]},
    ),
    quick=False,
    queue_name="spring; 2025",
)


def rows_of(lines: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(lines.decode(), newline="")))


def test_ndjson_has_every_field_and_every_time_twice() -> None:
    written = write_lines(Format.NDJSON, TEHRAN)([ROW, replace(ROW, id=8, quick=True)])
    first, second = (json.loads(line) for line in written.splitlines())
    names = [f.name for f in fields(Cdr)]
    assert [name for name in first if name in names] == names
    assert set(first) == {
        *names, *(f"{name}_iso" for name in TIMES), "id", "queue_name", "quick", "app", "source",
        "extension",
    }  # fmt: skip
    assert (first["started_at"], first["started_at_iso"]) == (
        make.NOW,
        "2025-06-15T18:36:40.250+03:30",
    )
    assert (first["next_attempt_at"], first["next_attempt_at_iso"]) == (None, None)
    assert first["leg_b"]["channel"] == "PJSIP/55-0001"
    assert (first["source"], first["extension"], first["app"]) == (
        "+4930123456",
        "55",
        "autodialer",
    )
    assert (second["id"], second["quick"], second["app"]) == (8, True, "dial")
    assert written.endswith(b"}\n")


def test_csv_has_one_header_however_many_pieces() -> None:
    write = write_lines(Format.CSV, TEHRAN)
    text = write(()) + write([ROW]) + write([]) + write([replace(ROW, id=8)])
    head, *_ = text.decode().splitlines()
    assert head == ",".join(COLUMNS)
    first, second = rows_of(text)
    assert (first["id"], second["id"]) == ("7", "8")
    assert first["started_at_iso"] == "2025-06-15T18:36:40.250+03:30"
    assert float(first["started_at"]) == make.NOW
    assert (first["quick"], first["connected"], first["next_attempt_at"]) == ("false", "true", "")
    assert (first["leg_b_channel"], first["leg_b_ended_at"]) == ("PJSIP/55-0001", "")
    assert json.loads(first["details"]) == {"a": [1, None]}
    assert (first["source"], first["caller_id"]) == ("+4930123456", '"Zoë" <+4930123456>')
    assert first["queue_name"] == "spring; 2025"


def test_an_empty_export_says_its_columns_or_nothing() -> None:
    assert write_lines(Format.CSV, TEHRAN)(()).decode() == ",".join(COLUMNS) + "\r\n"
    assert write_lines(Format.NDJSON, TEHRAN)(()) == b""


def test_both_formats_tell_the_same() -> None:
    record = record_of(ROW, TEHRAN)
    flat = {name for name in record if name != "leg_b"}
    assert set(COLUMNS) - flat == {f"leg_b_{f.name}" for f in fields(LegB)}
    (row,) = rows_of(write_lines(Format.CSV, TEHRAN)([ROW]))
    for name in flat - {"details"}:
        value = record[name]
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        assert row[name] == ("" if value is None else shown), name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-2-3", "'-2-3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("＝1", "'＝1"),
        (" =1", "' =1"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("a;=1+1", "a;'=1+1"),
        ('a","=1+1', 'a","\'=1+1'),
        ("a, -5", "a, '-5"),
        ("+4930123456", "+4930123456"),
        ("+493012345678901234567", "'+493012345678901234567"),
        ("+49 30", "'+49 30"),
        ("+49\n", "'+49\n"),
        ("0930123456", "0930123456"),
        ("PJSIP/9@agents,30", "PJSIP/9@agents,30"),
        ("a=b", "a=b"),
        ("", ""),
        ("'", "'"),
    ],
)
def test_no_text_is_a_formula(text: str, shown: str) -> None:
    assert guard(text) == shown


EVIL = st.text(st.sampled_from("=+-@;,\t\r\n\"' 1aé|＝"), max_size=12)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVIL, min_size=4, max_size=4))
def test_whatever_texts_there_are_a_reader_finds_cells_and_no_formula(texts: list[str]) -> None:
    changes: dict[str, Any] = dict(
        zip(("customer_name", "project", "error_message", "contact_number"), texts, strict=True)
    )
    row = CdrRow(1, make.cdr(ATTEMPT, **changes), False, texts[0])
    (found,) = rows_of(write_lines(Format.CSV, TEHRAN)([row]))
    for name, text in changes.items():
        assert found[name] == guard(text)
        assert found[name][:1] not in tuple("=-@\t\r\n＝")
        assert found[name][:1] != "+" or found[name][1:].isdigit()
        for separator in ";,|\t\r\n":
            for part in found[name].split(separator)[1:]:
                assert part.lstrip().strip('"').lstrip()[:1] not in tuple("=+-@＝")
