"""Ozonetel's token and its three reports of CDRs (docs/cdr-apis.md).

Errors are that API's: `{"status": "false", "message"}` where the credentials are at fault or we
are, `{"message", "status": "fail"}` where the arguments are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import from_json

from dialer.api.answers import ApiError, answer
from dialer.api.auth import find_key
from dialer.api.deps import deps_of
from dialer.api.limits import RequestCounts, note_limit
from dialer.api.reading import read_bytes
from dialer.api.records import JSON, Write, answer_records, write_records
from dialer.api.tokens import EXPIRED, identify_holder, issue_token
from dialer.cdr_queries.ozonetel import AskedReport, BadArgument, read_report
from dialer.dialects import View
from dialer.dialects.ozonetel import Report, write_report_row
from dialer.histories import CdrPage
from dialer.store.contract import Client

PREFIXES: Final = ("/ca_reports", "/ca_apis")
NO_JSON: Final = "Invalid Json Pass Valid Json"
NO_CREDENTIALS: Final = "Missing userName or apiKey"
BAD_CREDENTIALS: Final = "userName or apiKey is Invalid"
ENDED: Final = "Token Expired"
TOO_MANY: Final = "Too many requests"
DONE: Final = "success"


class ReportError(ApiError):
    """What is wrong with a report's arguments, or that it was asked for too often."""


async def issue_report_token(request: Request) -> Response:
    """A token for an API key (header `apiKey`) and its client's username."""
    key = _header_key(request)
    body = await _read_json(request)
    await _identify(request, key, body)
    assert key is not None
    try:
        token = await issue_token(request, key)
    except ApiError as error:
        raise ApiError(error.status, BAD_CREDENTIALS) from None
    return answer({"token": token})


async def report_details(request: Request) -> Response:
    """All calls of a day."""
    asked, zone = await _read(request, Report.DETAILS)
    return await _stream(request, asked, zone, Report.DETAILS)


async def report_ucid(request: Request) -> Response:
    """The call of one UCID."""
    asked, zone = await _read(request, Report.UCID)
    return await _stream(request, asked, zone, Report.UCID)


async def report_page(request: Request) -> Response:
    """A page of the calls of a day, and how many there are."""
    asked, zone = await _read(request, Report.PAGINATED)
    page = CdrPage((), 0, None)
    if asked.query is not None:
        store = deps_of(request).store
        page = await store.cdr_page(asked.query, asked.limit, offset=asked.offset)
    told = {"status": DONE, "message": DONE, "totalCount": page.total}
    write = _writer(zone, Report.PAGINATED)
    return await answer_records(request, "details", page.rows, write, after=told)


REPORTS: Final[dict[Report, Callable[[Request], Awaitable[Response]]]] = {
    Report.DETAILS: report_details,
    Report.UCID: report_ucid,
    Report.PAGINATED: report_page,
}


def write_error(error: ApiError) -> Response:
    """An error as clients of the reports expect it."""
    if isinstance(error, ReportError):
        content: dict[str, Any] = {"message": error.message, "status": "fail"}
    else:
        content = {"status": "false", "message": error.message}
    if error.message == ENDED:
        content["data"] = None
    return answer(content, error.status, error.headers)


async def _read(request: Request, report: Report) -> tuple[AskedReport, ZoneInfo]:
    """What is asked for, by whoever may ask, and the clock that it is told by."""
    credential = find_key(request) or _header_key(request)
    if credential is None:
        raise ApiError(401, NO_CREDENTIALS)
    body = await _read_json(request)
    client = await _identify(request, credential, body)
    zone = ZoneInfo(client.timezone)
    deps = deps_of(request)
    campaigns = (
        {project.name for project in await deps.store.projects(client.id)}
        if body.get("campaignName")
        else ()
    )
    params = dict(request.query_params)
    now = deps.clock.now()
    try:
        asked = read_report(
            report, body, params, client.id, zone=zone, now=now, campaigns=campaigns
        )
    except BadArgument as error:
        raise ReportError(400, str(error)) from None
    _count_report(request, client)
    return asked, zone


async def _read_json(request: Request) -> dict[str, Any]:
    try:
        body = from_json(await read_bytes(request), allow_inf_nan=False)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, NO_JSON)
    return body


def _header_key(request: Request) -> str | None:
    return request.headers.get("apikey", "").strip() or None


async def _identify(request: Request, credential: str | None, body: dict[str, Any]) -> Client:
    """The client that a token or key is of, when it is the one that the body names."""
    username = body.get("userName")
    if credential is None or username is None or username == "":
        raise ApiError(401, NO_CREDENTIALS)
    try:
        client = await identify_holder(request, credential)
    except ApiError as error:
        if error.status != 401:
            raise
        expired = error.message == EXPIRED
        raise ApiError(401, ENDED if expired else BAD_CREDENTIALS) from None
    if username != client.username:
        raise ApiError(401, BAD_CREDENTIALS)
    return client


def _count_report(request: Request, client: Client) -> None:
    """Count a report against the client's reports a minute. One that was refused for its arguments
    does not count: it read nothing."""
    deps = deps_of(request)
    limit = deps.share(deps.settings.reports_per_minute)
    if not limit:
        return
    counts: RequestCounts = request.app.state.report_counts
    allowance = counts.of(client.id).take(limit, deps.clock.monotonic())
    note_limit(request, allowance)
    if not allowance.allowed:
        wait = max(1, ceil(allowance.wait))
        raise ReportError(429, TOO_MANY, headers={"Retry-After": str(wait)})


async def _stream(request: Request, asked: AskedReport, zone: ZoneInfo, report: Report) -> Response:
    """Everything, a piece at a time: a day may have more than fits into memory. The first piece is
    read before the answer begins, so that a store that fails is told."""
    if asked.query is None:
        return answer({"details": [], "status": DONE, "message": DONE})
    pieces = deps_of(request).store.cdr_stream(asked.query)
    first = await anext(pieces, None) or ()

    write = _writer(zone, report)

    async def send() -> AsyncIterator[bytes]:
        yield b'{"details":[' + await write_records(request, first, write)
        between = b"," if first else b""
        async for rows in pieces:
            if rows:
                yield between + await write_records(request, rows, write)
                between = b","
        yield f'],"status":"{DONE}","message":"{DONE}"}}'.encode()

    return StreamingResponse(send(), media_type=JSON)


def _writer(zone: ZoneInfo, report: Report) -> Write:
    return lambda row: write_report_row(
        row.cdr, View(zone=zone, row_id=row.id, quick=row.quick), report
    )
