"""The golden traces and captures, damaged at random. `python -m bench.fuzz_readers` does so by the
branches that it reaches, for as long as one likes."""

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import Direction, open_trace
from tests.properties.trace_checks import check_file
from tests.properties.trace_mutations import mutate

ROOT = Path(__file__).parents[2]
LONGEST = 8_000


def read_sources() -> list[bytes]:
    """Small files in the formats that are bytes: the trace's own, the wire's, compressed."""
    whole = {path: path.read_bytes() for path in sorted((ROOT / "tests/traces").glob("*.trace"))}
    small = [path for path, data in whole.items() if len(data) <= LONGEST]
    said = [
        b"".join(r.data for r in open_trace(path) if r.direction is Direction.RECEIVED)
        for path in small
    ]
    texts = [data.replace(b"\r\n", b"\n") for data in said[:3]]
    packed = [gzip.compress(whole[path], mtime=0) for path in small[:3]]
    return [*(whole[path] for path in small), *said, *texts, *packed]


SOURCES = read_sources()


def change_bytes(data: bytes, longest: int, chance: random.Random) -> bytes:
    """Some bytes others, one place longer or shorter."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    return bytes(changed[:longest])


@pytest.mark.parametrize("part", range(4))
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_trace_is_read_or_refused_with_a_sentence(part: int, seed: int) -> None:
    chance = random.Random(seed)
    data = chance.choice(SOURCES[part::4])
    for _ in range(chance.randint(1, 5)):
        data = mutate(data, LONGEST, chance, lambda d, most: change_bytes(d, most, chance))
    check_file(data)


@pytest.mark.parametrize("source", SOURCES[::3])
def test_what_is_not_damaged_stands_every_check(source: bytes) -> None:
    check_file(source)
