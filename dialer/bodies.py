"""The request bodies of the calling API: their documented fields, and reading them from JSON.

Typed dicts, because pydantic checks them straight from the bytes and hands back plain dicts in
the documented order: what is stored, echoed and hashed. A body is taken at once when its keys are
spelled as documented; else, given up at its first error, it is read once more with the keys of
`action` in any case, and when that fails too, item by item, for every error. That takes a hundred
times as long: in steps, between which an event loop can do other work.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    with_config,
)
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from dialer import fields
from dialer.body_types import (
    Contact,
    Count,
    Did,
    Line,
    Moment,
    Number,
    Prefix,
    Text,
    Whole,
    Word,
    say,
)
from dialer.errors import FieldError, Refused
from dialer.phrases import find_faults
from dialer.steps import Steps, finish

MAX_BATCH: Final = 1000
TOO_MANY: Final = "Queue data exceeds max batch size 1000"
NO_DATA: Final = "Queue Data is required"
MOST_VALUES: Final = 100 * MAX_BATCH
"""In a body, counted roughly (`count_values`). An item with all its fields has 40."""
CROWDED: Final = f"Request body holds more than {MOST_VALUES} values"
_USUAL_VALUES: Final = 45 * MAX_BATCH  # of these all are checked at once
_SHOWN_KEYS: Final = 10  # of the unknown ones, in an error's message
_MOST_KEYS: Final = 40  # of an action: more are refused without a look at each


def _config(
    title: str,
    required: list[str],
    *,
    extra: Literal["allow", "ignore"] = "ignore",
    choices: list[fields.Schema] | None = None,
) -> ConfigDict:
    """`required` and `choices` are only documented here; they are checked with everything else
    about an item."""
    told: dict[str, Any] = {"required": required} if required else {}
    if choices:
        told["anyOf"] = choices
    if extra == "allow":
        told["additionalProperties"] = False
    return ConfigDict(title=title, extra=extra, hide_input_in_errors=True, json_schema_extra=told)


class Unspelled(Exception):
    """A key of `action` is not spelled as documented. No ValueError: checking ends at the first,
    for a fault noted for each of thousands takes long."""


def refuse_key(value: object) -> object:
    """A validator of values whose key is unknown."""
    raise Unspelled


_ACTION: Final = WithJsonSchema(
    fields.text(fields.in_any_case(["Originate"]), examples=["Originate"])
)
_APPLICATION: Final = "one of your allow-list; absent: your default application"
_DATA: Final = "what the application may be told"
WHOM: Final = "whom a superuser acts for"


@with_config(
    _config("Action", ["Action", "Channel"], extra="allow", choices=fields.WITH_OR_WITHOUT)
)
class Action(  # type: ignore[call-arg]  # of PEP 728
    TypedDict,
    total=False,
    extra_items=Annotated[Any, BeforeValidator(refuse_key)],
):
    """The Originate of one item. Keys may come in any case."""

    Action: Annotated[Text | None, _ACTION]
    ActionID: Annotated[Word | None, say(fields.WORD, "becomes the call_id; absent: ours")]
    Channel: Annotated[Line | None, WithJsonSchema(fields.CHANNEL)]
    Application: Annotated[Text | None, WithJsonSchema({"description": _APPLICATION})]
    Data: Annotated[Line | None, WithJsonSchema({"description": _DATA})]
    Timeout: Annotated[Whole | None, say(fields.MILLISECONDS, "ms; absent: call_timeout")]
    CallerID: Annotated[Word | None, say(fields.CALLER)]
    Variable: Annotated[Line | None, say(fields.VARIABLE)]
    Account: Annotated[Word | None, say(fields.WORD, "echoed, never sent")]
    EarlyMedia: Annotated[bool | None, say(fields.FLAG, "echoed, never sent")]
    Async: Annotated[bool | None, say(fields.FLAG, "echoed; every Originate is asynchronous")]
    Codecs: Annotated[Text | None, say(fields.CODECS)]
    ChannelId: Annotated[Word | None, say(fields.WORD)]
    OtherChannelId: Annotated[Text | None, say(fields.OTHER_CHANNEL_ID)]
    PreDialGoSub: Annotated[Text | None, say(fields.GOSUB)]


@with_config(_config("QueueItem", ["asterisk_server_code", "action"]))
class QueueItem(TypedDict, total=False):
    """One call of a batch. The state fields (call_tried, disposition …) start at their defaults."""

    asterisk_server_code: Annotated[Text | None, WithJsonSchema(fields.SERVER)]
    caller_id: Annotated[Word | None, say(fields.CALLER, "where action has no CallerID")]
    action: Action | None
    retry: Annotated[Count | None, say({**fields.COUNT, "default": 0}, "further attempts")]
    call_tried: Annotated[Whole | None, say(fields.WHOLE)]
    call_success: Annotated[Whole | None, say(fields.WHOLE)]
    call_failed: Annotated[Whole | None, say(fields.WHOLE)]
    call_status: Annotated[Text | None, say(fields.STATES["call_status"])]
    connected: Annotated[bool | None, say(fields.FLAG)]
    create_recording: Annotated[bool | None, say({**fields.FLAG, "default": False})]
    recording_format: Annotated[Text | None, say(fields.RECORDING_FORMAT)]
    queue_type: Annotated[Text | None, say(fields.STATES["queue_type"])]
    queue_status: Annotated[Text | None, say(fields.STATES["queue_status"])]
    call_timeout: Annotated[Whole | None, say({**fields.SECONDS, "default": 30})]
    recording_path: Annotated[Text | None, say(fields.RECORDING_PATH)]
    mix_monitor_command: Annotated[Text | None, say(fields.PROFILE)]
    disposition: Annotated[Text | None, say(fields.STATES["disposition"])]
    contact_number: Annotated[Contact | None, say(fields.CONTACT)]
    project: Annotated[Word | None, say(fields.WORD)]
    deadline: Annotated[Moment | None, say(fields.DEADLINE)]


@with_config(_config("BatchRequest", ["batch_id", "data"]))
class BatchRequest(TypedDict, total=False):
    """The body of insertdataincallqueue."""

    queue_id: Annotated[Whole | None, say(fields.WHOLE, "null makes a queue")]
    batch_id: Annotated[Whole | None, WithJsonSchema(fields.WHOLE)]
    dids: Annotated[list[Annotated[Did, WithJsonSchema(fields.DID)]] | None, Field(max_length=1000)]
    data: Annotated[
        list[QueueItem],
        Field(max_length=MAX_BATCH, fail_fast=True, json_schema_extra={"minItems": 1}),
    ]
    accountcode: Annotated[Text | None, say(fields.PLAIN, WHOM)]
    client_code: Annotated[Text | None, say(fields.PLAIN, WHOM)]


@with_config(
    _config("QuickCallRequest", ["asterisk_server_code", "number1", "customer_name", "action"])
)
class QuickCallRequest(TypedDict, total=False):
    """The body of insertquickcall. `action` is an Action without Channel: number1 is dialed."""

    asterisk_server_code: Annotated[Text | None, WithJsonSchema(fields.SERVER)]
    number1: Annotated[Number | None, WithJsonSchema(fields.number(80, least=1))]
    number2: Annotated[Number | None, say(fields.number(80))]
    customer_name: Annotated[Text | None, WithJsonSchema(fields.NAME)]
    prefix: Annotated[Prefix | None, say(fields.number(20))]
    endpoint: Annotated[Annotated[str, Field(max_length=80)] | None, say(fields.part(80))]
    action: Action | None
    caller_id: Annotated[Word | None, say(fields.CALLER, "where action has no CallerID")]
    create_recording: Annotated[bool | None, say({**fields.FLAG, "default": False})]
    recording_format: Annotated[Text | None, say(fields.RECORDING_FORMAT)]
    recording_path: Annotated[Text | None, say(fields.RECORDING_PATH)]
    mix_monitor_command: Annotated[Text | None, say(fields.PROFILE)]
    call_timeout: Annotated[Whole | None, say({**fields.SECONDS, "default": 30})]
    contact_number: Annotated[Contact | None, say(fields.CONTACT)]
    project: Annotated[Word | None, say(fields.WORD)]
    accountcode: Annotated[Text | None, say(fields.PLAIN, WHOM)]
    client_code: Annotated[Text | None, say(fields.PLAIN, WHOM)]


@with_config(_config("Account", []))
class Account(TypedDict, total=False):
    """A body that says nothing but whom a superuser acts for."""

    accountcode: Annotated[Text | None, say(fields.PLAIN, WHOM)]
    client_code: Annotated[Text | None, say(fields.PLAIN, WHOM)]


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
    no data, too many items or values."""
    return finish(read_batch(body))


