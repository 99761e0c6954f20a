"""Secrets out of what is recorded, before it reaches a file."""

import re
from typing import Final

# Login's two ways to prove oneself; whoever has a trace must not be able to log in with it.
_SECRETS: Final = re.compile(rb"(?im)^(secret|key|authsecret|password)[ \t]*:[^\r\n]*")
MASK: Final = b"***"


def mask_secrets(sent: bytes) -> bytes:
    """Bytes that were sent, without the values of `Secret` and `Key` headers. To be given whole
    actions: half a header is not recognized."""
    return _SECRETS.sub(rb"\1: " + MASK, sent)
