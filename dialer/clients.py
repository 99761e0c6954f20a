"""A new client, as the API and the command line take it ("Create new client" of the calling API,
with the defaults of docs/client-api.md)."""

import re
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from dialer import fields
from dialer.applications import parse_default
from dialer.body_types import check_whole, say, write_number
from dialer.delivery.address import find_fault
from dialer.dialects import CdrMapping, Shape
from dialer.errors import FieldError, Refused
from dialer.phrases import find_faults
from dialer.policy import check_caller_id, check_text
from dialer.states import CallbackEvent
from dialer.store.contract import Client

_ACCOUNTCODE: Final = re.compile(fields.ACCOUNT)

Name = Annotated[str, Field(min_length=1, max_length=255), WithJsonSchema(fields.NAME)]
Phone = Annotated[str, Field(max_length=80), BeforeValidator(write_number)]
Flag = Annotated[bool | None, say(fields.FLAG)]
Channels = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(check_whole)]
Limit = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(check_whole)]


class NewClient(BaseModel):
    """The body of "Create new client"; keys that are not documented are left alone."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    name: Name
    accountcode: Annotated[str, WithJsonSchema(fields.ACCOUNTCODE)]
    username: Name
    did: Annotated[Phone | None, say(fields.CALLER, "default caller ID")] = None
    phone_number: Annotated[Phone | None, say(fields.PHONE)] = None
    allocated_channels: Annotated[Channels | None, say(fields.CHANNELS)] = 1
    callbackurl: Annotated[str | None, say(fields.CALLBACK_URL)] = None
    is_superuser: Flag = False
    rate_limit: Annotated[Limit | None, say(fields.RATE_LIMIT)] = None
    is_active: Flag = True
    status: Annotated[
        Annotated[str, Field(min_length=1, max_length=32)] | None, say(fields.CLIENT_STATUS)
    ] = "active"
    callback_shape: Annotated[Shape | None, say(fields.CALLBACK_SHAPE)] = Shape.NATIVE
    cdr_mapping: Annotated[CdrMapping | None, say(fields.CDR_MAPPING)] = CdrMapping.DEFAULT
    callback_events: Annotated[
        Annotated[list[CallbackEvent], Field(max_length=16)] | None, say(fields.CALLBACK_EVENTS)
    ] = None


_RULED: Final = ("name", "accountcode", "username", "did", "phone_number", "callbackurl", "status")
"""The fields of a body that rules are for, beside those of type and length."""


def read_client(content: dict[str, Any], allow_private: bool, now: float) -> Client:
    """The client that `content` describes, id 0. `allow_private`: whether its callback may lead to
    private addresses. Raises `Refused` with every error."""
    given = {name: value for name, value in content.items() if value is not None}
    new = _read_types(given, allow_private)
    _raise_any(_find_broken_rules({name: getattr(new, name) for name in _RULED}, allow_private))
    return Client(
        id=0,
        name=new.name,
        accountcode=new.accountcode,
        username=new.username,
        did=new.did or None,
        phone_number=new.phone_number or None,
        callback_url=new.callbackurl or None,
        allocated_channels=1 if new.allocated_channels is None else new.allocated_channels,
        rate_limit=new.rate_limit,
        is_superuser=bool(new.is_superuser),
        is_active=new.is_active is not False,
        status=new.status or "active",
        callback_shape=new.callback_shape or Shape.NATIVE,
        cdr_mapping=new.cdr_mapping or CdrMapping.DEFAULT,
        callback_events=frozenset(new.callback_events or ()),
        created_at=now,
        updated_at=now,
    )


def _read_types(content: dict[str, Any], allow_private: bool) -> NewClient:
    """Raises `Refused` with every wrong type or length, and every rule that the others break."""
    try:
        return NewClient.model_validate(content)
    except ValidationError as error:
        faults = {".".join(place): fault for place, fault in find_faults(error).items()}
    errors = [FieldError(name, fault) for name, fault in faults.items()]
    others = {
        name: value for name, value in content.items() if name in _RULED and name not in faults
    }
    raise Refused([*errors, *_find_broken_rules(others, allow_private)])


def check_client(fields: dict[str, Any], allow_private: bool) -> None:
    """Refuse wrong values among `fields` (names as in `Client`; None is never wrong), by the same
    rules wherever they come from. Raises `Refused` with every error."""
    names = {"callback_url": "callbackurl"}
    given = {names.get(name, name): value for name, value in fields.items()}
    _raise_any(_find_broken_rules(given, allow_private))


def _raise_any(errors: list[FieldError]) -> None:
    if errors:
        raise Refused(errors)


def _find_broken_rules(fields: dict[str, Any], allow_private: bool) -> list[FieldError]:
    """What is wrong with values of the right types; named as in a body, or as in `Client`."""
    errors: list[FieldError] = []
    for name, value in fields.items():
        if isinstance(value, str):
            try:
                check_text(name, value)
                if name == "did":
                    check_caller_id(value, name)
                elif name == "default_application":
                    parse_default(value)
            except Refused as refused:
                errors += refused.errors
    accountcode = fields.get("accountcode")
    if accountcode is not None and not _ACCOUNTCODE.fullmatch(accountcode):
        errors.append(FieldError("accountcode", "may hold letters, digits and _ . - only"))
    url = fields.get("callbackurl")
    fault = find_fault(url, allow_private) if url else None
    if fault is not None:
        errors.append(FieldError("callbackurl", fault))
    zone = fields.get("timezone")
    if zone is not None and not _is_zone(zone):
        errors.append(FieldError("timezone", f"'{zone}' is no time zone"))
    return errors


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, a folder, a path outside
        return False
    return True
