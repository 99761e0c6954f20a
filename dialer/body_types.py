"""The values of request bodies as types: what pydantic takes for each field."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, StrictInt, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from dialer import fields

_BIG: Final = 2**63 - 1
_MOST_DIGITS: Final = 10**18 - 1
_NUMERAL: Final = re.compile(fields.NUMERAL)

Text = Annotated[str, Field(max_length=255)]
Line = Annotated[str, Field(max_length=1022)]


def refuse_bool(value: object) -> object:
    """A validator that runs before the one for integers, which would take a boolean for one."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def check_whole(value: object) -> object:
    """A validator that runs before the one for integers: of texts only plain digits."""
    if isinstance(value, str) and not _NUMERAL.fullmatch(value):
        raise ValueError("must be a whole number")
    return refuse_bool(value)


def write_number(value: object) -> object:
    """A validator that runs before the one for texts: an integer becomes its digits."""
    number = read_whole_float(value)
    return str(number) if type(number) is int and 0 <= number <= _MOST_DIGITS else value


def read_whole_float(value: object) -> object:
    """A validator that runs before the one for integers: 7.0 is one in JSON Schema."""
    return int(value) if type(value) is float and value.is_integer() else value


# An integer, or its digits as text: strictly first, which costs no Python call.
_Count = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[
    Annotated[_Count, Field(strict=True)] | Annotated[_Count, BeforeValidator(check_whole)],
    Field(union_mode="left_to_right"),
]
_Whole = Annotated[int, Field(ge=-_BIG, le=_BIG)]
Whole = Annotated[
    Annotated[_Whole, Field(strict=True)] | Annotated[_Whole, BeforeValidator(check_whole)],
    Field(union_mode="left_to_right"),
]
# Text, or a number: what has only digits is a number to many clients.
Word = Annotated[
    Text | Annotated[Text, BeforeValidator(write_number)], Field(union_mode="left_to_right")
]
Did = Annotated[str, Field(min_length=1, max_length=80), BeforeValidator(write_number)]
Number = Annotated[str, Field(max_length=80), BeforeValidator(write_number)]
Prefix = Annotated[str, Field(max_length=20), BeforeValidator(write_number)]


class _Moment:
    """Narrows a datetime to texts of `fields.MOMENT`, without a Python call."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        texts = core_schema.str_schema(pattern=f"^(?:{fields.MOMENT})$")
        return core_schema.chain_schema([texts, handler(source)])


Moment = Annotated[datetime, _Moment()]
_Digits = Annotated[StrictInt, Field(ge=0, le=10**31 - 1)]
Contact = (
    _Digits
    | Annotated[str, Field(max_length=32)]
    | Annotated[_Digits, BeforeValidator(read_whole_float)]
)


def say(schema: fields.Schema, description: str = "") -> WithJsonSchema:
    """What the OpenAPI description says of a field that may be null."""
    told = {key: schema[key] for key in ("description", "examples", "default") if key in schema}
    if description:
        told["description"] = description
    rule = {key: value for key, value in schema.items() if key not in told}
    return WithJsonSchema(fields.or_null(rule, **told))
