import contextlib
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import TraceError, open_trace
from tests.unit.ami.trace.reading import messages_of, read

EVENT = b"Event: Newchannel\r\nUniqueid: 1\r\n\r\n"


def test_compressed_files_are_read_as_they_are() -> None:
    trace, records = read(gzip.compress(EVENT) + gzip.compress(EVENT))
    assert trace.format == "ami"
    assert len(messages_of(records)) == 2


def test_a_cut_compressed_file_gives_what_is_there() -> None:
    packed = gzip.compress(EVENT * 10) + gzip.compress(EVENT * 5000)[:-20]
    trace, records = read(packed)
    assert len(records) >= 10
    assert "the compressed file is cut off" in trace.problems


def test_a_byte_order_mark_is_no_matter() -> None:
    assert len(read(b"\xef\xbb\xbf" + EVENT)[1]) == 1


@pytest.mark.parametrize("data", [b"", b" \n", b"hello world\n", b"\x00\x01\x02" * 100, b'"text"'])
def test_what_holds_no_ami_is_said_to(data: bytes) -> None:
    with pytest.raises(TraceError, match=r"a file (is empty|holds no AMI)"):
        read(data)


@pytest.mark.parametrize(
    ("packed", "why"), [(b"\x1f\x8b\x08", "cut off"), (b"\x1f\x8bno gzip", "damaged")]
)
def test_gzip_of_which_nothing_can_be_read_is_not_called_empty(packed: bytes, why: str) -> None:
    with pytest.raises(TraceError, match=f"a file: the compressed file is {why}"):
        read(packed)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        open_trace(tmp_path / "none")
    with pytest.raises(TraceError, match="directory"):
        open_trace(tmp_path)


def test_only_the_first_problems_are_kept() -> None:
    trace, _ = read(EVENT + b"A: 1\r\n\r\n" * 100)
    assert len(trace.problems) == 20


@given(st.binary(max_size=200))
@settings(max_examples=150)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(TraceError):
        read(data)
