"""Signatures of callbacks, as standardwebhooks.com has them: HMAC-SHA256 over
`{webhook-id}.{webhook-timestamp}.{body}`, base64, behind `v1,`.

Signing secrets are stored nowhere: each is derived from the signing key, which is outside the
database, the installation's secret, which is in it, the client and a version
(docs/decisions/0010-signing-secrets.md).
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

PREFIX: Final = "whsec_"

_PURPOSE: Final = b"dialer signing secret"


def derive_secret(key: bytes, installation: bytes, client_id: int, version: int) -> bytes:
    """The 32 bytes with which a client's callbacks are signed (HKDF, RFC 5869, with SHA-256: one
    block)."""
    extracted = hmac.digest(installation, key, "sha256")
    info = b"%b %d %d\x01" % (_PURPOSE, client_id, version)
    return hmac.digest(extracted, info, "sha256")


def show_secret(secret: bytes) -> str:
    """As a receiver's library takes it: `whsec_` and base64."""
    return PREFIX + b64encode(secret).decode()


def sign(secrets: Iterable[bytes], event_id: str, now: float, body: bytes) -> dict[str, str]:
    """The three headers of a try at `now`; one signature for every live secret."""
    timestamp = str(int(now))
    content = b"%b.%b.%b" % (event_id.encode(), timestamp.encode(), body)
    signatures = ["v1," + b64encode(_sign(secret, content)).decode() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _sign(secret: bytes, content: bytes) -> bytes:
    keyed = _begin(secret).copy()
    keyed.update(content)
    return keyed.digest()


@lru_cache(maxsize=1024)
def _begin(secret: bytes) -> hmac.HMAC:
    """The keyed hash before its content. Not `hmac.digest`, which lets go of Python's lock each
    time: under load every return to it waits for another thread."""
    return hmac.new(secret, digestmod="sha256")
