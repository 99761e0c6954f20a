"""The parameters of the PBX's `/api/cdr`: `page` and 18 filters (docs/cdr-apis.md).

Null, empty texts and empty lists are no filter: PHP's clients name every filter and leave most
without a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.dialects.pbx import DIRECTION, DISPOSITIONS_OF
from dialer.histories import CdrQuery, Direction, HourWindow, Project
from dialer.local_times import find_end, find_start
from dialer.php_query import HASH, list_values

PAGE_SIZE: Final = 100
FILTERS: Final = (
    *("date_between", "project_id", "user_id", "inbound_route_id", "direction", "call_status"),
    *("telephone_like", "telephone", "source", "destination", "hour_between", "from_id"),
    *("uniqueid", "linkedid", "external_id", "has_transcription", "has_monitor_file"),
    *("has_recording_file",),
)
PARAMETERS: Final = ("page", "filters", HASH, "accountcode", "client_code")

_LONGEST: Final = 256  # characters of a value
_MOST: Final = 1000  # values of a list
_BIG: Final = 2**63 - 1
_HUGE: Final = 10**100  # Python spells no number of more than 4300 digits
_NOTHING: Final[frozenset[str]] = frozenset()
_DIRECTIONS: Final = {
    DIRECTION: Direction.OUTBOUND,
    "OUTBOUND": Direction.OUTBOUND,
    "IN": Direction.INBOUND,
    "INBOUND": Direction.INBOUND,
}
_FLAGS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_HOUR: Final = re.compile(r"([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)?", re.ASCII)
_DAY: Final = 86_400


class BadFilters(ValueError):
    """What is wrong with the parameters: the messages that are answered."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class _BadValue(ValueError):
    """A filter whose value is none for it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose calls are looked at, by which clock, and what their projects are numbered."""

    client_id: int
    zone: ZoneInfo
    projects: tuple[Project, ...] = ()

    def read(self, params: Mapping[str, Any]) -> tuple[CdrQuery, int]:
        """What nested parameters ask for, and the page, from 1. Raises `BadFilters`."""
        wrong = [name for name in params if name not in PARAMETERS and name[:1] != "_"]
        if wrong:
            raise BadFilters(*(f"Invalid parameter: {name[:80]}" for name in wrong[:_SHOWN]))
        given = read_filters(params)
        page = _read_page(params.get("page"))
        query, messages = CdrQuery(self.client_id), []
        for name, value in given.items():
            try:
                query = replace(query, **self._read(name, value, query))
            except _BadValue:
                messages.append(f"Invalid value of filter: {name}")
        if messages:
            raise BadFilters(*messages)
        return query, page

    def _read(self, name: str, value: object, query: CdrQuery) -> dict[str, Any]:
        """The fields of a query that one filter decides."""
        if name == "date_between":
            return self._read_dates(value)
        if name == "hour_between":
            return {"hours": _read_hours(value, self.zone)}
        if name == "project_id":
            return {"projects": self._read_projects(value)}
        if name in ("user_id", "inbound_route_id"):
            _read_texts(value)
            return {"dispositions": _NOTHING}  # no call has one
        if name == "call_status":
            words = [_choose(text.upper(), DISPOSITIONS_OF) for text in _read_texts(value)]
            return {"dispositions": frozenset().union(*words) & _kept(query)}
        if name == "direction":
            return {"directions": frozenset({_choose(_read_text(value).upper(), _DIRECTIONS)})}
        if name == "from_id":
            return {"from_id": _read_number(value)}
        if name in ("uniqueid", "linkedid"):
            return _read_uniqueid(_read_text(value), query)
        if name.startswith("has_"):
            return _read_flag(name, value, query)
        return {_TEXTS[name]: _read_text(value)}

    def _read_dates(self, value: object) -> dict[str, Any]:
        first, last = _read_pair(value)
        start = None if first is None else find_start(first, self.zone)
        end = None if last is None else find_end(last, self.zone)
        if (first is not None and start is None) or (last is not None and end is None):
            raise _BadValue
        return {"started_from": start, "started_until": end}

    def _read_projects(self, value: object) -> frozenset[str]:
        """By number, or by name."""
        known = {str(project.number): project.name for project in self.projects}
        return frozenset(known.get(text, text) for text in _read_texts(value))


