"""API keys: `dk_<lookup>_<secret>_<checksum>`, base62.

The lookup part finds the row, the HMAC of the whole text proves it: the key itself is stored
nowhere. The checksum tells a mistyped key, or a key found by a secret scanner, without a database.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from typing import Protocol

from dialer.store.contract import StoredKey

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY = re.compile(r"(dk_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})_([0-9A-Za-z]{6})")
_NO_DIGEST = "0" * 64


class Chooser(Protocol):
    """A source of randomness: the module `secrets`, or a seeded `random.Random` in tests."""

    def choice(self, seq: str, /) -> str: ...


def make_key(secret: bytes, rng: Chooser = secrets) -> tuple[str, StoredKey]:
    """A new key and what is stored of it. `secret` is the installation's."""
    lookup = "".join(rng.choice(_ALPHABET) for _ in range(8))
    body = f"dk_{lookup}_" + "".join(rng.choice(_ALPHABET) for _ in range(32))
    text = f"{body}_{_checksum(body)}"
    return text, StoredKey(lookup=lookup, digest=_digest(text, secret))


def find_lookup(text: str) -> str | None:
    """The lookup part of a well-formed key, None for any other text."""
    match = _KEY.fullmatch(text)
    if match is None or match[3] != _checksum(match[1]):
        return None
    return match[2]


def check_key(text: str, stored: StoredKey | None, secret: bytes) -> bool:
    """Whether `text` is the stored key. A missing row takes as long as a wrong key."""
    expected = stored.digest if stored is not None else _NO_DIGEST
    equal = hmac.compare_digest(_digest(text, secret), expected)
    return equal and stored is not None


def _digest(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
