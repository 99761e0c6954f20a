"""The request bodies of the calling API: their documented fields, and reading them from JSON.

Typed dicts, because pydantic checks them straight from the bytes and hands back plain dicts in
the documented order: what is stored, echoed and hashed. A body is taken at once when its keys are
spelled as documented; else, given up at its first error, it is read once more with the keys of
`action` in any case, and when that fails too, item by item, for every error.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from dialer.errors import FieldError, Refused

MAX_BATCH: Final = 1000
TOO_MANY: Final = "Queue data exceeds max batch size 1000"
NO_DATA: Final = "Queue Data is required"
REQUIRED: Final = "Field required"
_SHOWN_KEYS = 10  # of the unknown ones, in an error's message
_BIG = 2**63 - 1

Text = Annotated[str, Field(max_length=255)]
Line = Annotated[str, Field(max_length=1022)]
Number = Annotated[str, Field(max_length=80, coerce_numbers_to_str=True)]


def refuse_bool(value: object) -> object:
    """A validator that runs before the one for integers, which would take a boolean for one."""
    if isinstance(value, bool):
        raise ValueError("a boolean is no integer")
    return value


# An integer, or its digits as text: strictly first, which costs no Python call.
_Count = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[
    Annotated[_Count, Field(strict=True)] | Annotated[_Count, BeforeValidator(refuse_bool)],
    Field(union_mode="left_to_right"),
]
_Whole = Annotated[int, Field(ge=-_BIG, le=_BIG)]
Whole = Annotated[
    Annotated[_Whole, Field(strict=True)] | Annotated[_Whole, BeforeValidator(refuse_bool)],
    Field(union_mode="left_to_right"),
]


def _config(title: str, required: list[str], *, closed: bool = False) -> ConfigDict:
    """`required` is only documented here; it is checked with everything else about an item."""
    return ConfigDict(
        title=title,
        extra="forbid" if closed else "ignore",
        hide_input_in_errors=True,
        json_schema_extra={"required": list[Any](required)},
    )


@with_config(_config("Action", ["Action", "Channel"], closed=True))
class Action(TypedDict, total=False):
    """The Originate of one item. Keys may come in any case."""

    Action: Annotated[Text | None, Field(description="Originate; nothing else is taken")]
    ActionID: Annotated[Text | None, Field(description="becomes the call_id; absent: one of ours")]
    Channel: Annotated[Line | None, Field(examples=["PJSIP/1234567890@endpoint1"])]
    Application: Text | None
    Data: Annotated[Line | None, Field(examples=["PJSIP/0987654321@endpoint2,30"])]
    Timeout: Annotated[Whole | None, Field(description="ms, 1000 to 120000")]
    CallerID: Text | None
    Variable: Annotated[Line | None, Field(examples=["NAME=value,OTHER=value"])]
    Account: Annotated[Text | None, Field(description="echoed, never sent")]
    EarlyMedia: Annotated[bool | None, Field(description="echoed, never sent")]
    Async: Annotated[bool | None, Field(description="echoed; every Originate is asynchronous")]
    Codecs: Text | None
    ChannelId: Text | None
    OtherChannelId: Text | None
    PreDialGoSub: Text | None


@with_config(_config("QueueItem", ["asterisk_server_code", "action"]))
class QueueItem(TypedDict, total=False):
    """One call of a batch. The state fields (call_tried, disposition …) start at their defaults."""

    asterisk_server_code: Text | None
    caller_id: Text | None
    action: Action | None
    retry: Annotated[Count | None, Field(json_schema_extra={"default": 0})]
    call_tried: Whole | None
    call_success: Whole | None
    call_failed: Whole | None
    call_status: Text | None
    connected: bool | None
    create_recording: Annotated[bool | None, Field(json_schema_extra={"default": False})]
    recording_format: Annotated[Text | None, Field(json_schema_extra={"default": "wav"})]
    queue_type: Annotated[Text | None, Field(json_schema_extra={"default": "outbound"})]
    queue_status: Text | None
    call_timeout: Annotated[Whole | None, Field(description="seconds, 1 to 120; default 30")]
    recording_path: Text | None
    mix_monitor_command: Text | None
    disposition: Text | None
    contact_number: StrictInt | Annotated[str, Field(max_length=32)] | None
    project: Text | None
    deadline: datetime | None


@with_config(_config("BatchRequest", ["batch_id", "data"]))
class BatchRequest(TypedDict, total=False):
    """The body of insertdataincallqueue."""

    queue_id: Annotated[Whole | None, Field(description="null makes a queue")]
    batch_id: Whole | None
    dids: Annotated[list[Annotated[Number, Field(min_length=1)]] | None, Field(max_length=1000)]
    data: Annotated[list[QueueItem], Field(max_length=MAX_BATCH, fail_fast=True)]
    accountcode: Annotated[Text | None, Field(description="whom a superuser acts for")]
    client_code: Text | None


@with_config(
    _config("QuickCallRequest", ["asterisk_server_code", "number1", "customer_name", "action"])
)
class QuickCallRequest(TypedDict, total=False):
    """The body of insertquickcall. `action` is an Action without Channel: number1 is dialed."""

    asterisk_server_code: Text | None
    number1: Number | None
    number2: Number | None
    customer_name: Text | None
    prefix: Number | None
    endpoint: Text | None
    action: Action | None
    caller_id: Text | None
    create_recording: bool | None
    recording_format: Text | None
    recording_path: Text | None
    mix_monitor_command: Text | None
    call_timeout: Annotated[Whole | None, Field(description="seconds, 1 to 120; default 30")]
    contact_number: StrictInt | Annotated[str, Field(max_length=32)] | None
    project: Text | None
    accountcode: Annotated[Text | None, Field(description="whom a superuser acts for")]
    client_code: Text | None


@with_config(_config("Account", []))
class Account(TypedDict, total=False):
    """A body that says nothing but whom a superuser acts for."""

    accountcode: Annotated[Text | None, Field(description="whom a superuser acts for")]
    client_code: Text | None


ACCOUNT: Final = TypeAdapter(Account)
BATCH: Final = TypeAdapter(BatchRequest)
ITEM: Final = TypeAdapter(QueueItem)
QUICK_CALL: Final = TypeAdapter(QuickCallRequest)
_SPELLING: Final = {key.casefold(): key for key in Action.__annotations__}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body whose types are right, or what is left of it and the errors found so far. Fields
    with errors are absent from `content`, which has the documented keys in documented order.
    `plain`: no text in it can hold a control character."""

    content: dict[str, Any]
    errors: list[FieldError] = field(default_factory=list)
    plain: bool = False

    def digest(self) -> str:
        """SHA-256 of the body as understood: spacing, order and case of keys do not count."""
        return hashlib.sha256(to_json(self.content)).hexdigest()


