"""Recorded AMI traffic: written, read back in every format that is about, one vocabulary.

`open_trace(path)` gives `Record`s; `TraceWriter` writes this product's own format (`encoding`).
"""

from ami.trace.anonymizer import Anonymizer
from ami.trace.encoding import read_note, write_note
from ami.trace.moments import read_moment
from ami.trace.orders import begin_channel_names
from ami.trace.pieces import Piece, breaks_stream, split_records
from ami.trace.reader import Trace, open_trace
from ami.trace.recorder import GAP, LINK, TraceRecorder
from ami.trace.records import Direction, Record, TraceError
from ami.trace.selection import Beginnings, Selection, moment_of
from ami.trace.writer import TraceWriter, compress, write_trace

__all__ = [
    "GAP",
    "LINK",
    "Anonymizer",
    "Beginnings",
    "Direction",
    "Piece",
    "Record",
    "Selection",
    "Trace",
    "TraceError",
    "TraceRecorder",
    "TraceWriter",
    "begin_channel_names",
    "breaks_stream",
    "compress",
    "moment_of",
    "open_trace",
    "read_moment",
    "read_note",
    "split_records",
    "write_note",
    "write_trace",
]
