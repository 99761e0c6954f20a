"""What the OpenAPI description says of the routes that give CDRs in another API's shape (see
`operations.py`)."""

from typing import Any, Final

from dialer.api import cdr_examples as examples
from dialer.api import cdr_problems, cdr_schemas
from dialer.api.operations import ACCOUNT, Operation, Parameter
from dialer.api.problems import BAD_QUERY, FOR_A_CLIENT, KEYED, WITH_BODY, wrong
from dialer.cdr_queries.v2 import LONGEST, MAX_LIMIT, MAX_NUMBER
from dialer.dialects import CdrMapping
from dialer.dialects.ozonetel import Report
from dialer.dialects.v2_default import DIRECTIONS
from dialer.histories import App
from dialer.phrases import REQUIRED

_DAY: Final = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_MOMENT: Final = {"type": "string", "pattern": f"^({_DAY}( {_TIME})?)?$"}
_TEXT: Final = {"type": "string", "maxLength": LONGEST}


def _whole(low: int, high: int, **more: object) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high, **more}


def _words(words: type[App] | type[CdrMapping]) -> dict[str, Any]:
    return {"type": "string", "enum": [word.value for word in words]}


_DIRECTION: Final = {"type": "string", "enum": [*DIRECTIONS, *map(str, DIRECTIONS.values())]}
MAPPING: Final = Parameter(
    "mapping", "the shape of the records; else the client's", _words(CdrMapping), "default"
)
V2_PARAMETERS: Final = (
    Parameter("start_date", "calls that began then or later", _MOMENT, "2021-02-18"),
    Parameter("end_date", "calls that began then or before", _MOMENT, "2021-02-19 00:00:00"),
    Parameter("duration", "seconds, exactly", _whole(0, MAX_NUMBER), 10),
    Parameter("extension", "the second leg's endpoint", _TEXT, "101"),
    Parameter("phone", "the number called, or called from", _TEXT, "0899888999"),
    Parameter("direction", "all calls are outbound (3)", _DIRECTION, "outbound"),
    Parameter("application", "what the call was for", _words(App), "autocall"),
    Parameter("limit", "records of an answer", _whole(1, MAX_LIMIT, default=10), 50),
    Parameter("page", "from 1; without it and offset: scrolling", _whole(1, MAX_NUMBER), 1),
    Parameter("offset", "records before these; beats page", _whole(0, MAX_NUMBER), 0),
    MAPPING,
    *ACCOUNT,
)
CDR_ID: Final = Parameter(
    "cdr_id",
    "the CDR's id, or the Call-ID of its SIP messages",
    {"type": "string", "minLength": 1},
    "018cc4f5-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    required=True,
    place="path",
)
REPORT_PAGE: Final = (
    Parameter("pageNo", "from 1", _whole(1, 10**9, default=1), 1),
    Parameter("pageSize", "calls of a page", _whole(1, 500, default=100), 100),
)
_REPORTS: Final = "CDRs: reports"
_KEYS: Final = ("bearer", "reportKey")


def _report(report: Report) -> Operation:
    paginated, ucid = report is Report.PAGINATED, report is Report.UCID
    first = examples.UCID_REPORT if ucid else examples.REPORT
    return Operation(
        _REPORTS,
        cdr_schemas.PaginatedReport if paginated else cdr_schemas.ReportAnswer,
        examples.show_report(report),
        cdr_problems.UCID if ucid else cdr_problems.REPORTS,
        body="ReportRequest",
        requests={"day": first} | ({} if ucid else {"filtered": examples.FILTERED_REPORT}),
        parameters=REPORT_PAGE if paginated else (),
        failure=cdr_schemas.ReportFailure,
        security=_KEYS,
    )


def _search(*, body: bool) -> Operation:
    return Operation(
        "CDRs: /api/cdr",
        cdr_schemas.PbxAnswer,
        examples.FOUND,
        cdr_problems.PBX,
        body="PbxRequest" if body else None,
        requests={"nested": examples.SEARCH, "flat": examples.FLAT_SEARCH} if body else {},
        parameters=() if body else SEARCH_PARAMETERS,
        failure=cdr_schemas.PbxFailure,
        security=("bearer",),
    )


SEARCH_PARAMETERS: Final = (
    Parameter("page", "from 1", {}, 1),
    Parameter("filters[date_between][0]", "calls from", {}, "2024-01-01 00:00:00"),
    Parameter("filters[date_between][1]", "calls until", {}, "2024-01-15 23:59:59"),
    Parameter(
        "api_hash",
        "md5 over http_build_query and the API key",
        {},
        "ff9a6b157cb1f79db73e7507635f878a",
    ),
)
CDR_OPERATIONS: Final[dict[str, Operation]] = {
    "issue_v2_token": Operation(
        "CDRs: /v2/cdr",
        cdr_schemas.TokenAnswer,
        examples.TOKEN,
        (*KEYED, *WITH_BODY, wrong("no_api_key", "api_key", REQUIRED)),
        body="KeyHolder",
        requests={"key": examples.KEY_HOLDER},
        keyed=False,
    ),
    "list_cdrs": Operation(
        "CDRs: /v2/cdr",
        cdr_schemas.CdrList,
        examples.CDRS,
        (*KEYED, *FOR_A_CLIENT, *cdr_problems.HOLDER, *BAD_QUERY, *cdr_problems.BAD_SEARCH),
        parameters=V2_PARAMETERS,
    ),
    "show_cdr": Operation(
        "CDRs: /v2/cdr",
        cdr_schemas.OneCdr,
        examples.RECORD,
        (*KEYED, *FOR_A_CLIENT, *cdr_problems.HOLDER, *BAD_QUERY, *cdr_problems.NO_SUCH_CDR),
        parameters=(CDR_ID, MAPPING, *ACCOUNT),
    ),
    "issue_report_token": Operation(
        _REPORTS,
        cdr_schemas.ReportToken,
        examples.REPORT_TOKEN,
        cdr_problems.REPORT_TOKENS,
        body="ReportHolder",
        requests={"user": examples.REPORT_HOLDER},
        failure=cdr_schemas.ReportFailure,
        security=("reportKey",),
    ),
    "report_details": _report(Report.DETAILS),
    "report_ucid": _report(Report.UCID),
    "report_page": _report(Report.PAGINATED),
    "search_cdrs": _search(body=False),
    "search_cdrs_by_post": _search(body=True),
}
