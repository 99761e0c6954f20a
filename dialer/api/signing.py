"""A client's signing secret over HTTP: which is live, and a new one, shown once as an API key is
(docs/client-api.md, "Callbacks")."""

from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dialer import fields
from dialer.api.answers import answer
from dialer.api.auth import authenticate, find_tenant, name_actor
from dialer.api.deps import deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.reading import read_body, refuse_unknown
from dialer.bodies import WHOM, read_object
from dialer.body_types import Text, check_whole, say
from dialer.delivery.signing import derive_secret, show_secret
from dialer.errors import FieldError, Refused
from dialer.items import format_time
from dialer.phrases import find_faults
from dialer.signing_key import load_signing_key
from dialer.store.contract import Client, Signing

DEFAULT_GRACE: Final = 24
LONGEST_GRACE: Final = 8760
_HOUR: Final = 3600
_HOURS: Final = fields.whole(
    0,
    LONGEST_GRACE,
    "0*(?:[0-9]{1,3}|[1-7][0-9]{3}|8[0-6][0-9]{2}|87[0-5][0-9]|8760)",
    default=DEFAULT_GRACE,
)


class SecretChange(BaseModel):
    """The body of regenerate-signing-secret, which may be left away."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    grace_hours: Annotated[
        Annotated[int, Field(ge=0, le=LONGEST_GRACE), BeforeValidator(check_whole)] | None,
        say(_HOURS, "how long the secret before signs, too"),
    ] = None
    accountcode: Annotated[Text | None, say(fields.PLAIN, WHOM)] = None
    client_code: Annotated[Text | None, say(fields.PLAIN, WHOM)] = None


async def show_signing(request: Request) -> Response:
    """Which signing secret is live, without the secret, which is shown when it is made."""
    caller = await authenticate(request)
    client = await find_tenant(request, caller, {})
    refuse_unknown(request)
    deps = deps_of(request)
    signing = (await deps.store.receivers()).signing.get(client.id, Signing())
    return answer(_show(client, signing, None, deps.clock.now()))


async def regenerate_signing(request: Request) -> Response:
    """Give the client a new signing secret, shown this once. The one before signs too, for as long
    as `grace_hours` says."""
    caller = await authenticate(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(keep: Keep | None) -> tuple[dict[str, Any], bool]:
        content = read_object(body) if body.strip() else {}
        client = await find_tenant(request, caller, content)
        grace = read_grace(content)
        key = load_signing_key(deps.settings)
        installation = await deps.store.installation_secret()
        now = deps.clock.now()

        def show(signing: Signing) -> dict[str, Any]:
            secret = derive_secret(key, installation, client.id, signing.version)
            return _show(client, signing, show_secret(secret), now)

        until = now + grace * _HOUR if grace else None
        kept = (lambda signing: keep(show(signing))) if keep is not None else None
        signing = await deps.store.rotate_signing(client.id, until, now, name_actor(caller), kept)
        deps.signals.clients_changed()
        return show(signing), False

    return await answer_once(request, caller, body, work)


def read_grace(content: dict[str, Any]) -> int:
    """Hours. Raises `Refused`."""
    try:
        change = SecretChange.model_validate(content)
    except ValidationError as error:
        raise Refused(
            [FieldError(".".join(place), fault) for place, fault in find_faults(error).items()]
        ) from None
    return DEFAULT_GRACE if change.grace_hours is None else change.grace_hours


def _show(client: Client, signing: Signing, secret: str | None, now: float) -> dict[str, Any]:
    until = signing.grace_until
    lives = until is not None and until > now
    return {
        "accountcode": client.accountcode,
        "signing_secret": secret,
        "version": signing.version,
        "previous_valid_until": format_time(int(until)) if until is not None and lives else None,
    }
