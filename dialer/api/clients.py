"""Clients and their keys: a superuser makes a client; a key is shown once, when it is made."""

from typing import Any

from fastapi import Request, Response

from dialer.api.answers import answer, success
from dialer.api.auth import authenticate, authenticate_superuser, find_tenant, name_actor
from dialer.api.deps import deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.reading import read_body
from dialer.bodies import read_account, read_object
from dialer.clients import read_client
from dialer.items import format_time
from dialer.keys import make_key
from dialer.store.contract import Client


async def create_client(request: Request) -> Response:
    """Create a client. 409 for a taken accountcode or username."""
    caller = await authenticate_superuser(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(keep: Keep | None) -> tuple[dict[str, Any], bool]:
        now = deps.clock.now()
        client = read_client(read_object(body), deps.settings.callback_allow_private, now)
        key, stored = make_key(await deps.store.installation_secret())
        kept = (lambda made: keep(show_client(made, key))) if keep is not None else None
        client = await deps.store.add_client(client, stored, now, name_actor(caller), kept)
        deps.signals.clients_changed()
        return show_client(client, key), False

    return await answer_once(request, caller, body, work)


async def regenerate_key(request: Request) -> Response:
    """Give the client a new key, shown this once; the one before is refused from now on. Calls
    that a revoked key held go on."""
    return await _replace_key(request, with_new=True)


async def revoke_key(request: Request) -> Response:
    """Take the client's key away, at once: its waiting calls are held until there is a new one."""
    return await _replace_key(request, with_new=False)


async def _replace_key(request: Request, *, with_new: bool) -> Response:
    caller = await authenticate(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(keep: Keep | None) -> tuple[dict[str, Any], bool]:
        client = await find_tenant(request, caller, read_account(body))
        key = stored = None
        if with_new:
            key, stored = make_key(await deps.store.installation_secret())
        now = deps.clock.now()
        kept = (lambda changed: keep(show_client(changed, key))) if keep is not None else None
        by = name_actor(caller)
        client = await deps.store.replace_key(client.id, stored, now, by, kept)
        deps.signals.clients_changed()
        return show_client(client, key), False

    return await answer_once(request, caller, body, work)


async def show_connection(request: Request) -> Response:
    """Whether a key works, and whose it is."""
    caller = await authenticate(request)
    shown = {
        "accountcode": caller.accountcode,
        "name": caller.name,
        "is_superuser": caller.is_superuser,
    }
    return answer(success("Connection successful", shown))


def show_client(client: Client, api_key: str | None) -> dict[str, Any]:
    """A client as the document answers it."""
    return {
        "id": client.id,
        "name": client.name,
        "accountcode": client.accountcode,
        "username": client.username,
        "api_key": api_key,
        "is_active": client.is_active,
        "status": client.status,
        "created_at": format_time(int(client.created_at)),
        "updated_at": format_time(int(client.updated_at)),
    }
