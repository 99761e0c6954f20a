"""The Disposition Gateway as we serve it: CDRs of other telephony systems in, and what became of a
CDR at SGAPI (docs/gateway.md). Errors have that document's shape, below its path everywhere.
"""

from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from dialer.api.answers import ApiError, ErrorWriter, answer
from dialer.api.auth import authenticate, find_tenant, name_superuser
from dialer.api.deps import deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.limits import TOO_MANY_REQUESTS, note_limit
from dialer.api.reading import read_body
from dialer.clock import Clock
from dialer.delivery.forwarding import forward_to
from dialer.delivery.timestamps import format_seconds
from dialer.errors import DuplicateCdr
from dialer.gateway import Code, Unfit, read_cdr, read_uuid
from dialer.gateway_task import describe_created, describe_task
from dialer.rate_limit import MinuteAndSecond
from dialer.store.contract import Client

PREFIX: Final = "/cdrtosgapi"
NAME: Final = "entity_or_uuid"
"""The path's parameter: of one path there is one name, though PUT and GET mean different things."""

MESSAGES: Final = {
    Code.INVALID_REQUEST: "Request body is malformed or missing required fields",
    Code.INVALID_UUID: "The provided UUID format is invalid",
    Code.INVALID_TIMESTAMP: "Start time or end time format is invalid",
    Code.INVALID_DISPOSITION: "The disposition code is not recognized",
    Code.UNAUTHORIZED: "Missing or invalid authentication token",
    Code.NOT_FOUND: "No CDR task found with the specified UUID",
    Code.DUPLICATE_CDR: "A CDR with this UUID already exists",
    Code.VALIDATION_ERROR: "Request data failed validation rules",
    Code.RATE_LIMIT_EXCEEDED: "Too many requests",
    Code.INTERNAL_ERROR: "Server error during CDR processing",
    Code.SGAPI_UNAVAILABLE: "Service is temporarily unavailable",
}
"""The document's words for its codes."""

STATUSES: Final = {
    Code.INVALID_REQUEST: 400,
    Code.INVALID_UUID: 400,
    Code.INVALID_TIMESTAMP: 400,
    Code.INVALID_DISPOSITION: 400,
    Code.NOT_FOUND: 404,
    Code.DUPLICATE_CDR: 409,
    Code.VALIDATION_ERROR: 422,
}
"""The HTTP status of each code that a route raises itself."""

_CODES: Final = {
    400: Code.INVALID_REQUEST,
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    429: Code.RATE_LIMIT_EXCEEDED,
    500: Code.INTERNAL_ERROR,
    503: Code.SGAPI_UNAVAILABLE,
}
"""The code of an error that was raised without one."""


class GatewayError(ApiError):
    """An error with one of the document's codes."""

    def __init__(self, code: Code, details: str = "") -> None:
        super().__init__(STATUSES[code], MESSAGES[code], details)
        self.code = code


class GatewayCounts:
    """The last requests of every client."""

    def __init__(self) -> None:
        self._of: dict[int, MinuteAndSecond] = {}

    def of(self, client_id: int) -> MinuteAndSecond:
        return self._of.setdefault(client_id, MinuteAndSecond())


def write_errors(clock: Clock) -> ErrorWriter:
    """How errors are written below the gateway's path."""

    def write(error: ApiError) -> Response:
        return answer(show_error(error, clock.now()), error.status, error.headers)

    return write


def show_error(error: ApiError, now: float) -> dict[str, Any]:
    """The document's error envelope; `details` is null where there are none."""
    if isinstance(error, GatewayError):
        code, message, details = error.code, error.message, error.details
    else:
        code = _CODES.get(error.status, Code.INVALID_REQUEST)
        message, details = MESSAGES.get(code, error.message), error.details
        if message != error.message:
            details = ": ".join(filter(None, (error.message, error.details)))
    return {
        "status": "error",
        "error": {"code": code.value, "message": message, "details": details or None},
        "timestamp": format_seconds(now),
    }


async def put_cdr(request: Request) -> Response:
    """Take a CDR of another telephony system, and pass it on to SGAPI."""
    return await _put(request, None)


async def put_entity_cdr(request: Request) -> Response:
    """As `PUT /cdrtosgapi`, to an entity of SGAPI's that the path names."""
    return await _put(request, request.path_params[NAME])


async def _put(request: Request, entity: str | None) -> Response:
    caller = await _authenticate(request)
    # Not by the body: an accountcode there is one of the other telephony system's.
    tenant = await find_tenant(request, caller, {})
    body = await read_body(request)

    async def work(keep: Keep | None) -> tuple[dict[str, Any], bool]:
        return await _take(request, caller, tenant, body, entity, keep), False

    return await answer_once(request, caller, body, work)


async def _take(
    request: Request,
    caller: Client,
    tenant: Client,
    body: bytes,
    entity: str | None,
    keep: Keep | None,
) -> dict[str, Any]:
    deps = deps_of(request)
    now = deps.clock.now()
    try:
        cdr = read_cdr(body, entity, ZoneInfo(tenant.timezone), tenant.id, deps.ids.new(now), now)
    except Unfit as unfit:
        raise await _refuse(request, tenant, unfit) from None
    content = {"status": "success", "data": describe_created(cdr)}
    forward = None if deps.sgapi is None else forward_to(deps.sgapi, now)
    kept = (lambda: keep(content)) if keep is not None else None
    try:
        deliveries = await deps.store.add_foreign_cdr(cdr, forward, kept, name_superuser(caller))
    except DuplicateCdr:
        raise GatewayError(Code.DUPLICATE_CDR) from None
    deps.offer(deliveries)
    return content


async def _refuse(request: Request, tenant: Client, unfit: Unfit) -> GatewayError:
    """A duplicate is told before a rule that it breaks, as the document has them."""
    store = deps_of(request).store
    if unfit.uuid is not None and await store.sgapi_task(tenant.id, unfit.uuid) is not None:
        return GatewayError(Code.DUPLICATE_CDR)
    return GatewayError(unfit.code, unfit.details)


async def show_task(request: Request) -> Response:
    """What became of a CDR at SGAPI: of one that was put here, or of a call of ours, whose uuid is
    its cdr_id."""
    caller = await _authenticate(request)
    tenant = await find_tenant(request, caller, {})
    try:
        uuid = read_uuid(request.path_params[NAME])
    except Unfit as unfit:
        raise GatewayError(unfit.code, unfit.details) from None
    task = await deps_of(request).store.sgapi_task(tenant.id, uuid)
    if task is None:
        raise GatewayError(Code.NOT_FOUND)
    return answer({"status": "success", "data": describe_task(task)})


async def _authenticate(request: Request) -> Client:
    """As everywhere, and 429 past the gateway's own limits."""
    caller = await authenticate(request)
    deps = deps_of(request)
    counts: GatewayCounts = request.app.state.gateway_counts
    per_minute = deps.share(deps.settings.gateway_per_minute)
    per_second = deps.share(deps.settings.gateway_per_second)
    allowance = counts.of(caller.id).take(per_minute, per_second, deps.clock.monotonic())
    note_limit(request, allowance)
    if not allowance.allowed:
        details = f"the limits are {per_minute} a minute, {per_second} a second"
        wait = {"Retry-After": str(max(1, ceil(allowance.wait)))}
        raise ApiError(429, TOO_MANY_REQUESTS, details, headers=wait)
    return caller
