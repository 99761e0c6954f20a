"""CDRs of other telephony systems, as `PUT /cdrtosgapi` takes them (docs/gateway.md).

What is wrong is told in the order of the documented codes: types first, then uuid, times,
disposition, and last the rules between and about values. Nothing is repaired but what has one
meaning: times become UTC, words of any of our APIs become our own.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from math import isinf
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    with_config,
)
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from ami import Disposition
from dialer import fields
from dialer.bodies import read_object
from dialer.body_types import read_whole_float, say
from dialer.delivery.timestamps import format_seconds
from dialer.errors import DialerError, Refused
from dialer.phrases import find_faults
from dialer.policy import has_control
from dialer.store.records import ForeignCdr


class Code(StrEnum):
    """Error codes of the document that a request can have, in its order, and two for what it says
    nothing of."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_UUID = "INVALID_UUID"
    INVALID_TIMESTAMP = "INVALID_TIMESTAMP"
    INVALID_DISPOSITION = "INVALID_DISPOSITION"
    UNAUTHORIZED = "UNAUTHORIZED"
    NOT_FOUND = "NOT_FOUND"
    DUPLICATE_CDR = "DUPLICATE_CDR"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SGAPI_UNAVAILABLE = "SGAPI_UNAVAILABLE"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"


class Unfit(DialerError):
    """A CDR that is not taken. `details` is one line that names field and rule; `uuid` is known
    where everything before the rules was right."""

    def __init__(self, code: Code, details: str, uuid: str | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.uuid = uuid


MOST_DIGITS: Final = 80
MOST_TEXT: Final = 255
MOST_URL: Final = 2048
MOST_SECONDS: Final = 2**31 - 1
DEEPEST: Final = 16
"""Levels of custom_data, itself the first."""
MOST_VALUES: Final = 1000
"""Values in custom_data, at all levels."""
ENTITY_PATTERN: Final = r"[A-Za-z0-9_\-]{1,64}"
UUID_PATTERN: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ENTITY: Final = re.compile(ENTITY_PATTERN)
_UUID: Final = re.compile(UUID_PATTERN)
_MOMENT: Final = re.compile(fields.MOMENT)
_FINER: Final = re.compile(r"([.][0-9]{6})[0-9]+")

DISPOSITIONS: Final[Mapping[str, Disposition]] = MappingProxyType(
    {
        **{word.value: word for word in Disposition},
        # SGAPI's and the PBX's; the words that are ours in another case need no line.
        "no answer": Disposition.NO_ANSWER,
        # /v2/cdr, flex and default mapping.
        "no-answered": Disposition.NO_ANSWER,
        "no_answered": Disposition.NO_ANSWER,
        "not_available": Disposition.NOT_AVAILABLE,
        # Ozonetel's.
        "notanswered": Disposition.NO_ANSWER,
    }
)
"""The words of all our APIs, in lower case, and what each means."""

DIRECTIONS: Final = ("inbound", "outbound")


def _phone(least: int) -> WithJsonSchema:
    return WithJsonSchema({**fields.PLAIN, "minLength": least, "maxLength": MOST_DIGITS})


def _text(limit: int) -> WithJsonSchema:
    return say({**fields.PLAIN, "maxLength": limit})


_TIME: Final = WithJsonSchema(
    fields.text(
        fields.MOMENT,
        description="without a zone: the client's; kept in UTC, to the second",
        examples=["2024-01-15T10:30:00Z"],
    )
)
_SECONDS: Final = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MOST_SECONDS})
_WORD: Final = WithJsonSchema(
    fields.text(
        fields.in_any_case(DISPOSITIONS),
        description="a disposition of SGAPI, of our own, of /v2/cdr, Ozonetel or the PBX",
        examples=["ANSWERED", "NO ANSWER", "BUSY"],
    )
)
_WAY: Final = say(fields.text(fields.in_any_case([*DIRECTIONS, ""]), examples=list(DIRECTIONS)))
_CUSTOM: Final = say(
    {"type": "object", "additionalProperties": True},
    f"{DEEPEST} levels and {MOST_VALUES} values at most",
)


REQUIRED: Final = (
    *("uuid", "caller_id", "called_number", "start_time", "end_time", "duration"),
    "disposition",
)


@with_config(
    ConfigDict(
        title="CdrRequest",
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={
            "description": "A CDR. It may not end before it starts.",
            "required": list(REQUIRED),
        },
    )
)
class CdrRequest(TypedDict, total=False):
    """The body of `PUT /cdrtosgapi`; keys that are not documented are left alone."""

    uuid: Annotated[
        StrictStr,
        WithJsonSchema(fields.text(UUID_PATTERN, description="unique, whatever its case")),
    ]
    caller_id: Annotated[StrictStr, _phone(0)]
    called_number: Annotated[StrictStr, _phone(1)]
    start_time: Annotated[StrictStr, _TIME]
    end_time: Annotated[StrictStr, _TIME]
    duration: Annotated[StrictInt, BeforeValidator(read_whole_float), _SECONDS]
    disposition: Annotated[StrictStr, _WORD]
    direction: Annotated[StrictStr | None, _WAY]
    queue_id: Annotated[StrictStr | None, _text(MOST_TEXT)]
    agent_id: Annotated[StrictStr | None, _text(MOST_TEXT)]
    recording_url: Annotated[StrictStr | None, _text(MOST_URL)]
    custom_data: Annotated[dict[str, Any] | None, Field(strict=True), _CUSTOM]


