"""POST /clients/: a superuser makes a client; its key is shown once."""

from typing import Any

from fastapi import Request, Response

from dialer.api.auth import authenticate_superuser
from dialer.api.deps import deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.reading import read_body
from dialer.bodies import read_object
from dialer.clients import read_client
from dialer.items import format_time
from dialer.keys import make_key
from dialer.store.contract import Client


async def create_client(request: Request) -> Response:
    """Create a client. 409 for a taken accountcode or username."""
    caller = await authenticate_superuser(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(_keep: Keep | None) -> tuple[dict[str, Any], bool]:
        now = deps.clock.now()
        client = read_client(read_object(body), deps.settings.callback_allow_private, now)
        key, stored = make_key(await deps.store.installation_secret())
        client = await deps.store.add_client(client, stored, now)
        deps.signals.clients_changed()
        return show_client(client, key), False

    return await answer_once(request, caller, body, work)


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
