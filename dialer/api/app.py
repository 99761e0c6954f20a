"""The HTTP application: every route under both base paths, with and without a trailing slash."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Response

from dialer.api import gateway, ozonetel, pbx_cdr
from dialer.api.answers import ErrorWriter, install_handlers
from dialer.api.clients import create_client, regenerate_key, revoke_key, show_connection
from dialer.api.deps import ApiDeps
from dialer.api.gateway import GatewayCounts, put_cdr, put_entity_cdr, show_task
from dialer.api.health import show_health, show_readiness
from dialer.api.idempotency import InFlight
from dialer.api.ingest import insert_batch, insert_quick_call
from dialer.api.limits import LimitHeaders, RequestCounts
from dialer.api.openapi import complete, describe
from dialer.api.ozonetel import REPORTS, issue_report_token
from dialer.api.pbx_cdr import search_cdrs, search_cdrs_by_post
from dialer.api.queues import flush_queues, list_items, list_queues, update_queue
from dialer.api.signing import regenerate_signing, show_signing
from dialer.api.v2_cdr import issue_v2_token, list_cdrs, show_cdr

__all__ = ["ApiDeps", "create_api"]

BASES: Final = ("/calling/api", "/calling/api/v1")
DESCRIPTION: Final = (
    "Batches of calls in, CDRs back. Every error is "
    '`{"message", "status": "error", "details"}`; every success is 200. '
    "What is served in the shape of another API has that API's errors."
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route below a base path, as documented; it works with and without a trailing slash."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Response]]


ROUTES: Final = (
    Route("POST", "/clients/", create_client),
    Route("PUT", "/clients/regenerate-api-key", regenerate_key),
    Route("PUT", "/clients/revoke-api-key", revoke_key),
    Route("GET", "/clients/test-connection", show_connection),
    Route("GET", "/clients/signing-secret", show_signing),
    Route("PUT", "/clients/regenerate-signing-secret", regenerate_signing),
    Route("POST", "/queues/insertdataincallqueue/", insert_batch),
    Route("POST", "/queues/insertquickcall/", insert_quick_call),
    Route("GET", "/queues/getmasterqueues/", list_queues),
    Route("GET", "/queues/getqueues/", list_items),
    Route("PUT", "/queues/updatequeuemaster/{queue_id}", update_queue),
    Route("GET", "/queues/flushqueue/", flush_queues),
)

CDR_ROUTES: Final = (
    Route("POST", "/v2/auth/token", issue_v2_token),
    Route("GET", "/v2/cdr", list_cdrs),
    Route("GET", "/v2/cdr/{cdr_id:path}", show_cdr),
    Route("POST", "/ca_apis/caToken/generateToken", issue_report_token),
    *(Route("GET", f"/ca_reports/{report}", handler) for report, handler in REPORTS.items()),
    Route("GET", "/api/cdr", search_cdrs),
    Route("POST", "/api/cdr", search_cdrs_by_post),
)
"""CDRs in the shapes of other APIs, at those APIs' own paths (docs/cdr-apis.md)."""
TOKEN_PATHS: Final = tuple(
    f"/{top}/{name}/generateToken"
    for top in ("ca_apis", "ca_reports")
    for name in ("caToken", "CAToken")
)
"""All that clients of the reports write."""
ERROR_WRITERS: Final[dict[str, ErrorWriter]] = {
    **dict.fromkeys(ozonetel.PREFIXES, ozonetel.write_error),
    pbx_cdr.PREFIX: pbx_cdr.write_error,
}


GATEWAY_ROUTES: Final = (
    Route("PUT", gateway.PREFIX, put_cdr),
    Route("PUT", f"{gateway.PREFIX}/{{{gateway.NAME}}}", put_entity_cdr),
    Route("GET", f"{gateway.PREFIX}/{{{gateway.NAME}}}", show_task),
)
"""The Disposition Gateway, at its own path (docs/gateway.md)."""


def create_api(deps: ApiDeps) -> FastAPI:
    """The application. It opens and closes nothing: `deps` belong to the caller."""
    app = FastAPI(
        title="Centralized Calling",
        description=DESCRIPTION,
        redirect_slashes=False,
        docs_url=None,  # its page loads scripts from a CDN: of no use without the internet
        redoc_url=None,
    )
    app.state.deps = deps
    app.state.in_flight = InFlight()
    app.state.request_counts = RequestCounts()
    app.state.report_counts = RequestCounts()
    app.state.token_key = None
    app.state.gateway_counts = GatewayCounts()
    app.add_middleware(LimitHeaders)
    writers = {**ERROR_WRITERS, gateway.PREFIX: gateway.write_errors(deps.clock)}
    install_handlers(app, writers)
    for base in BASES:
        for route in ROUTES:
            _add(app, route, base, documented=base == BASES[0])
    for route in (*CDR_ROUTES, *GATEWAY_ROUTES):
        _add(app, route)
    for path in TOKEN_PATHS[1:]:
        _add(app, Route("POST", path, issue_report_token), documented=False)
    for path, handler in (("/healthz", show_health), ("/readyz", show_readiness)):
        app.add_api_route(path, handler, methods=["GET"], **describe(handler.__name__))
    complete(app)
    return app


@dataclass(frozen=True, slots=True)
class HealthDeps:
    """As `ApiDeps`, of a process without the API."""

    readiness: Callable[[], dict[str, bool]]


def create_health(readiness: Callable[[], dict[str, bool]]) -> FastAPI:
    """/healthz and /readyz alone, for processes that serve nothing else."""
    app = FastAPI(title="Health", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.deps = HealthDeps(readiness)
    install_handlers(app)
    for path, handler in (("/healthz", show_health), ("/readyz", show_readiness)):
        app.add_api_route(path, handler, methods=["GET"])
    return app


def _add(app: FastAPI, route: Route, base: str = "", *, documented: bool = True) -> None:
    """Both spellings; the documented one stands in the OpenAPI description."""
    spelled = base + route.path
    bare = spelled.rstrip("/")
    for path in (bare, f"{bare}/"):
        shown = documented and path == spelled
        extra: dict[str, Any] = describe(route.handler.__name__) if shown else {}
        app.add_api_route(
            path, route.handler, methods=[route.method], include_in_schema=shown, **extra
        )
