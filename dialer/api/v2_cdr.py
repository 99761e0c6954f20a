"""`/v2/cdr`: CDRs in default and flex mapping, by pages or scrolling (docs/cdr-apis.md).

Errors are in our own format.
"""

from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from dialer.access_tokens import LIFETIME
from dialer.api.answers import ApiError, answer
from dialer.api.auth import find_key, find_tenant, identify
from dialer.api.deps import deps_of
from dialer.api.reading import read_body, refuse_unknown
from dialer.api.records import Write, answer_records
from dialer.api.tokens import identify_holder, issue_token
from dialer.bodies import read_object
from dialer.cdr_queries import v2
from dialer.cdr_queries.v2 import Asked
from dialer.dialects import CdrMapping, View
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from dialer.errors import FieldError, Refused
from dialer.histories import CdrPage, CdrQuery
from dialer.phrases import REQUIRED
from dialer.store.contract import Client

NO_CDR: Final = "CDR not found"
_LONGEST_ID: Final = 512


async def issue_v2_token(request: Request) -> Response:
    """A token for an API key."""
    body = read_object(await read_body(request))
    key = body.get("api_key")
    if not isinstance(key, str) or not key.strip():
        raise Refused([FieldError("api_key", REQUIRED if not key else "must be a string")])
    await identify(request, key.strip())
    token = await issue_token(request, key.strip())
    return answer({"token": token, "token_type": "Bearer", "expires_in": LIFETIME})


async def list_cdrs(request: Request) -> Response:
    """The client's CDRs, the oldest first."""
    caller = await identify_holder(request, find_key(request))
    refuse_unknown(request, *v2.FILTERS, *v2.PAGES, "mapping")
    given = v2.unfold(request.query_params)
    client = await find_tenant(request, caller, dict(given))
    asked = v2.read_asked(given)
    query = v2.read_query(given, client.id, ZoneInfo(client.timezone))
    offset = 0 if asked.after is not None else asked.offset
    store = deps_of(request).store
    page = await store.cdr_page(query, asked.limit, after=asked.after, offset=offset)
    return await _answer_page(request, asked, page, client)


async def show_cdr(request: Request, cdr_id: str) -> Response:
    """One CDR, by its id or by the Call-ID of its SIP messages."""
    caller = await identify_holder(request, find_key(request))
    refuse_unknown(request, "mapping")
    given = v2.unfold(request.query_params)
    client = await find_tenant(request, caller, dict(given))
    asked = v2.read_asked(given)
    wanted = cdr_id.removesuffix("/")
    if not 0 < len(wanted) <= _LONGEST_ID:
        raise ApiError(404, NO_CDR)
    store = deps_of(request).store
    for query in (
        CdrQuery(client.id, cdr_id=wanted.lower()),
        CdrQuery(client.id, sip_call_id=wanted),
    ):
        found = await store.cdr_page(query, 1, count=False)
        if found.rows:
            return answer(_choose_writer(asked, client)(found.rows[0]))
    raise ApiError(404, NO_CDR)


async def _answer_page(request: Request, asked: Asked, page: CdrPage, client: Client) -> Response:
    told: dict[str, Any] = {"limit": asked.limit, "offset": asked.offset, "total": page.total}
    rows = page.rows
    if asked.scrolling:
        told["scroll_id"] = v2.write_scroll(asked, rows[-1].id, len(rows)) if rows else None
    return await answer_records(request, "data", rows, _choose_writer(asked, client), after=told)


def _choose_writer(asked: Asked, client: Client) -> Write:
    mapping = asked.mapping or client.cdr_mapping
    write = write_flex if mapping is CdrMapping.FLEX else write_default
    zone = ZoneInfo(client.timezone)
    return lambda row: write(row.cdr, View(zone=zone, row_id=row.id, quick=row.quick))
