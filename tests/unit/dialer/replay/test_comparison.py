import json
from typing import Any

import pytest

from dialer.replay.cdrs import write_cdr
from dialer.replay.comparison import ExpectationInvalid, compare_cdrs, read_expected
from tests.unit.dialer.replay.traced import CREATED, HUNG_UP, SUCCESS, UP, follow


@pytest.fixture
def cdr() -> dict[str, Any]:
    (call,) = follow(CREATED, UP, SUCCESS, HUNG_UP)
    return write_cdr(call)


@pytest.mark.parametrize("form", ["array", "lines", "object"])
def test_what_was_written_is_expected_again(cdr: dict[str, Any], form: str) -> None:
    text = {"array": json.dumps([cdr], indent=1), "lines": f"{json.dumps(cdr)}\n\n"}.get(
        form, json.dumps(cdr, indent=2)
    )
    assert compare_cdrs(read_expected(text, "f"), [cdr]) == []


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("disposition", "busy", '~ c1: disposition: expected "busy", got "answered"'),
        ("billsec", 8, "~ c1: billsec: expected 8, got 7"),
        ("ended_at", 1010.4, "~ c1: ended_at: expected 1010.4, got 1010.5"),
        ("connected", 1, None),
        ("leg_b", {"cause": 1}, '~ c1: leg_b: expected {"cause": 1}, got null'),
        ("ended_at", "1970-01-01T00:16:50.500Z", None),
        ("ended_at", 1010.500001, None),
        ("cdr_id", "another", None),
        ("caller_id", "Lab <5551000>", None),
        ("caller_id", "x", r'~ c1: caller_id: expected "x", got "\"Lab\" <5551000>"'),
    ],
)
def test_differences_name_call_and_field(
    cdr: dict[str, Any], name: str, value: object, line: str | None
) -> None:
    lines = compare_cdrs({"c1": {**cdr, name: value}}, [cdr])
    assert lines == ([] if line is None else [line])


def test_calls_too_many_and_too_few(cdr: dict[str, Any]) -> None:
    assert compare_cdrs({}, [cdr]) == ['+ c1: not expected, "answered"']
    assert compare_cdrs({"c1": cdr}, []) == ['- c1: expected "answered", no CDR']
    assert compare_cdrs({"c1": cdr}, [cdr, cdr]) == ['+ c1: a second time, "answered"']


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"channel_id": 1}]', '{"a": 1}\n', "[" * 100_000, "nonsense\n"]
)
def test_what_is_no_expectation_is_said_to(text: str) -> None:
    with pytest.raises(ExpectationInvalid, match="f: "):
        read_expected(text, "f")


def test_two_cdrs_of_one_call_can_not_be_expected(cdr: dict[str, Any]) -> None:
    with pytest.raises(ExpectationInvalid, match="two CDRs of c1"):
        read_expected(json.dumps([cdr, cdr]), "f")