def parse_batch(body: bytes) -> Parsed:
    """Read a batch. Raises `Refused` when nothing can be said about its items: no JSON object,
    no data, too many items."""
    try:
        content: dict[str, Any] = dict(BATCH.validate_json(body))
    except ValidationError:
        return _parse_batch_slowly(body)
    if not content.get("data"):
        raise Refused([FieldError("data", NO_DATA)])
    return Parsed(content, plain=_is_plain(body))


def _is_plain(body: bytes) -> bool:
    """In JSON a control character below U+0020 is always escaped, and others are not ASCII but
    for DEL: three quick looks at the bytes spare a search in every item."""
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def parse_quick_call(body: bytes) -> Parsed:
    """Read a quick call. Raises `Refused` when the body is no JSON object."""
    try:
        return Parsed(dict(QUICK_CALL.validate_json(body)))
    except ValidationError:
        errors: list[FieldError] = []
        content = _validate(QUICK_CALL, _spell(read_object(body), errors, None), errors, None)
        return Parsed(content, errors)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; `Refused` for anything else."""
    if not body.strip():
        raise Refused([FieldError("body", "Request body is required")])
    try:
        content = from_json(body)
    except ValueError as error:
        raise Refused([FieldError("body", f"Request body is not valid JSON: {error}")]) from None
    if not isinstance(content, dict):
        raise Refused([FieldError("body", "Request body must be a JSON object")])
    return content


def _parse_batch_slowly(body: bytes) -> Parsed:
    raw = read_object(body)
    data = raw.pop("data", None)
    if data is None or data == []:
        raise Refused([FieldError("data", NO_DATA)])
    if not isinstance(data, list):
        raise Refused([FieldError("data", "must be a list of queue items")])
    if len(data) > MAX_BATCH:
        raise Refused([FieldError("data", TOO_MANY)])
    errors: list[FieldError] = []
    spelled = [
        _spell(item, errors, index) if isinstance(item, dict) else item
        for index, item in enumerate(data)
    ]
    try:
        return Parsed(dict(BATCH.validate_python({**raw, "data": spelled})), errors)
    except ValidationError:
        return _collect(raw, spelled, errors)


def _collect(raw: dict[str, Any], data: list[Any], errors: list[FieldError]) -> Parsed:
    content = _validate(BATCH, raw, errors, None)
    items: list[dict[str, Any]] = []
    for index, item in enumerate(data):
        if isinstance(item, dict):
            items.append(_validate(ITEM, item, errors, index))
        else:
            errors.append(FieldError("data", "must be a JSON object", index))
            items.append({})
    whole: dict[str, Any] = {
        key: items if key == "data" else content[key]
        for key in BatchRequest.__annotations__
        if key == "data" or key in content
    }
    return Parsed(whole, errors)


def _spell(item: dict[str, Any], errors: list[FieldError], index: int | None) -> dict[str, Any]:
    """The item with the keys of its action spelled as documented; unknown ones become errors."""
    action = item.get("action")
    if not isinstance(action, dict):
        return item
    known: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in action.items():
        name = key if key in Action.__annotations__ else _SPELLING.get(key.casefold())
        if name is None:
            unknown.append(key)
        elif name in known:
            errors.append(FieldError(f"action.{name}", "is given twice", index))
        else:
            known[name] = value
    if unknown:
        names = ", ".join(repr(key[:40]) for key in unknown[:_SHOWN_KEYS])
        more = "" if len(unknown) <= _SHOWN_KEYS else f" and {len(unknown) - _SHOWN_KEYS} more"
        errors.append(FieldError("action", f"unknown key {names}{more}", index))
    return {**item, "action": known}


def _validate(
    adapter: TypeAdapter[Any], raw: dict[str, Any], errors: list[FieldError], index: int | None
) -> dict[str, Any]:
    """What of `raw` has the right type; the rest becomes errors. Dropping the wrong fields leaves
    a right body, for no field is required by type."""
    try:
        return dict(adapter.validate_python(raw))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    wrong: dict[tuple[str, ...], str] = {}
    for entry in found:
        names = [str(part) for part in entry["loc"]]
        wrong.setdefault(tuple(names[: 2 if names[0] == "action" else 1]), entry["msg"])
    left = {**raw}
    if isinstance(raw.get("action"), dict):
        left["action"] = {**raw["action"]}
    for place, message in wrong.items():
        errors.append(FieldError(".".join(place), message, index))
        target = left if len(place) == 1 else left["action"]
        target.pop(place[-1], None)
    return dict(adapter.validate_python(left))
