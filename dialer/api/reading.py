"""Reading requests: bodies within the limit, query parameters, headers."""

import re
from typing import Final

from fastapi import Request

from dialer.api.answers import INVALID, ApiError
from dialer.api.deps import deps_of

TOO_LARGE: Final = "Request body too large"
UNSUPPORTED: Final = "Unsupported media type"
# Read behind the limit before giving up: a client that still sends when the connection is closed
# gets a reset in place of the answer (RFC 9112, section 9.6).
_THROWN_AWAY: Final = 8 * 1024 * 1024
SMALL: Final = 64 * 1024
"""Bytes of a body that is no batch; a quick call has some hundreds."""
MAX_PAGE_SIZE: Final = 1000
ACCOUNTS: Final = ("accountcode", "client_code")
"""The names under which requests say whom they are for, in query and body."""
PAGE: Final = ("page", "page_size")
_SHOWN: Final = 80  # characters of a parameter's name
_WHOLE = re.compile(r"[0-9]{1,18}")
_JSON = re.compile(
    r"\s*application/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*",
    re.IGNORECASE | re.ASCII,
)


async def read_body(request: Request, most: int = SMALL) -> bytes:
    """The whole body. 415 for another type than JSON, 413 past `most` bytes or the settings' limit,
    by Content-Length or (chunked) by what came; what is too large is thrown away as it comes."""
    _check_type(request)
    return await read_bytes(request, most)


async def read_bytes(request: Request, most: int = SMALL) -> bytes:
    """As `read_body`, whatever type the body says that it is of."""
    limit = min(most, deps_of(request).settings.max_body_bytes)
    declared = request.headers.get("content-length", "")
    size = int(declared) if _WHOLE.fullmatch(declared) else 0
    if size > limit and (size > limit + _THROWN_AWAY or "expect" in request.headers):
        raise _too_large(limit, at_once=True)
    too_large = size > limit
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit + _THROWN_AWAY:
            raise _too_large(limit, at_once=True)
        if size > limit or too_large:
            too_large = True
            chunks.clear()
        else:
            chunks.append(chunk)
    if too_large:
        raise _too_large(limit)
    return b"".join(chunks)


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type")
    if given is not None and not _JSON.fullmatch(given):
        raise ApiError(415, UNSUPPORTED, "Content-Type must be application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise ApiError(415, UNSUPPORTED, "Content-Encoding is not supported")


def _too_large(limit: int, *, at_once: bool = False) -> ApiError:
    """`at_once`: the rest is not read, so the connection cannot be used again."""
    headers = {"Connection": "close"} if at_once else None
    return ApiError(413, TOO_LARGE, f"the limit is {limit} bytes", headers=headers)


def refuse_unknown(request: Request, *known: str) -> None:
    """400 for a query parameter that is neither among `known` nor the name of an account. Whoever
    sends one means something by it: to leave a filter away shows other rows than were asked for.
    Names that begin with `_` are left alone, for scripts add such to keep caches away."""
    for name in request.query_params:
        if name not in known and name not in ACCOUNTS and not name.startswith("_"):
            raise ApiError(400, INVALID, f"{name[:_SHOWN]}: unknown parameter")


def read_whole(request: Request, name: str, default: int | None, low: int, high: int) -> int:
    """A whole number of the query; 400 when it is missing without default, or out of range."""
    text = request.query_params.get(name)
    if text is None:
        if default is None:
            raise ApiError(400, INVALID, f"{name}: Field required")
        return default
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise ApiError(400, INVALID, f"{name}: must be {low} to {high}")
    return int(text)


def read_page(request: Request) -> tuple[int, int]:
    """(page, page_size) of the query, from 1."""
    page = read_whole(request, "page", 1, 1, 10**9)
    return page, read_whole(request, "page_size", 100, 1, MAX_PAGE_SIZE)


def read_id(text: str) -> int | None:
    """A row's id in a path; None for what can be none."""
    return int(text) if _WHOLE.fullmatch(text) else None
