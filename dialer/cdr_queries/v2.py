"""The parameters of `GET /v2/cdr` (docs/cdr-apis.md).

A `scroll_id` carries everything: the row to go on after, how many came before it, and the filters,
so that it may be sent back alone. It is no secret and proves nothing; its client's rows are all
that it can lead to.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json

from dialer.dialects import CdrMapping
from dialer.dialects.v2_default import DIRECTIONS
from dialer.errors import FieldError, Refused
from dialer.histories import App, CdrQuery, Direction
from dialer.local_times import find_end, find_start

FILTERS: Final = (
    *("start_date", "end_date", "duration", "extension", "phone", "direction", "application"),
)
PAGES: Final = ("limit", "page", "offset", "scroll_id")
KEPT: Final = (*FILTERS, "mapping", "accountcode", "client_code")
"""What a `scroll_id` carries."""
DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1000
LONGEST: Final = 256
"""Characters of a parameter."""
LONGEST_SCROLL_ID: Final = 8192

MAX_NUMBER: Final = 10**9
_NO_TIME: Final = "must be YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted: `limit` rows. `after`: the row that was read last, when scrolling; `offset`:
    how many rows come before these. `mapping`: None where the client's own is to be taken."""

    limit: int
    offset: int
    scrolling: bool
    after: int | None
    mapping: CdrMapping | None
    kept: Mapping[str, str]


def unfold(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are given (empty ones are not), with those that a `scroll_id` carries and
    nothing else says. Raises `Refused`."""
    given = {name: value.strip() for name, value in params.items() if value.strip()}
    for name, value in given.items():
        if len(value) > (LONGEST_SCROLL_ID if name == "scroll_id" else LONGEST):
            raise _refused(name, "is too long")
    if "scroll_id" not in given:
        return given
    kept = _read_scroll(given["scroll_id"])["q"]
    return {name: value for name, value in kept.items() if name in KEPT} | given


def read_asked(given: Mapping[str, str]) -> Asked:
    """The page that is asked for by `unfold`ed parameters. Raises `Refused`."""
    limit = _number(given, "limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    page = _number(given, "page", 1, MAX_NUMBER)
    offset = _number(given, "offset", 0, MAX_NUMBER)
    kept = {name: given[name] for name in KEPT if name in given}
    mapping = _word(given, "mapping", {mapping.value: mapping for mapping in CdrMapping})
    paged = Asked(limit, 0, False, None, mapping, kept)
    if page is not None or offset is not None:
        if "scroll_id" in given:
            raise _refused("scroll_id", "goes with neither page nor offset")
        skipped = offset if offset is not None else ((page or 1) - 1) * limit
        return replace(paged, offset=skipped)
    if "scroll_id" not in given:
        return replace(paged, scrolling=True)
    told = _read_scroll(given["scroll_id"])
    return replace(paged, scrolling=True, offset=told["n"], after=told["a"])


def read_query(given: Mapping[str, str], client_id: int, zone: ZoneInfo) -> CdrQuery:
    """The filters among `unfold`ed parameters. Raises `Refused`."""
    app = _word(given, "application", {app.value: app for app in App})
    numbered = {str(number): Direction(name) for name, number in DIRECTIONS.items()}
    direction = _word(given, "direction", {way.value: way for way in Direction} | numbered)
    return CdrQuery(
        client_id=client_id,
        started_from=_moment(given, "start_date", zone, find_start),
        started_until=_moment(given, "end_date", zone, find_end),
        duration=_number(given, "duration", 0, MAX_NUMBER),
        extension=given.get("extension"),
        number=given.get("phone"),
        directions=None if direction is None else frozenset({direction}),
        apps=None if app is None else frozenset({app}),
    )


def write_scroll(asked: Asked, last_row: int, count: int) -> str:
    """The `scroll_id` with which the rows after `last_row` are asked for; `count` came with it."""
    content = {"a": last_row, "n": asked.offset + count, "q": dict(asked.kept)}
    return urlsafe_b64encode(to_json(content)).decode().rstrip("=")


def _read_scroll(text: str) -> dict[str, Any]:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        told = from_json(raw)
    except (binascii.Error, ValueError):
        raise _refused("scroll_id", "is none that was given out") from None
    if not (
        isinstance(told, dict)
        and set(told) == {"a", "n", "q"}
        and _is_number(told["a"])
        and _is_number(told["n"])
        and isinstance(told["q"], dict)
        and all(isinstance(value, str) and len(value) <= LONGEST for value in told["q"].values())
    ):
        raise _refused("scroll_id", "is none that was given out")
    return told


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _number(given: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise _refused(name, f"must be {low} to {high}")
    return int(text)


def _word(given: Mapping[str, str], name: str, known: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Any of the values of `known`."""
    text = given.get(name)
    if text is None:
        return None
    found = known.get(text.lower())
    if found is None:
        raise _refused(name, f"must be one of {', '.join(known)}")
    return found


def _moment(
    given: Mapping[str, str],
    name: str,
    zone: ZoneInfo,
    find: Callable[[str, ZoneInfo], float | None],
) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    moment = find(text, zone)
    if moment is None:
        raise _refused(name, _NO_TIME)
    return moment


def _refused(name: str, rule: str) -> Refused:
    return Refused([FieldError(name, rule)])
