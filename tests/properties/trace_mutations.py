"""Traces as no recorder writes them: bytes changed, messages and lines left out, repeated or moved,
inside what wraps them, so that more than the first lines of a reader is reached."""

import contextlib
import gzip
import io
import random
import zlib
from collections.abc import Callable
from typing import Final

from ami.trace import Record
from ami.trace.encoding import MAGIC, decode_records, encode_record
from ami.trace.gunzip import MAGIC as PACKED

Change = Callable[[bytes, int], bytes]
"""Other bytes than these, at most so many."""

_BETWEEN: Final = (b"\r\n\r\n", b"\n\n", b"\n", b"\r\n", b"},")


def mutate(data: bytes, longest: int, chance: random.Random, change: Change) -> bytes:
    """A file that is nearly this one, of at most `longest` bytes."""
    if data.startswith(PACKED) and chance.random() < 0.8:
        with contextlib.suppress(OSError, EOFError, zlib.error):
            inner = mutate(gzip.decompress(data), longest, chance, change)
            return gzip.compress(inner, 1, mtime=0)[:longest]
    if data.startswith(MAGIC) and chance.random() < 0.8:
        return mutate_records(data, chance, change)[:longest]
    if chance.random() < 0.5:
        return move_blocks(data, chance)[:longest]
    return change(data, longest)


def mutate_records(data: bytes, chance: random.Random, change: Change) -> bytes:
    """Another one of its records, or none, or elsewhere, or at another time."""
    records = list(decode_records(io.BytesIO(data).read, lambda _: None))
    if not records:
        return change(data, len(data))
    place = chance.randrange(len(records))
    old = records[place]
    match chance.randrange(6):
        case 0:
            records.insert(chance.randrange(len(records)), records.pop(place))
        case 1:
            del records[place]
        case 2:
            at = (old.at or 0.0) + chance.choice((-5, 5, 7200))
            records[place] = Record(at, old.direction, old.data)
        case 3 | 4:
            records[place] = Record(old.at, old.direction, move_blocks(old.data, chance))
        case _:
            changed = change(old.data, len(old.data) + 200)
            records[place] = Record(old.at, old.direction, changed)
    return MAGIC + b"".join(map(encode_record, records))


def move_blocks(data: bytes, chance: random.Random) -> bytes:
    """Messages, or lines of them, left out, repeated or somewhere else."""
    between = chance.choice(_BETWEEN)
    blocks = data.split(between)
    for _ in range(chance.randint(1, 4)):
        place, other = chance.randrange(len(blocks)), chance.randrange(len(blocks))
        match chance.randrange(3):
            case 0 if len(blocks) > 1:
                del blocks[place]
            case 1:
                blocks.insert(other, blocks[place])
            case _:
                blocks[place], blocks[other] = blocks[other], blocks[place]
    return between.join(blocks)
