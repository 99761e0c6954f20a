"""Tokens that stand for an API key for a while: `dt_`, then base64 of whose, until when and a
signature. Pure; nothing is stored.

A token names the key's lookup part: a key that is revoked or replaced is not found any more, and
its tokens are worth nothing. The key that signs is derived from the signing key, which is outside
the database, and the installation's secret, which is in it, as signing secrets are
(docs/decisions/0018-access-tokens.md).
"""

import binascii
import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

LIFETIME: Final = 3600
"""Seconds (reference of the reports' API: 60 minutes)."""
PREFIX: Final = "dt_"

_PURPOSE: Final = b"dialer access token\x01"
_HEAD: Final = struct.Struct(">Q8s")
_DIGEST: Final = 32
_TOKEN: Final = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{64}})")


@dataclass(frozen=True, slots=True)
class Token:
    """Whose key it stands for, by the key's lookup part, and the epoch second it ends at."""

    lookup: str
    expires_at: int


def derive_key(key: bytes, installation: bytes) -> bytes:
    """The 32 bytes that tokens are signed with (HKDF, RFC 5869, with SHA-256: one block)."""
    return hmac.digest(hmac.digest(installation, key, "sha256"), _PURPOSE, "sha256")


def write_token(token: Token, key: bytes) -> str:
    """The text that a client gets. `lookup` has 8 ASCII characters."""
    head = _HEAD.pack(token.expires_at, token.lookup.encode())
    return PREFIX + urlsafe_b64encode(head + hmac.digest(key, head, "sha256")).decode()


def read_token(text: str, key: bytes) -> Token | None:
    """The token that `text` is, ended or not; None for what was not signed with `key`."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    try:
        whole = urlsafe_b64decode(found[1])
    except binascii.Error:
        return None
    head, digest = whole[:-_DIGEST], whole[-_DIGEST:]
    if not hmac.compare_digest(hmac.digest(key, head, "sha256"), digest):
        return None
    expires_at, lookup = _HEAD.unpack(head)
    return Token(lookup.decode(), expires_at)
