"""The PBX's `/api/cdr`, by GET and POST (docs/cdr-apis.md).

Parameters are read from the body where there is one, else from the query, whatever type the body
says that it is of. Every error is that API's envelope.
"""

from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from pydantic_core import from_json

from dialer.api.answers import ApiError, answer
from dialer.api.auth import find_key, find_tenant, identify
from dialer.api.deps import deps_of
from dialer.api.reading import read_bytes
from dialer.api.records import Write, answer_records
from dialer.cdr_queries.pbx import PAGE_SIZE, BadFilters, Reader, read_filters
from dialer.dialects import View
from dialer.dialects.pbx import write_pbx
from dialer.histories import CdrPage
from dialer.multipart import is_multipart, parse_multipart
from dialer.php_query import BadParameters, check_hash, nest, parse_form

PREFIX: Final = "/api/cdr"
BAD_HASH: Final = "Invalid api_hash"
UNREADABLE: Final = "Invalid parameters"


class FilterError(ApiError):
    """What is wrong with the filters: told with HTTP 200, as that API does."""

    def __init__(self, messages: tuple[str, ...]) -> None:
        super().__init__(200, messages[0])
        self.messages = messages


async def search_cdrs(request: Request) -> Response:
    """A page of the client's CDRs, the oldest first."""
    key = find_key(request)
    caller = await identify(request, key)
    assert key is not None
    params = await _read_params(request)
    if not _is_signed(params, key):
        raise ApiError(401, BAD_HASH)
    nested = nest(params)
    client = await find_tenant(request, caller, nested)
    zone = ZoneInfo(client.timezone)
    store = deps_of(request).store
    try:
        asks_projects = "project_id" in read_filters(nested)
        projects = await store.projects(client.id) if asks_projects else ()
        query, page = Reader(client.id, zone, projects).read(nested)
    except BadFilters as error:
        raise FilterError(error.messages) from None
    found = await store.cdr_page(query, PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
    told = {"has_error": False, "messages": [], "pagination": _paginate(found, page)}
    return await answer_records(request, "results", found.rows, _writer(zone), before=told)


async def search_cdrs_by_post(request: Request) -> Response:
    """The same, by POST."""
    return await search_cdrs(request)


def write_error(error: ApiError) -> Response:
    """An error as clients of the PBX expect it."""
    messages = error.messages if isinstance(error, FilterError) else (error.message,)
    headers = error.headers
    if error.status == 405:  # the router tells the methods of one of the two routes
        headers = {**headers, "Allow": "GET, POST"}
    content = {"has_error": True, "messages": messages, "pagination": [], "results": []}
    return answer(content, error.status, headers)


async def _read_params(request: Request) -> dict[str, Any]:
    """As they were sent: nested, or with bracketed keys."""
    body = await read_bytes(request)
    try:
        if not body.strip():
            return parse_form(request.scope["query_string"].decode())
        if is_multipart(body):
            return parse_multipart(body)
        text = body.decode().strip()
        if not text.startswith("{"):
            return parse_form(text)
        params: dict[str, Any] = from_json(text, allow_inf_nan=False)
    except ValueError:  # BadParameters and UnicodeDecodeError are some
        raise ApiError(400, UNREADABLE) from None
    return params


def _is_signed(params: dict[str, Any], key: str) -> bool:
    try:
        return check_hash(params, key)
    except BadParameters:
        raise ApiError(400, UNREADABLE) from None


def _paginate(found: CdrPage, page: int) -> dict[str, int]:
    total = found.total or 0
    return {
        "row_count": total,
        "page_size": PAGE_SIZE,
        "current_page": page if total else 0,
        "max_page": -(-total // PAGE_SIZE),
    }


def _writer(zone: ZoneInfo) -> Write:
    return lambda row: write_pbx(row.cdr, View(zone=zone, row_id=row.id, quick=row.quick))