def read_batch(body: bytes) -> Steps[Parsed]:
    """`parse_batch` in steps, none of which takes long: what is read at once was counted before."""
    values = count_values(body)
    if values > MOST_VALUES:
        named = body.count(b'"asterisk_server_code"')
        raise Refused([FieldError("body", TOO_MANY if named > MAX_BATCH else CROWDED)])
    refuse_no_numbers(body)
    yield
    if values <= _USUAL_VALUES:
        try:
            content: dict[str, Any] = dict(BATCH.validate_json(body))
        except (ValidationError, Unspelled):
            yield
        else:
            if not content.get("data"):
                raise Refused([FieldError("data", NO_DATA)])
            return Parsed(content, plain=_is_plain(body))
    return (yield from _read_batch_slowly(body))


def count_values(body: bytes) -> int:
    """At least as many as there are values in this JSON; those in texts count, for to tell them
    apart would take longer than the count is meant to spare."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _is_plain(body: bytes) -> bool:
    """In JSON a control character below U+0020 is always escaped, and others are not ASCII but
    for DEL: three quick looks at the bytes spare a search in every item."""
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def parse_quick_call(body: bytes) -> Parsed:
    """Read a quick call. Raises `Refused` when the body is no JSON object."""
    refuse_no_numbers(body)
    try:
        return Parsed(dict(QUICK_CALL.validate_json(body)))
    except (ValidationError, Unspelled):
        errors: list[FieldError] = []
        content = _validate(QUICK_CALL, _spell(read_object(body), errors, None), errors, None)
        return Parsed(content, errors)


def read_account(body: bytes) -> dict[str, Any]:
    """Read a body that may say whom a superuser acts for; an empty one says nothing. Raises
    `Refused`."""
    if not body.strip():
        return {}
    errors: list[FieldError] = []
    content = _validate(ACCOUNT, read_object(body), errors, None)
    if errors:
        raise Refused(errors)
    return content


def refuse_no_numbers(body: bytes) -> None:
    """Refuse NaN and Infinity, which are no JSON, where a model alone would not look at them."""
    if b"NaN" in body or b"Infinity" in body:
        read_object(body)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; `Refused` for anything else."""
    if not body.strip():
        raise Refused([FieldError("body", "Request body is required")])
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refused([FieldError("body", f"Request body is not valid JSON: {error}")]) from None
    if not isinstance(content, dict):
        raise Refused([FieldError("body", "Request body must be a JSON object")])
    return content


