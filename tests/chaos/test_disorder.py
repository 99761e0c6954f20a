"""What is wrong with the times of a record."""

import pytest

from chaos.faults.clock import LONGEST, find_disorder

GOOD = {
    "started_at": 10.0,
    "ringing_at": None,
    "answered_at": 12.0,
    "ended_at": 15.5,
    "duration": 5,
    "billsec": 3,
}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"answered_at": None, "billsec": 0}, []),
        ({"answered_at": 9.0}, ["out of order"]),
        ({"ended_at": 11.0}, ["out of order"]),
        ({"billsec": 6}, ["billed for longer than they lasted"]),
        ({"billsec": -1}, ["billed for longer than they lasted"]),
        ({"duration": LONGEST + 1}, ["longer than any call"]),
    ],
)
def test_disorder_is_found(changes: dict[str, float | None], found: list[str]) -> None:
    assert find_disorder(GOOD | changes) == found
