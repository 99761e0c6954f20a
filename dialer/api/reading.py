"""Reading requests: bodies within the limit, query parameters, headers."""

import re
from typing import Final

from fastapi import Request

from dialer.api.answers import INVALID, ApiError
from dialer.api.deps import deps_of

TOO_LARGE: Final = "Request body too large"
MAX_PAGE_SIZE: Final = 1000
_WHOLE = re.compile(r"[0-9]{1,18}")
_JSON = re.compile(
    r"\s*application/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*",
    re.IGNORECASE | re.ASCII,
)


async def read_body(request: Request) -> bytes:
    """The whole body. 415 for another type than JSON, 413 past the limit: by Content-Length
    before a byte is read, else (chunked) as soon as the limit is passed."""
    _check_type(request)
    limit = deps_of(request).settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    if _WHOLE.fullmatch(declared) and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type")
    if given is not None and not _JSON.fullmatch(given):
        raise ApiError(415, "Unsupported media type", "Content-Type must be application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise ApiError(415, "Unsupported media type", "Content-Encoding is not supported")


def _too_large(limit: int) -> ApiError:
    # The rest of the body is not read: the connection cannot be used again.
    return ApiError(413, TOO_LARGE, f"the limit is {limit} bytes", headers={"Connection": "close"})


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
