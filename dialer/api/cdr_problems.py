"""The errors of the APIs that give CDRs in another API's shape, each with an example."""

from dataclasses import dataclass
from typing import Any, Final

from dialer.api.answers import METHOD_NOT_ALLOWED, SURPRISE, UNAVAILABLE
from dialer.api.ozonetel import (
    BAD_CREDENTIALS,
    ENDED,
    NO_CREDENTIALS,
    NO_JSON,
    TOO_MANY,
)
from dialer.api.pbx_cdr import BAD_HASH, UNREADABLE
from dialer.api.problems import Problem
from dialer.api.reading import TOO_LARGE
from dialer.api.tokens import EXPIRED, NOT_OURS
from dialer.api.v2_cdr import NO_CDR
from dialer.cdr_queries.ozonetel import BAD_CAMPAIGN, BAD_DATE, NO_DATES, NO_UCID


@dataclass(frozen=True, slots=True)
class ReportProblem(Problem):
    """An error of Ozonetel's reports; `argument`: an argument is at fault."""

    argument: bool = False

    @property
    def content(self) -> dict[str, Any]:
        if self.argument:
            return {"message": self.message, "status": "fail"}
        ended = {"data": None} if self.message == ENDED else {}
        return {"status": "false", "message": self.message} | ended


@dataclass(frozen=True, slots=True)
class PbxProblem(Problem):
    """An error of the PBX's API."""

    @property
    def content(self) -> dict[str, Any]:
        return {"has_error": True, "messages": [self.message], "pagination": [], "results": []}


HOLDER: Final = (
    Problem(401, "wrong_token", NOT_OURS),
    Problem(401, "ended_token", EXPIRED),
)
BAD_SEARCH: Final = (
    Problem(400, "date", "Validation failed", "start_date: must be YYYY-MM-DD"),
    Problem(400, "scroll", "Validation failed", "scroll_id: is none that was given out"),
)
NO_SUCH_CDR: Final = (Problem(404, "no_cdr", NO_CDR),)

_ANYWHERE: Final = (
    (405, "method", METHOD_NOT_ALLOWED),
    (413, "too_large", TOO_LARGE),
    (429, "too_many", "Too many requests"),
    (403, "not_active", "Client is not active"),
    (500, "fault", SURPRISE),
    (503, "unavailable", UNAVAILABLE),
)
REPORT_TOKENS: Final = (
    *(ReportProblem(*problem) for problem in _ANYWHERE),
    ReportProblem(400, "no_json", NO_JSON),
    ReportProblem(401, "missing", NO_CREDENTIALS),
    ReportProblem(401, "wrong", BAD_CREDENTIALS),
)
REPORTS: Final = (
    *REPORT_TOKENS,
    ReportProblem(401, "ended", ENDED),
    ReportProblem(400, "no_dates", NO_DATES, argument=True),
    ReportProblem(400, "bad_date", BAD_DATE.format(name="fromDate"), argument=True),
    ReportProblem(400, "no_campaign", BAD_CAMPAIGN, argument=True),
    ReportProblem(429, "too_many_reports", TOO_MANY, argument=True),
)
UCID: Final = (*REPORTS, ReportProblem(400, "no_ucid", NO_UCID, argument=True))
PBX: Final = (
    *(PbxProblem(*problem) for problem in _ANYWHERE),
    PbxProblem(400, "unreadable", UNREADABLE),
    PbxProblem(401, "wrong_key", "Invalid API key"),
    PbxProblem(401, "wrong_hash", BAD_HASH),
    PbxProblem(403, "no_account", "Account code is required for superuser"),
    PbxProblem(404, "no_client", "Client not found"),
    PbxProblem(409, "two_accounts", "accountcode and client_code name different clients"),
)
