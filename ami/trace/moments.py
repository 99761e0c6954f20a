"""Times as logs and JSON files write them → epoch seconds. Without a zone they are read as UTC."""

import re
from datetime import UTC, datetime
from typing import Final

# A log line without a year: a leap year that is plainly not the year of the call.
NO_YEAR: Final = 1972
# Epoch seconds of the year 10,000: a number above is damaged, or no time.
NEVER: Final = 253_402_300_800.0

_ISO: Final = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?"
)
_SYSLOG: Final = re.compile(
    r"(?:\b|(?<=_))(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+(\d{1,2})\s+(?:(\d{4})\s+)?"
    r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
)
_EPOCH: Final = re.compile(r"(?<![\d.])(\d{9,10})(\.\d{1,9})?(?![\d.])")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def read_moment(text: str) -> float | None:
    """The first time in `text`: ISO 8601, `Nov 13 23:14:58` or epoch seconds; None without."""
    try:
        if (iso := _ISO.search(text)) is not None:
            return _from_iso(iso)
        if (syslog := _SYSLOG.search(text)) is not None:
            return _from_syslog(syslog)
    except ValueError:
        return None
    if (epoch := _EPOCH.search(text)) is not None:
        return float(epoch[0])
    return None


def bound_moment(at: float) -> float | None:
    """Epoch seconds that may be a time; None for 0, which says that none is known, and others."""
    return at if 0 < at < NEVER else None


def _from_iso(found: re.Match[str]) -> float:
    day = [int(part) for part in found.groups()[:6]]
    at = _epoch(*day) + _fraction(found[7])
    zone = found[8]
    if zone is None or zone == "Z":
        return at
    ahead = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return at - ahead if zone[0] == "+" else at + ahead


def _from_syslog(found: re.Match[str]) -> float:
    month = _MONTHS.index(found[1]) + 1
    year = int(found[3]) if found[3] else NO_YEAR
    clock = (int(found[4]), int(found[5]), int(found[6]))
    return _epoch(year, month, int(found[2]), *clock) + _fraction(found[7])


def _epoch(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    leap = 1 if second == 60 else 0
    moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    return moment.timestamp() + leap


def _fraction(digits: str | None) -> float:
    return float(f"0.{digits}") if digits else 0.0
