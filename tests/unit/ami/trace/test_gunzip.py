import gzip
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace.gunzip import Gunzip

TEXT = b"".join(b"Event: %d\r\n\r\n" % number for number in range(2000))


def unpack(data: bytes, size: int = 1000) -> tuple[bytes, list[str]]:
    problems: list[str] = []
    reader = Gunzip(io.BytesIO(data).read, problems.append)
    parts = []
    while part := reader.read(size):
        assert len(part) <= size or problems
        parts.append(part)
    return b"".join(parts), problems


def test_members_in_a_row_with_zeros_behind_them() -> None:
    assert unpack(gzip.compress(TEXT) * 2 + bytes(512)) == (TEXT * 2, [])
    assert unpack(b"") == (b"", [])


@given(cut=st.integers(1, len(gzip.compress(TEXT)) - 1))
@settings(max_examples=30)
def test_a_cut_file_gives_its_beginning(cut: int) -> None:
    got, problems = unpack(gzip.compress(TEXT)[:cut])
    assert TEXT.startswith(got)
    assert problems == ["the compressed file is cut off"]


def test_a_cut_file_gives_what_was_flushed() -> None:
    packed = gzip.compress(TEXT)
    assert len(unpack(packed[: len(packed) // 2])[0]) > len(TEXT) // 4


def test_damage_is_said() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2] ^= 0xFF
    got, problems = unpack(bytes(packed))
    assert len(got) <= len(TEXT) + 1000
    assert len(problems) == 1
