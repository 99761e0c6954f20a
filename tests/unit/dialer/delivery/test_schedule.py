import random
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.delivery.schedule import (
    DELAYS,
    JITTER,
    LONGEST_RETRY_AFTER,
    choose_delay,
    parse_retry_after,
)

NOW = 1705314600.0


def test_spans_more_than_a_day_before_giving_up() -> None:
    delays = []
    tries = 1
    while (delay := choose_delay(tries, random.Random(1))) is not None:
        delays.append(delay)
        tries += 1
    assert len(delays) == len(DELAYS) == 10
    assert sum(delays) >= 86400
    assert delays == sorted(delays)


@settings(max_examples=50)
@given(st.integers(1, len(DELAYS)), st.integers())
def test_jitter_only_lengthens_and_is_bounded(tries: int, seed: int) -> None:
    delay = choose_delay(tries, random.Random(seed))
    assert delay is not None
    assert DELAYS[tries - 1] <= delay <= DELAYS[tries - 1] * (1 + JITTER)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("120", 120.0),
        ("999999", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Mon, 15 Jan 2024 10:31:00 -0000", 60.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Mon, 99 Jan 2024 10:31:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_retry_after_never_raises_and_stays_in_bounds(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0.0 <= seconds <= LONGEST_RETRY_AFTER
