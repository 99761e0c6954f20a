"""Requests a minute of each client, told in the usual headers of every answer.

`X-RateLimit-Limit` and `X-RateLimit-Remaining` count requests, `X-RateLimit-Reset` is the epoch
second from which one more may come. A client without a limit gets none of them. Several API
processes divide a client's limit among them (`ApiDeps.share`), and each tells its own part.
"""

from math import ceil
from typing import Final

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.api.answers import ApiError
from dialer.api.deps import deps_of
from dialer.rate_limit import Allowance, RollingMinute
from dialer.store.contract import Client

TOO_MANY_REQUESTS: Final = "Too many requests"
_NOTE: Final = "rate_limit"


class RequestCounts:
    """The last minute of every client that has a limit."""

    def __init__(self) -> None:
        self._minutes: dict[int, RollingMinute] = {}

    def of(self, client_id: int) -> RollingMinute:
        return self._minutes.setdefault(client_id, RollingMinute())


def count_request(request: Request, client: Client) -> None:
    """Count this request against its client's limit, and note the headers that its answer gets.
    Raises `ApiError` 429."""
    if client.rate_limit is None:
        return
    deps = deps_of(request)
    counts: RequestCounts = request.app.state.request_counts
    allowance = counts.of(client.id).take(deps.share(client.rate_limit), deps.clock.monotonic())
    note_limit(request, allowance)
    if not allowance.allowed:
        wait = max(1, ceil(allowance.wait))
        details = f"the limit is {allowance.limit} requests a minute"
        raise ApiError(429, TOO_MANY_REQUESTS, details, headers={"Retry-After": str(wait)})


def note_limit(request: Request, allowance: Allowance) -> None:
    """Note the headers that the request's answer gets; a later note takes the place of an earlier
    one."""
    headers = {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(ceil(deps_of(request).clock.now() + allowance.wait)),
    }
    request.scope.setdefault("state", {})[_NOTE] = headers


class LimitHeaders:
    """Middleware: puts the headers that `count_request` noted on the answer, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                noted = scope.get("state", {}).get(_NOTE)
                if noted:
                    MutableHeaders(scope=message).update(noted)
            await send(message)

        await self._app(scope, receive, send_with_headers)
