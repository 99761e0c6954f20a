"""Idempotency-Key (also X-Idempotency-Key) on every POST and PUT.

The first success under a key is kept and given again; another request under the same key is 409.
Errors are not kept: nothing happened, and the client may put its request right under the same key.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request, Response
from pydantic_core import to_json

from dialer.api.answers import ApiError
from dialer.api.deps import deps_of
from dialer.errors import Conflict
from dialer.store.contract import Client, IdempotentAnswer, KeptAnswer

REPLAYED: Final = "Idempotent-Replayed"
_HEADERS: Final = ("idempotency-key", "x-idempotency-key")  # the first counts
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SECRETS: Final = frozenset({"api_key", "signing_secret"})  # null in an answer that is given again

Content = dict[str, Any]
Keep = Callable[[Content], KeptAnswer]
"""Makes of an answer's content what is kept of it under the request's key."""

Work = Callable[[Keep | None], Awaitable[tuple[Content, bool]]]


class InFlight:
    """The keys that are being worked on: a second request under one waits for the first."""

    def __init__(self) -> None:
        self._locks: dict[tuple[int, str], tuple[asyncio.Lock, int]] = {}

    async def enter(self, name: tuple[int, str]) -> None:
        lock, waiting = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, waiting + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._leave(name)
            raise

    def exit(self, name: tuple[int, str]) -> None:
        self._locks[name][0].release()
        self._leave(name)

    def _leave(self, name: tuple[int, str]) -> None:
        lock, waiting = self._locks.pop(name)
        if waiting > 1:
            self._locks[name] = (lock, waiting - 1)


async def answer_once(request: Request, caller: Client, body: bytes, work: Work) -> Response:
    """Do `work` and answer it, or give the first answer again. `work` returns the content and
    whether it was itself a replay (of a batch); it may keep its answer itself, in the transaction
    that does what is answered."""
    key = _read_key(request)
    if key is None:
        content, replayed = await work(None)
        return _respond(to_json(content), 200, replayed)
    in_flight: InFlight = request.app.state.in_flight
    name = (caller.id, key)
    await in_flight.enter(name)
    try:
        return await _answer_keyed(request, name, _digest(request, body), work)
    finally:
        in_flight.exit(name)


async def _answer_keyed(
    request: Request, name: tuple[int, str], digest: str, work: Work
) -> Response:
    deps = deps_of(request)
    kept = await deps.store.idempotent_answer(*name)
    if kept is not None:
        if kept.digest != digest:
            raise ApiError(409, "Idempotency-Key was used before with another request")
        return _respond(kept.body.encode(), kept.status, True)

    def keep(content: Content) -> KeptAnswer:
        shown = content | dict.fromkeys(content.keys() & _SECRETS)
        answer = IdempotentAnswer(digest, 200, to_json(shown).decode(), deps.clock.now())
        return KeptAnswer(*name, answer)

    try:
        content, replayed = await work(keep)
        await deps.store.keep_answer(*name, keep(content).answer)
    except Conflict:
        # Another process may have done it meanwhile: then this one did nothing.
        kept = await deps.store.idempotent_answer(*name)
        if kept is None or kept.digest != digest:
            raise
        return _respond(kept.body.encode(), kept.status, True)
    return _respond(to_json(content), 200, replayed)


def _read_key(request: Request) -> str | None:
    given = [request.headers[name] for name in _HEADERS if name in request.headers]
    if not all(map(_KEY.fullmatch, given)):
        raise ApiError(400, "Idempotency-Key must be 1 to 255 printable characters")
    return given[0] if given else None


def _digest(request: Request, body: bytes) -> str:
    """Of method, path (one for both prefixes, with and without slash), query and body."""
    path = request.url.path.rstrip("/").replace("/calling/api/v1/", "/calling/api/", 1)
    head = f"{request.method} {path}?{request.url.query}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def _respond(body: bytes, status: int, replayed: bool) -> Response:
    headers = {REPLAYED: "true"} if replayed else None
    return Response(body, status, headers=headers, media_type="application/json")