_SHOWN: Final = 20  # messages of one answer
_TEXTS: Final = {
    "telephone_like": "number_part",
    "telephone": "number",
    "source": "source_part",
    "destination": "destination_part",
    "external_id": "call_id",
}


def read_filters(params: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that have a value. Raises `BadFilters` for names that are none."""
    filters = params.get("filters")
    if not isinstance(filters, Mapping):
        if _is_empty(filters):
            return {}
        raise BadFilters("Invalid filters")
    wrong = [name for name in filters if name not in FILTERS]
    if wrong:
        raise BadFilters(*(f"Invalid filter: {name[:80]}" for name in wrong[:_SHOWN]))
    return {name: value for name, value in filters.items() if not _is_empty(value)}


def _is_empty(value: object) -> bool:
    if isinstance(value, Mapping | list):
        return all(_is_empty(part) for part in list_values(value) or ())
    return value is None or (isinstance(value, str) and not value.strip())


def _kept(query: CdrQuery) -> frozenset[str]:
    """The dispositions that an earlier filter left."""
    every: frozenset[str] = frozenset().union(*DISPOSITIONS_OF.values())
    return every if query.dispositions is None else query.dispositions


def _read_page(value: object) -> int:
    if _is_empty(value):
        return 1
    try:
        page = _read_number(value)
    except _BadValue:
        page = 0
    if not 1 <= page <= 10**9:
        raise BadFilters("Invalid page")
    return page


def _read_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _BadValue
    text = str(value).strip() if not isinstance(value, int) or abs(value) < _HUGE else ""
    if not text or len(text) > _LONGEST:
        raise _BadValue
    return text


def _read_texts(value: object) -> list[str]:
    """One value, or a list of them."""
    values = list_values(value)
    if values is None:
        return [_read_text(value)]
    texts = [_read_text(part) for part in values if not _is_empty(part)]
    if len(texts) > _MOST:
        raise _BadValue
    return texts


def _read_pair(value: object) -> tuple[str | None, str | None]:
    values = list_values(value)
    if values is None or len(values) != 2:
        raise _BadValue
    first, last = (None if _is_empty(part) else _read_text(part) for part in values)
    return first, last


def _read_number(value: object) -> int:
    text = _read_text(value)
    if not (text.isascii() and text.isdigit()):
        raise _BadValue
    return min(int(text), _BIG)


def _read_hours(value: object, zone: ZoneInfo) -> HourWindow:
    """From the beginning of the first to the end of the last, as far as they are written."""
    first, last = _read_pair(value)
    start = 0 if first is None else _read_hour(first)[0]
    end = _DAY if last is None else _read_hour(last)[1]
    return HourWindow(start, end, zone.key)


def _read_hour(text: str) -> tuple[int, int]:
    """The seconds since midnight at which HH, HH:MM or HH:MM:SS begins, and at which it is over;
    24:00 is the day's end."""
    found = _HOUR.fullmatch(text)
    if found is None:
        raise _BadValue
    hour, minute, second = (int(part or 0) for part in found.groups())
    start = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or start > _DAY:
        raise _BadValue
    unit = 3600 if found[2] is None else 60 if found[3] is None else 1
    return start, min(start + unit, _DAY)


def _read_uniqueid(text: str, query: CdrQuery) -> dict[str, Any]:
    """Every call is related to itself alone: both filters name the same id."""
    if query.uniqueid is not None and query.uniqueid != text:
        return {"dispositions": _NOTHING}
    return {"uniqueid": text}


def _read_flag(name: str, value: object, query: CdrQuery) -> dict[str, Any]:
    """Nothing has been transcribed; a recording is monitored and a file at once."""
    wanted = value if isinstance(value, bool) else _choose(_read_text(value).lower(), _FLAGS)
    if name == "has_transcription":
        return {"dispositions": _NOTHING} if wanted else {}
    if query.recorded not in (None, wanted):
        return {"dispositions": _NOTHING}
    return {"recorded": wanted}


def _choose(text: str, known: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Any of the values of `known`."""
    if text not in known:
        raise _BadValue
    return known[text]