BODY: Final = TypeAdapter(CdrRequest)

_LIMITS: Final = {
    "caller_id": MOST_DIGITS,
    "called_number": MOST_DIGITS,
    "queue_id": MOST_TEXT,
    "agent_id": MOST_TEXT,
    "recording_url": MOST_URL,
}


def read_uuid(text: str) -> str:
    """A UUID in lower case. Raises `Unfit` INVALID_UUID."""
    if not _UUID.fullmatch(text):
        raise Unfit(Code.INVALID_UUID, "uuid: must be 8-4-4-4-12 hexadecimal digits")
    return text.lower()


def read_cdr(
    body: bytes, entity: str | None, zone: tzinfo, client_id: int, cdr_id: str, now: float
) -> ForeignCdr:
    """The CDR that a request puts. `zone` is for times that name none. Raises `Unfit`."""
    given = _read_fields(body)
    uuid = read_uuid(given["uuid"])
    started, ended = (_read_time(name, given[name], zone) for name in ("start_time", "end_time"))
    disposition = DISPOSITIONS.get(given["disposition"].lower())
    if disposition is None:
        raise Unfit(Code.INVALID_DISPOSITION, "disposition: is no word of any of our APIs")
    fault = _find_fault(given, entity, ended < started)
    if fault is not None:
        raise Unfit(Code.VALIDATION_ERROR, fault, uuid)
    content: dict[str, Any] = {
        "caller_id": given["caller_id"],
        "called_number": given["called_number"],
        "start_time": format_seconds(started.timestamp()),
        "end_time": format_seconds(ended.timestamp()),
        "duration": given["duration"],
        "disposition": disposition.value,
    }
    if given.get("direction"):
        content["direction"] = given["direction"].lower()
    for name in ("queue_id", "agent_id", "recording_url", "custom_data"):
        if given.get(name):
            content[name] = given[name]
    return ForeignCdr(client_id, uuid, cdr_id, entity, content, now)


def _read_fields(body: bytes) -> dict[str, Any]:
    """The documented fields, each of its type; null is as good as absent."""
    try:
        raw = read_object(body)
    except Refused as refused:
        raise Unfit(Code.INVALID_REQUEST, refused.errors[0].message) from None
    present = {name: value for name, value in raw.items() if value is not None}
    missing = [name for name in REQUIRED if name not in present]
    if missing:
        raise Unfit(Code.INVALID_REQUEST, f"{missing[0]}: Field required")
    try:
        return dict(BODY.validate_python(present))
    except ValidationError as error:
        (name, *_), told = next(iter(find_faults(error).items()))
        raise Unfit(Code.INVALID_REQUEST, f"{name}: {told}") from None


def _read_time(name: str, text: str, zone: tzinfo) -> datetime:
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(_FINER.sub(r"\1", text.upper()))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit(
            Code.INVALID_TIMESTAMP, f"{name}: must be a date and time, as 2024-01-15T10:30:00Z"
        ) from None


def _find_fault(given: dict[str, Any], entity: str | None, ends_early: bool) -> str | None:
    """What breaks a rule, or None."""
    if ends_early:
        return "end_time: is before start_time"
    if not 0 <= given["duration"] <= MOST_SECONDS:
        return f"duration: must be 0 to {MOST_SECONDS} seconds"
    if (given.get("direction") or DIRECTIONS[0]).lower() not in DIRECTIONS:
        return "direction: must be 'inbound' or 'outbound'"
    if entity is not None and not _ENTITY.fullmatch(entity):
        return "entity: must be 1 to 64 letters, digits, - and _"
    if not given["called_number"]:
        return "called_number: must not be empty"
    for name, limit in _LIMITS.items():
        text = given.get(name) or ""
        if len(text) > limit:
            return f"{name}: must have at most {limit} characters"
        if has_control(text):
            return f"{name}: must not hold control characters"
    return _find_custom_fault(given.get("custom_data") or {})


def _find_custom_fault(custom_data: dict[str, Any]) -> str | None:
    """Level by level: a body nests as deep as it is long, deeper than Python calls may."""
    level: list[Any] = [custom_data]
    count = 0
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            inner += value.values() if isinstance(value, dict) else value
        count += len(inner)
        if count > MOST_VALUES:
            return f"custom_data: must have at most {MOST_VALUES} values"
        if any(isinstance(value, float) and isinf(value) for value in inner):
            return "custom_data: holds a number that is too large"
        level = [value for value in inner if isinstance(value, dict | list)]
    return f"custom_data: must have at most {DEEPEST} levels" if level else None