def _read_batch_slowly(body: bytes) -> Steps[Parsed]:
    raw = read_object(body)
    yield
    data = raw.pop("data", None)
    if data is None or data == []:
        raise Refused([FieldError("data", NO_DATA)])
    if not isinstance(data, list):
        raise Refused([FieldError("data", "must be a list of queue items")])
    if len(data) > MAX_BATCH:
        raise Refused([FieldError("data", TOO_MANY)])
    errors: list[FieldError] = []
    spelled: list[Any] = []
    for index, item in enumerate(data):
        spelled.append(_spell(item, errors, index) if isinstance(item, dict) else item)
        yield
    plain = _is_plain(body)
    try:
        return Parsed(dict(BATCH.validate_python({**raw, "data": spelled})), errors, plain)
    except ValidationError:
        yield
    return Parsed((yield from _collect(raw, spelled, errors)), errors, plain)


def _collect(
    raw: dict[str, Any], data: list[Any], errors: list[FieldError]
) -> Steps[dict[str, Any]]:
    """What of a batch has the right types; the rest becomes errors."""
    content = _validate(BATCH, raw, errors, None)
    items: list[dict[str, Any]] = []
    for index, item in enumerate(data):
        yield
        if isinstance(item, dict):
            items.append(_validate(ITEM, item, errors, index))
        else:
            errors.append(FieldError("data", "must be a JSON object", index))
            items.append({})
    return {
        key: items if key == "data" else content[key]
        for key in BatchRequest.__annotations__
        if key == "data" or key in content
    }


def _spell(item: dict[str, Any], errors: list[FieldError], index: int | None) -> dict[str, Any]:
    """The item with the keys of its action spelled as documented; unknown ones become errors."""
    action = item.get("action")
    if not isinstance(action, dict):
        return item
    if len(action) > _MOST_KEYS:
        most = len(Action.__annotations__)
        message = f"has {len(action)} keys, of which {most} at most can be known"
        errors.append(FieldError("action", message, index))
        return {**item, "action": {key: action[key] for key in _SPELLING.values() if key in action}}
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
        wrong = find_faults(error)
    left = {**raw}
    if isinstance(raw.get("action"), dict):
        left["action"] = {**raw["action"]}
    for place, message in wrong.items():
        errors.append(FieldError(".".join(place), message, index))
        target = left if len(place) == 1 else left["action"]
        target.pop(place[-1], None)
    return dict(adapter.validate_python(left))
