"""Access tokens of the read APIs: given for an API key, taken in its place for an hour."""

from typing import Final

from fastapi import Request

from dialer.access_tokens import LIFETIME, PREFIX, Token, derive_key, read_token, write_token
from dialer.api.answers import ApiError
from dialer.api.auth import INVALID_KEY, admit, identify
from dialer.api.deps import deps_of
from dialer.keys import find_lookup
from dialer.signing_key import load_signing_key
from dialer.store.contract import Client

NOT_OURS: Final = "Invalid token"
EXPIRED: Final = "Token expired"
_UNAUTHORIZED: Final = {"WWW-Authenticate": "Bearer"}


async def issue_token(request: Request, key: str) -> str:
    """A token for a key that `identify` took. 401 for the bootstrap key, which is no client's."""
    lookup = find_lookup(key)
    if lookup is None:
        raise ApiError(401, INVALID_KEY, "this key gets no token", headers=_UNAUTHORIZED)
    expires_at = int(deps_of(request).clock.now()) + LIFETIME
    return write_token(Token(lookup, expires_at), await _find_key(request))


async def identify_holder(request: Request, credential: str | None) -> Client:
    """The client that holds a token or an API key. 401 for neither and for a token that ended, is
    none of ours or whose key is revoked or replaced; else as `identify`."""
    if credential is None or not credential.startswith(PREFIX):
        return await identify(request, credential)
    deps = deps_of(request)
    token = read_token(credential, await _find_key(request))
    if token is None:
        raise ApiError(401, NOT_OURS, headers=_UNAUTHORIZED)
    found = await deps.store.client_by_key(token.lookup)
    if found is None:
        raise ApiError(401, NOT_OURS, headers=_UNAUTHORIZED)
    if token.expires_at <= deps.clock.now():
        raise ApiError(401, EXPIRED, headers=_UNAUTHORIZED)
    return admit(request, found[0])


async def _find_key(request: Request) -> bytes:
    """Read once: the signing key is a file's where no setting gives it."""
    state = request.app.state
    if state.token_key is None:
        deps = deps_of(request)
        secret = await deps.store.installation_secret()
        state.token_key = derive_key(load_signing_key(deps.settings), secret)
    key: bytes = state.token_key
    return key
