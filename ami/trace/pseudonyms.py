"""Texts → others of the same form, consistently and without a way back but for who has the key.

Each token (a run of letters and digits, a UUID, an IPv4 address) is permuted among all tokens of
its form by a keyed Feistel network, so that two tokens never become the same one, and a number, a
name or an id is the same wherever it stands. Digits stay digits, letters letters with their case,
hexadecimal ids hexadecimal; what stands between tokens stays. A token of few characters may become
itself. Letters that are not ASCII become others, by a keyed hash: only there two texts may meet.
"""

import re
from collections.abc import Callable
from functools import lru_cache, reduce
from hashlib import blake2b
from typing import Final

# Words that say of what kind something is.
KEPT: Final = frozenset(
    {"pjsip", "sip", "iax2", "local", "dahdi", "sccp", "unknown", "null", "none", "wav", "gsm"}
)

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_TOKEN: Final = re.compile(
    r"(?P<uuid>(?<![A-Za-z0-9])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![A-Za-z0-9]))"
    rf"|(?P<ip>(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w.]))"
    r"|(?P<mark>(?<=;)[12]$|(?<=/)n$)"  # of Local channels
    r"|(?P<run>[A-Za-z0-9\u0080-\U0010ffff]+)",
    re.ASCII,
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_HEX: Final = "0123456789abcdef"
_FOREIGN: Final = "àáâãäåæçèéêëìíîï"
_LONGEST: Final = 48  # characters permuted in one go
_ROUNDS: Final = 8
_CACHED: Final = 65_536
_SURROGATES: Final = range(0xDC80, 0xDD00)  # bytes that are no UTF-8, as surrogateescape has them


class Pseudonyms:
    """Replaces texts under one key. The same key gives the same texts, in any file on any day."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32).digest()
        self._replace: Callable[[re.Match[str]], str] = self._replace_token
        self._cached = lru_cache(_CACHED)(self._permute_run)

    def replace_text(self, text: str) -> str:
        """`text` with all its tokens replaced."""
        return _TOKEN.sub(self._replace, text)

    def _replace_token(self, found: re.Match[str]) -> str:
        token = found[0]
        match found.lastgroup:
            case "mark":
                return token
            case "uuid":
                return self._permute_uuid(token)
            case "ip":
                return self._permute_address(token)
            case _:
                return token if token.lower() in KEPT else self._cached(token)

    def _permute_uuid(self, token: str) -> str:
        """Its version and variant stay; it is all capitals or has none."""
        plain = token.lower().replace("-", "")
        free = plain[:12] + plain[13:16] + plain[17:]
        new = self._permute(free, [_HEX] * len(free), b"uuid")
        new = new[:12] + plain[12] + new[12:15] + plain[16] + new[15:]
        parts = new[:8], new[8:12], new[12:16], new[16:20], new[20:]
        made = "-".join(parts)
        return made.upper() if token.isupper() else made

    def _permute_address(self, token: str) -> str:
        value = reduce(lambda total, octet: total << 8 | int(octet), token.split("."), 0)
        new = self._walk(value, 1 << 32, b"ip")
        return ".".join(str(new >> shift & 255) for shift in (24, 16, 8, 0))

    def _permute_run(self, token: str) -> str:
        pieces = range(0, len(token), _LONGEST)
        new = "".join(self._permute_piece(token[at : at + _LONGEST], at) for at in pieces)
        # A word that is kept is nobody else's pseudonym.
        return self._permute_run(new) if new.lower() in KEPT else new

    def _permute_piece(self, token: str, at: int) -> str:
        plain = "".join(char.lower() if char.isascii() else char for char in token)
        letters = {char for char in plain if char.isalpha() and char.isascii()}
        has_digit = not set(_DIGITS).isdisjoint(plain)
        small = _LETTERS[:6] if has_digit and letters <= set(_LETTERS[:6]) else _LETTERS
        alphabets = [
            _DIGITS if char in _DIGITS else small if char.isascii() else "" for char in plain
        ]
        tweak = f"{at}|{small}|".encode()
        if not plain.isascii():
            tweak += plain.encode("utf-8", "surrogateescape")
        new = self._permute(plain, alphabets, tweak)
        return _restore_case(new, token)

    def _permute(self, plain: str, alphabets: list[str], tweak: bytes) -> str:
        """Characters among those of their alphabets; those without one are hashed."""
        value, size = 0, 1
        for char, alphabet in zip(plain, alphabets, strict=True):
            if alphabet:
                value, size = value * len(alphabet) + alphabet.index(char), size * len(alphabet)
        form = "".join(str(len(alphabet) % 7) for alphabet in alphabets)
        value = self._walk(value, size, tweak + form.encode()) if size > 1 else 0
        new: list[str] = []
        for char, alphabet in zip(reversed(plain), reversed(alphabets), strict=True):
            if alphabet:
                value, digit = divmod(value, len(alphabet))
                new.append(alphabet[digit])
            else:
                new.append(self._pick_foreign(char, tweak + bytes([len(new)])))
        return "".join(reversed(new))

    def _pick_foreign(self, char: str, tweak: bytes) -> str:
        pick = self._hash(tweak, 1)[0] % 16
        return chr(0xDCE0 + pick) if ord(char) in _SURROGATES else _FOREIGN[pick]

    def _walk(self, value: int, size: int, tweak: bytes) -> int:
        """A permutation of range(size): one of the next power of four, as often as need be."""
        half = max(1, ((size - 1).bit_length() + 1) // 2)
        while True:
            value = self._mix(value, half, tweak)
            if value < size:
                return value

    def _mix(self, value: int, half: int, tweak: bytes) -> int:
        mask, width = (1 << half) - 1, (half + 7) // 8
        left, right = value >> half, value & mask
        for turn in range(_ROUNDS):
            seed = bytes([turn]) + right.to_bytes(width, "big") + tweak
            mixed = int.from_bytes(self._hash(seed, width), "big") & mask
            left, right = right, left ^ mixed
        return left << half | right

    def _hash(self, data: bytes, size: int) -> bytes:
        return blake2b(data, key=self._key, digest_size=size).digest()


def _restore_case(new: str, old: str) -> str:
    pairs = zip(new, old, strict=True)
    return "".join(a.upper() if b.isascii() and b.isupper() else a for a, b in pairs)
