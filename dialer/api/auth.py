"""Who calls, and for whom: API keys, superusers and the client they act for."""

import hashlib
import hmac
from typing import Any, Final

from fastapi import Request

from dialer.api.answers import ApiError
from dialer.api.deps import ApiDeps, deps_of
from dialer.api.limits import count_request
from dialer.api.reading import ACCOUNTS
from dialer.errors import NotFound
from dialer.keys import check_key, find_lookup
from dialer.store.contract import Client

INVALID_KEY: Final = "Invalid API key"
NO_ACCOUNT: Final = "Account code is required for superuser"
TWO_ACCOUNTS: Final = "accountcode and client_code name different clients"
BOOTSTRAP: Final = Client(
    id=0, name="bootstrap", accountcode="", username="", is_superuser=True, has_key=True
)


async def authenticate(request: Request) -> Client:
    """The client whose key this is. 401 for no or a wrong key, 429 past its requests a minute, 403
    for a client that is not active. The settings' bootstrap key gives a superuser without a row."""
    return await identify(request, find_key(request))


async def identify(request: Request, key: str | None) -> Client:
    """As `authenticate`, by a key that stood wherever another API's clients put it."""
    deps = deps_of(request)
    if key is None:
        raise _unauthorized("no API key was given")
    if _is_bootstrap(key, deps):
        return BOOTSTRAP
    lookup = find_lookup(key)
    if lookup is None:
        raise _unauthorized()
    found = await deps.store.client_by_key(lookup)
    stored = found[1] if found is not None else None
    if not check_key(key, stored, await deps.store.installation_secret()) or found is None:
        raise _unauthorized()
    return admit(request, found[0])


def admit(request: Request, client: Client) -> Client:
    """The client, whose credentials were right, when it may make this request: 429 past its
    requests a minute, 403 when it is not active."""
    count_request(request, client)
    if not client.is_active or client.status != "active":
        raise ApiError(403, "Client is not active")
    return client


async def authenticate_superuser(request: Request) -> Client:
    """As `authenticate`; 403 for an ordinary client."""
    caller = await authenticate(request)
    if not caller.is_superuser:
        raise ApiError(403, "Superuser API key required")
    return caller


async def find_tenant(request: Request, caller: Client, body: dict[str, Any]) -> Client:
    """The client that is acted for: the caller, or the one that a superuser names by accountcode
    or client_code in query or body; 409 when it names two. An ordinary client that names another
    one, be it beside itself, gets 404."""
    named = _named_accounts(request, body)
    if not caller.is_superuser:
        if any(name != caller.accountcode for name in named):
            raise ApiError(404, "Client not found")
        return caller
    if not named:
        raise ApiError(403, NO_ACCOUNT, _say_how_to_name(caller))
    store = deps_of(request).store
    try:
        found = [await store.client(name) for name in named[:2]]
    except NotFound:
        raise ApiError(404, "Client not found") from None
    if len({client.id for client in found}) > 1:
        raise ApiError(409, TWO_ACCOUNTS)
    return found[0]


def _say_how_to_name(caller: Client) -> str:
    own = f", your own is {caller.accountcode}" if caller.accountcode else ""
    return f"name the client by accountcode or client_code{own}"


def name_actor(caller: Client) -> str:
    """Who changes something, for the audit log."""
    if caller.is_superuser:
        return f"superuser {caller.accountcode or caller.name}"
    return f"client {caller.accountcode}"


def name_superuser(caller: Client) -> str | None:
    """The superuser that acts for a client; None for a client that acts for itself."""
    return name_actor(caller) if caller.is_superuser else None


def _named_accounts(request: Request, body: dict[str, Any]) -> list[str]:
    """All names that are given, each once; types in a body are not checked here."""
    given: list[Any] = []
    for name in ACCOUNTS:
        given += [*request.query_params.getlist(name), body.get(name)]
    return list(dict.fromkeys(name for name in given if isinstance(name, str) and name))


def find_key(request: Request) -> str | None:
    """What a request presents as its key: its Bearer, else its X-API-KEY."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key", "").strip() or None


def _is_bootstrap(key: str, deps: ApiDeps) -> bool:
    secret = deps.settings.superuser_api_key
    if secret is None or not secret.get_secret_value():
        return False
    return hmac.compare_digest(_hash(key), _hash(secret.get_secret_value()))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()  # equal lengths: the comparison tells nothing


def _unauthorized(details: str = "") -> ApiError:
    return ApiError(401, INVALID_KEY, details, headers={"WWW-Authenticate": "Bearer"})
