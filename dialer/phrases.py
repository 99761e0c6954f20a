"""What is wrong with a field, in a short sentence without its subject: the field is named beside.

pydantic's own texts are for programmers (they quote patterns, and name its types).
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

REQUIRED: Final = "Field required"
DIGITS: Final = "must be digits, 31 at most"
MOMENT: Final = "must be a date and time, as 2024-12-31T23:59:59Z"
_WHOLE: Final = "must be a whole number"
_FLAG: Final = "must be true or false"
_OF_FIELDS: Final = {"deadline": MOMENT, "contact_number": DIGITS}
_OF_TYPES: Final = {
    "bool_parsing": _FLAG,
    "bool_type": _FLAG,
    "dict_type": "must be a JSON object",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": REQUIRED,
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} entries",
    "value_error": "{error}",
}
_OTHER: Final = "is not valid"

Place = tuple[str, ...]


def find_faults(error: ValidationError) -> dict[Place, str]:
    """Each wrong field once, ("retry",) or ("action", "Timeout"), and what is wrong with it."""
    found: dict[Place, list[ErrorDetails]] = {}
    for entry in error.errors(include_url=False, include_input=False):
        names = [str(part) for part in entry["loc"]]
        found.setdefault(tuple(names[: 2 if names[0] == "action" else 1]), []).append(entry)
    return {place: _phrase(place, entries) for place, entries in found.items()}


def _phrase(place: Place, entries: list[ErrorDetails]) -> str:
    """Where a field may have one of several types, each says why it is not that: the first that
    says more than that counts."""
    told = _OF_FIELDS.get(place[-1])
    if told is not None:
        return told
    first = entries[0]["loc"]
    spot = first[len(place)] if len(first) > len(place) else None
    if not isinstance(spot, int):  # no entry of a list
        return _say(entries)
    same = [entry for entry in entries if entry["loc"][: len(place) + 1] == (*place, spot)]
    return f"entry {spot + 1} {_say(same)}"


def _say(entries: list[ErrorDetails]) -> str:
    more = (entry for entry in entries if not entry["type"].endswith("_type"))
    entry = next(more, entries[0])
    context: Mapping[str, Any] = entry.get("ctx", {})
    return _OF_TYPES.get(entry["type"], _OTHER).format_map(context)
