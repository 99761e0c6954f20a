"""What must hold of any bytes that are read as a trace: they are one or are refused with a
`TraceError`, and whatever follows a reader can follow."""

import io
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from ami.fields import Fields
from ami.trace import (
    Anonymizer,
    Beginnings,
    Record,
    Selection,
    Trace,
    TraceError,
    split_records,
)
from ami.trace.encoding import MAGIC, decode_records, encode_record
from ami.trace.gunzip import MAGIC as PACKED
from ami.trace.logs import read_json_log
from ami.trace.objects import read_objects
from ami.trace.plain import read_plain
from dialer.replay.cdrs import write_cdr
from dialer.replay.explanation import Explainer
from dialer.replay.follower import Follower, TracedCall
from dialer.replay.statistics import collect_statistics

Reader = Callable[[Callable[[int], bytes], Callable[[str], None]], Iterator[Record]]

READERS: Final[dict[str, Reader]] = {
    "trace": decode_records,
    "ami": read_plain,
    "json": read_objects,
    "json-log": read_json_log,
}

HEADERS: Final = (
    ("Timestamp", "Uniqueid", "Linkedid", "Channel", "ChannelState"),
    ("Uniqueid", "Cause", "Cause-txt", "TechCause", "NotThere"),
    ("DialStatus", "DestUniqueid", "Uniqueid"),
)
"""Sets that are read together."""


def check_file(data: bytes) -> None:
    """Read the bytes as a file, and do with them all that is done with a trace. Raises
    AssertionError, or what should never be raised."""
    try:
        trace = Trace(io.BytesIO(data), "a file")
        records = list(trace)
    except TraceError:
        return
    assert len(trace.problems) <= 20
    check_pieces(data, trace.format)
    check_copy(records, check_replay(records))
    check_headers(records)
    if zlib.crc32(data) % 4 == 0:  # they take longer than all the rest
        check_tools(records)


def check_pieces(data: bytes, form: str) -> None:
    """However few bytes come at a time, the records are the same."""
    read = READERS.get(form)
    if read is None or data.startswith(PACKED):
        return
    size = 1 + len(data) % 211 + len(data) // 50
    whole, pieces = io.BytesIO(data), io.BytesIO(data)
    first = list(read(whole.read, lambda _: None))
    second = list(read(lambda most: pieces.read(min(most, size)), lambda _: None))
    assert first == second, f"{form}: by {size} bytes it is not the same"


def check_replay(records: list[Record]) -> list[str]:
    """Every CDR can be written, and no call is given after the end; a watched replay is no other
    one. The CDRs."""
    follower = Follower()
    calls = follow(follower, records)
    lines = [json.dumps(write_cdr(call)) for call in calls if call.report is not None]
    assert list(follower.finish()) == [], "a call after the end"
    if calls:
        again = Follower()
        again.watch = Explainer(calls[0].channel_id, again.tracker).take
        assert follow(again, records) == calls, "a watched replay is another one"
    return lines


def follow(follower: Follower, records: list[Record]) -> list[TracedCall]:
    calls = [call for record in records for call in follower.feed(record)]
    return calls + list(follower.finish())


def check_copy(records: list[Record], cdrs: list[str]) -> None:
    """Written in this product's format they are read as they were, and give the same CDRs. Its
    times are positive, of twelve digits at most, and have six digits behind the point."""
    kept = [Record(r.at if r.at is None else round(r.at, 6), r.direction, r.data) for r in records]
    if any(r.at is not None and not 0 < r.at < 1e12 for r in kept):
        return
    written = MAGIC + b"".join(map(encode_record, kept))
    problems: list[str] = []
    copied = list(decode_records(io.BytesIO(written).read, problems.append))
    assert copied == kept, "what was written is not what is read"
    assert problems == []
    if kept == records:
        assert check_replay(copied) == cdrs


def check_headers(records: list[Record]) -> None:
    """Headers that are read by an order that was learned are those that a message is asked for."""
    readers = [Fields(*names) for names in HEADERS]
    for piece in split_records(records):
        message = piece.message
        for reader, names in zip(readers, HEADERS, strict=True):
            if message is not None:
                assert reader.read(message) == tuple(map(message.get, names)), "another header"


def check_tools(records: list[Record]) -> None:
    """`trace stats`, `slice` and `anonymize` come to an end."""
    collect_statistics(records)
    pieces = list(split_records(records))
    window = Beginnings(None, None)
    for piece in pieces:
        window.take(piece)
    selection = Selection(list(window.ids)[:2])
    while sum(selection.learn(piece) for piece in pieces):
        pass
    kept = [piece.record() for piece in pieces if selection.wants(piece)]
    list(split_records(kept))
    assert len(list(Anonymizer(b"a key of a fuzzer").rewrite(records))) == len(pieces)
