"""The arguments of Ozonetel's three reports: a JSON body, and `pageNo` and `pageSize` of the query
(docs/cdr-apis.md)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.dialects.ozonetel import DISPOSITIONS_OF, QUICK_OF, Report, find_row
from dialer.histories import App, CdrQuery
from dialer.local_times import find_end, find_start, read_moment

MAX_DAYS_BACK: Final = 15
MAX_PAGE_SIZE: Final = 500
DEFAULT_PAGE_SIZE: Final = 100

NO_DATES: Final = "Missing fromDate and toDate"
NO_UCID: Final = "Missing ucid"
BAD_DATE: Final = "Invalid {name} format. Please pass the date in the format yyyy-MM-dd HH:mm:ss"
TWO_DAYS: Final = "fromDate and toDate must be of the same date"
BACKWARDS: Final = "toDate must not be before fromDate"
TOO_OLD: Final = f"fromDate must not be more than {MAX_DAYS_BACK} days back"
FUTURE: Final = "fromDate must not be in the future"
BAD_CAMPAIGN: Final = "Invalid campaignName"

FIELDS: Final = (
    *("fromDate", "toDate", "userName", "ucid", "monitorUCID", "campaignName", "callType"),
    *("status", "pageNo", "pageSize"),
)
_BATCHES: Final = frozenset({App.AUTODIALER, App.AUTOCALL})
_APPS: Final[dict[str, frozenset[App]]] = {
    word: frozenset() if quick is None else frozenset({App.DIAL}) if quick else _BATCHES
    for word, quick in QUICK_OF.items()
}
_LONGEST: Final = 256  # characters of an argument
_FORM: Final = len("yyyy-MM-dd HH:mm:ss")


class BadArgument(ValueError):
    """An argument that is missing or wrong; the text is the message that is answered."""


@dataclass(frozen=True, slots=True)
class AskedReport:
    """What is wanted. `query` is None where no call can meet it; `offset` and `limit` are of a
    paginated report, the others have everything."""

    query: CdrQuery | None
    offset: int = 0
    limit: int = 0


def read_report(
    report: Report,
    body: Mapping[str, Any],
    params: Mapping[str, str],
    client_id: int,
    *,
    zone: ZoneInfo,
    now: float,
    campaigns: Collection[str] = (),
) -> AskedReport:
    """What a report is asked for by its body and the parameters of its address; `campaigns` are
    the names that there are. Raises `BadArgument`."""
    given = {**_read_texts(body), **_read_texts(params)}
    unknown = next((name for name in given if name not in FIELDS and name[:1] != "_"), None)
    if unknown is not None:
        raise BadArgument(f"Invalid parameter: {unknown[:80]}")
    started_from, started_until = _read_dates(given, zone, now)
    if report is Report.UCID and "ucid" not in given:
        raise BadArgument(NO_UCID)
    campaign = given.get("campaignName")
    if campaign is not None and campaign not in campaigns:
        raise BadArgument(BAD_CAMPAIGN)
    row = _read_row(given)
    query = CdrQuery(
        client_id=client_id,
        started_from=started_from,
        started_until=started_until,
        dispositions=_word(given, "status", DISPOSITIONS_OF),
        apps=_word(given, "callType", _APPS),
        projects=None if campaign is None else frozenset({campaign}),
        id=row,
    )
    possible = row is not None or not {"ucid", "monitorUCID"} & set(given)
    asked = AskedReport(query if possible else None)
    if report is not Report.PAGINATED:
        return asked
    page = _number(given, "pageNo", 1, 10**9, 1)
    size = _number(given, "pageSize", 1, MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE)
    return AskedReport(asked.query, (page - 1) * size, size)


def _read_texts(given: Mapping[str, Any]) -> dict[str, str]:
    """What is given: null and empty texts are not, and numbers are texts."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if type(value) is int and -(2**63) <= value < 2**63:
            found[name] = str(value)
        elif isinstance(value, str) and len(value) <= _LONGEST:
            if value.strip():
                found[name] = value.strip()
        elif value is not None:
            raise BadArgument(f"Invalid {name[:80]}")
    return found


def _read_dates(given: Mapping[str, str], zone: ZoneInfo, now: float) -> tuple[float, float]:
    if "fromDate" not in given or "toDate" not in given:
        raise BadArgument(NO_DATES)
    first = _read_date(given, "fromDate")
    last = _read_date(given, "toDate")
    today = datetime.fromtimestamp(now, zone).date()
    if first.date() > today:
        raise BadArgument(FUTURE)
    if first.date() != last.date():
        raise BadArgument(TWO_DAYS)
    if last < first:
        raise BadArgument(BACKWARDS)
    if first.date() < today - timedelta(days=MAX_DAYS_BACK):
        raise BadArgument(TOO_OLD)
    start, end = find_start(given["fromDate"], zone), find_end(given["toDate"], zone)
    assert start is not None
    assert end is not None
    return start, end


def _read_date(given: Mapping[str, str], name: str) -> datetime:
    read = read_moment(given[name]) if len(given[name]) == _FORM else None
    if read is None:
        raise BadArgument(BAD_DATE.format(name=name))
    return read[0]


def _read_row(given: Mapping[str, str]) -> int | None:
    """The row of the one or two UCIDs that are given; None where there is none."""
    rows = {
        find_row(_number(given, name, 0, 2**63 - 1, 0))
        for name in ("ucid", "monitorUCID")
        if name in given
    }
    return rows.pop() if len(rows) == 1 else None


def _number(given: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise BadArgument(f"Invalid {name}")
    return int(text)


def _word(given: Mapping[str, str], name: str, known: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Any of the values of `known`, whose keys are compared in any case; None: not given."""
    if name not in given:
        return None
    folded = {word.lower(): value for word, value in known.items()}
    if given[name].lower() not in folded:
        raise BadArgument(f"Invalid {name}")
    return folded[given[name].lower()]
