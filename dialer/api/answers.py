"""Answers: the documented envelope, and every error in the documented format.

An error is `{"message", "status": "error", "details"}`: `details` is one string, absent when
empty; a batch's list of errors stands in `errors`. Validation is 400, never 422
(docs/client-api.md).
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from dialer.api.deps import deps_of
from dialer.api.turns import take_turns
from dialer.bodies import NO_DATA, TOO_MANY
from dialer.errors import Conflict, FieldError, NotFound, Refused, StoreUnavailable
from dialer.items import NO_SERVER
from dialer.steps import Steps, finish

log = logging.getLogger(__name__)

INVALID: Final = "Validation failed"
UNAVAILABLE: Final = "Service temporarily unavailable"
RETRY_AFTER: Final = 2  # seconds; a full or locked database seldom recovers sooner
_AT_ONCE: Final = 500  # errors of an answer: 1 ms
_IN_DETAILS: Final = 5  # errors that `details` spells out; `errors` has them all
NOT_FOUND: Final = "Not found"
METHOD_NOT_ALLOWED: Final = "Method not allowed"
SURPRISE: Final = "Internal server error"
_STATUS_TEXTS: Final = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}


class ApiError(Exception):
    """An answer that is an error. Raised anywhere in a route."""

    def __init__(
        self,
        status: int,
        message: str,
        details: str = "",
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.errors = errors or []
        self.headers = dict(headers or {})


ErrorWriter = Callable[[ApiError], Response]
"""How an API that we serve in another's shape writes an error."""


def success(message: str, data: Any) -> dict[str, Any]:  # noqa: ANN401 — any JSON
    """The envelope of a success."""
    return {"message": message, "status": "success", "data": data}


def answer(
    content: Any,  # noqa: ANN401 — any JSON
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON response."""
    return Response(
        to_json(content), status, headers=dict(headers or {}), media_type="application/json"
    )


def answer_error(error: ApiError) -> Response:
    """The response to an error."""
    return finish(_answer_in_steps(error))


def _answer_in_steps(error: ApiError) -> Steps[Response]:
    content: dict[str, Any] = {"message": error.message, "status": "error"}
    if error.details:
        content["details"] = error.details
    parts = [to_json(content)[:-1]]
    for start in range(0, len(error.errors), _AT_ONCE):
        shown = [
            {"index": entry.index, "field": entry.field, "message": entry.message}
            for entry in error.errors[start : start + _AT_ONCE]
        ]
        parts += [b"," if start else b',"errors":[', to_json(shown)[1:-1]]
        yield
    parts.append(b"]}" if error.errors else b"}")
    return Response(
        b"".join(parts), error.status, headers=dict(error.headers), media_type="application/json"
    )


def from_refused(refused: Refused) -> ApiError:
    """400 with every error; 404 when an unknown server is all that is wrong."""
    errors = refused.errors
    messages = {error.message for error in errors}
    if messages == {NO_SERVER}:
        return ApiError(404, NO_SERVER, _spell_out(errors), errors)
    if len(errors) == 1 and (errors[0].field == "body" or errors[0].message in (NO_DATA, TOO_MANY)):
        return ApiError(400, errors[0].message)
    return ApiError(400, INVALID, _spell_out(errors), errors)


def _spell_out(errors: list[FieldError]) -> str:
    texts = [
        (f"data[{error.index}]." if error.index is not None else "")
        + f"{error.field}: {error.message}"
        for error in errors[:_IN_DETAILS]
    ]
    more = len(errors) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def install_handlers(app: FastAPI, writers: Mapping[str, ErrorWriter] | None = None) -> None:
    """Make every error of `app`, expected or not, an answer in the documented format: below a path
    of `writers` in the format that stands there, else in ours."""
    app.state.error_writers = dict(writers or {})
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(NotFound, _on_not_found)
    app.add_exception_handler(Conflict, _on_conflict)
    app.add_exception_handler(StoreUnavailable, _on_unavailable)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_surprise)


def _find_writer(request: Request) -> ErrorWriter | None:
    path: str = request.scope["path"]
    writers: dict[str, ErrorWriter] = request.app.state.error_writers
    for prefix, writer in writers.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return writer
    return None


def _respond(request: Request, error: ApiError) -> Response:
    return (_find_writer(request) or answer_error)(error)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _respond(request, error)


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    writer = _find_writer(request)
    if writer is not None:
        return writer(from_refused(error))
    steps = _answer_in_steps(from_refused(error))  # a batch has up to 34,000 errors
    return await take_turns(steps, deps_of(request).clock.monotonic)


async def _on_not_found(request: Request, error: Exception) -> Response:
    return _respond(request, ApiError(404, str(error) or NOT_FOUND))


async def _on_conflict(request: Request, error: Exception) -> Response:
    return _respond(request, ApiError(409, str(error) or "Conflict"))


async def _on_unavailable(request: Request, error: Exception) -> Response:
    log.error("store unavailable", extra={"path": request.url.path, "error": str(error)})
    headers = {"Retry-After": str(RETRY_AFTER)}
    return _respond(request, ApiError(503, UNAVAILABLE, "Nothing was stored", headers=headers))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = _STATUS_TEXTS.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _list_methods(request)
    return _respond(request, ApiError(error.status_code, message, headers=headers))


def _list_methods(request: Request) -> str:
    """Those of every route of this path: the router names those of the first."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))


async def _on_validation(request: Request, error: Exception) -> Response:
    return _respond(request, ApiError(400, INVALID))


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return _respond(
        request, ApiError(400, "Request body is incomplete")
    )  # nobody is left to read it


async def _on_surprise(request: Request, error: Exception) -> Response:
    return _respond(request, ApiError(500, SURPRISE))
