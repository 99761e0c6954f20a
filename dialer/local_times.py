"""Dates and times that other APIs' clients write: by the clock on the wall of the client's zone,
`YYYY-MM-DD HH:MM:SS` or a date alone. Pure.

An hour that the clocks show twice is wholly in a span that begins or ends in it: spans are never
narrower than what was meant.
"""

import re
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_WRITTEN: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?))?", re.ASCII
)
_MIDNIGHT: Final = "00:00:00"
_EARLIEST, _LATEST = date(1970, 1, 2), date(9998, 12, 31)  # any zone's offset fits beside


def read_moment(text: str) -> tuple[datetime, bool] | None:
    """The time that `text` is, without zone, and whether it is a date alone; None for none."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]} {found[2] or _MIDNIGHT}")
    except ValueError:
        return None
    if not _EARLIEST <= moment.date() <= _LATEST:
        return None
    return moment, found[2] is None


def find_start(text: str, zone: ZoneInfo) -> float | None:
    """The epoch second with which a span begins that begins at `text`; None for no time."""
    read = read_moment(text)
    if read is None:
        return None
    return read[0].replace(tzinfo=zone).timestamp()


def find_end(text: str, zone: ZoneInfo) -> float | None:
    """The epoch second before which a span ends that ends with `text`: the whole of its last
    second is in it, and of a date alone the whole day. None for no time."""
    read = read_moment(text)
    if read is None:
        return None
    moment, whole_day = read
    after = moment + (timedelta(days=1) if whole_day else timedelta(0))
    end = after.replace(tzinfo=zone, fold=0 if whole_day else 1).timestamp()
    return end if whole_day else end + 1
