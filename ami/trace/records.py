"""What a trace is made of, whatever file it came from."""

from dataclasses import dataclass
from enum import StrEnum

from ami.errors import AmiError


class TraceError(AmiError):
    """A file that cannot be read as a trace. Says which and why, in one sentence."""


class Direction(StrEnum):
    """Where a record's bytes went; the value is its mark in a trace file."""

    RECEIVED = "<"  # from Asterisk
    SENT = ">"  # to Asterisk
    NOTE = "*"  # neither: a JSON object about the recording itself


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes of one AMI session. `at`: epoch seconds when they were received or written, None where
    the file does not tell. `data` of RECEIVED and SENT are bytes of the stream with every line end,
    one or more messages or parts of them; of a NOTE, UTF-8 JSON."""

    at: float | None
    direction: Direction
    data: bytes
