"""Answers that carry many records, written while the event loop has turns: a thousand take 20 to
35 ms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import Request, Response
from pydantic_core import to_json

from dialer.api.deps import deps_of
from dialer.api.turns import take_turns
from dialer.histories import CdrRow
from dialer.steps import Steps

Write = Callable[[CdrRow], dict[str, Any]]

JSON: Final = "application/json"
_AT_ONCE: Final = 20  # records of a step: 0.5 ms


async def answer_records(
    request: Request,
    name: str,
    records: Sequence[CdrRow],
    write: Write,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Response:
    """An object with the records under `name`, and what stands before and after them."""
    written = await write_records(request, records, write)
    parts = [
        to_json(dict(before or {}))[1:-1],
        b"%b:[%b]" % (to_json(name), written),
        to_json(dict(after or {}))[1:-1],
    ]
    return Response(b"{" + b",".join(filter(None, parts)) + b"}", media_type=JSON)


async def write_records(request: Request, records: Sequence[CdrRow], write: Write) -> bytes:
    """The records as JSON, with commas between them."""
    steps = _write_in_steps(records, write)
    return await take_turns(steps, deps_of(request).clock.monotonic)


def _write_in_steps(records: Sequence[CdrRow], write: Write) -> Steps[bytes]:
    parts = []
    for start in range(0, len(records), _AT_ONCE):
        chosen = records[start : start + _AT_ONCE]
        parts.append(to_json([write(record) for record in chosen])[1:-1])
        yield
    return b",".join(parts)
