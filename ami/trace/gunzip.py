"""Gzip as it is found after a crash: what a cut or damaged file holds is given up to that place,
where the standard library's reader gives an error in its stead."""

import zlib
from collections.abc import Callable
from typing import Final

MAGIC: Final = b"\x1f\x8b"
_INPUT: Final = 64 * 1024


class Gunzip:
    """Reads members one after the other. `complain` gets a sentence where one is cut or damaged."""

    def __init__(self, read: Callable[[int], bytes], complain: Callable[[str], None]) -> None:
        self._source = read
        self._complain = complain
        self._member = zlib.decompressobj(wbits=31)
        self._input = b""
        self._begun = False
        self._over = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end."""
        while not self._over:
            self._input = self._input or self._source(_INPUT)
            if not self._input:
                self._over = True
                if self._begun:
                    self._complain("the compressed file is cut off")
                return self._member.flush() if self._begun else b""
            if data := self._inflate(size):
                return data
        return b""

    def _inflate(self, size: int) -> bytes:
        self._begun = True
        try:
            data = self._member.decompress(self._input, size)
        except zlib.error as error:
            self._over = True
            self._complain(f"the compressed file is damaged: {error}")
            return b""
        self._input = self._member.unconsumed_tail
        if self._member.eof:
            # Zeros may fill the rest of a block.
            self._input = self._member.unused_data.lstrip(b"\0")
            self._member = zlib.decompressobj(wbits=31)
            self._begun = False
        return data
