"""The values of request bodies: strict first, then lenient."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dialer.body_types import Contact, Count, Did, Moment, Whole, read_whole_float, write_number

COUNT: TypeAdapter[Any] = TypeAdapter(Count)
WHOLE: TypeAdapter[Any] = TypeAdapter(Whole)
CONTACT: TypeAdapter[Any] = TypeAdapter(Contact)
DID: TypeAdapter[Any] = TypeAdapter(Did)
MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("adapter", "given", "taken"),
    [
        (COUNT, 7, 7),
        (COUNT, "7", 7),
        (COUNT, 7.0, 7),
        (WHOLE, "-5", -5),
        (CONTACT, 10**30, 10**30),
        (CONTACT, "+0123", "+0123"),
        (CONTACT, 12.0, 12),
        (DID, 5, "5"),
        (DID, "+5", "+5"),
    ],
)
def test_what_is_taken(adapter: TypeAdapter[Any], given: Any, taken: Any) -> None:
    assert adapter.validate_python(given) == taken


NO_COUNTS: list[Any] = [True, 1001, -1, "1_0", " 1", 1.5, None, [], "9" * 4000]
WRONG: list[tuple[TypeAdapter[Any], Any]] = [
    *((COUNT, given) for given in NO_COUNTS),
    *((WHOLE, given) for given in (True, 2**63, "2**63", str(2**63), 10**4000)),
    *((CONTACT, given) for given in (True, -1, 10**31, 10**4000, 1.5, "1" * 33)),
    *((DID, given) for given in (True, -1, "", 10**18, 1.5, "1" * 81)),
    *((MOMENT, given) for given in (1704103200, "tomorrow", "2024-13-01T00:00:00Z")),
]


@pytest.mark.parametrize(("adapter", "given"), WRONG)
def test_what_is_not(adapter: TypeAdapter[Any], given: Any) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(given)


def test_numbers_become_text_and_whole_floats_integers() -> None:
    assert [write_number(value) for value in (5, 5.0, -5, True, "5")] == ["5", "5", -5, True, "5"]
    assert read_whole_float(float("inf")) == float("inf")
    assert read_whole_float(2.5) == 2.5
