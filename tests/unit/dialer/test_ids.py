"""Identifiers: their form, and that they only ever grow."""

import random
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.ids import Ids, uuid7


def _entropy(seed: int) -> Ids:
    return Ids(random.Random(seed).randbytes)


def test_layout_is_rfc_9562() -> None:
    # Appendix A.6 of RFC 9562: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    counter = 0xCC3 << 30 | 0x18C4DC0C0C07398F >> 32
    assert uuid7(0x017F22E279B0, counter, 0x0C07398F) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_version_variant_and_time() -> None:
    made = UUID(_entropy(1).new(1_700_000_000.123))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == 1_700_000_000_123


@settings(max_examples=50)
@given(
    st.lists(st.floats(min_value=0, max_value=4e9), min_size=2, max_size=50), st.integers(0, 2**32)
)
def test_ids_grow_whatever_the_clock_does(times: list[float], seed: int) -> None:
    ids = _entropy(seed)
    made = [ids.new(now) for now in times]
    assert all(a < b for a, b in pairwise(made))
    assert {len(text) for text in made} == {36}


def test_an_exhausted_counter_borrows_a_millisecond() -> None:
    ids = _entropy(1)
    first = ids.new(5.0)
    ids._counter = 2**42 - 1
    second = ids.new(5.0)
    assert second > first
    assert UUID(second).int >> 80 == 5001


def test_the_counters_high_part_follows_its_low_part() -> None:
    ids = _entropy(1)
    ids.new(5.0)
    ids._counter = (7 << 30) - 2
    ids._head = uuid7(5000, ids._counter, 0)[:19]
    made = [UUID(ids.new(5.0)).int for _ in range(3)]
    highs = [value >> 64 & 0xFFF for value in made]
    assert (highs, made) == ([6, 7, 7], sorted(made))


def test_two_generators_differ_at_the_same_moment() -> None:
    assert _entropy(1).new(1.0) != _entropy(2).new(1.0)


def test_no_random_bytes_are_used_twice() -> None:
    ids = _entropy(3)
    tails = [UUID(ids.new(1.0)).int & 0xFFFFFFFF for _ in range(5000)]
    assert len(set(tails)) == 5000
