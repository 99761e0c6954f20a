"""Queues read and changed by their client: getmasterqueues, getqueues, updatequeuemaster,
flushqueue."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ami import Disposition
from dialer import fields
from dialer.api.answers import INVALID, ApiError, answer, success
from dialer.api.auth import authenticate, find_tenant, name_superuser
from dialer.api.deps import deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.listing import show_item, show_page, show_queue
from dialer.api.reading import PAGE, read_body, read_id, read_page, read_whole, refuse_unknown
from dialer.bodies import WHOM, read_object
from dialer.body_types import Text, check_whole, say
from dialer.errors import FieldError, Refused
from dialer.phrases import find_faults
from dialer.states import ItemEnd, ItemStatus, QueueStatus

NO_QUEUE: Final = "Queue not found"
_Count = Annotated[int, Field(ge=0, le=1000), BeforeValidator(check_whole)]
_Gap = Annotated[int, Field(ge=0, le=fields.MAX_RETRY_GAP), BeforeValidator(check_whole)]
_CHANGED: Final = ("queue_status", "retry", "retry_count", "retry_gap")
_SHOWN: Final = 40  # characters of an unknown key, in an error's message
# One of them, or nothing that is unknown.
_ANY: Final[list[Any]] = [
    *({"required": [name]} for name in _CHANGED),
    {"propertyNames": {"enum": [*_CHANGED, "accountcode", "client_code"]}},
]
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter that chooses rows: by which of the store's columns, and what it may be
    (words, in any case; a whole number; any text)."""

    column: str
    words: frozenset[str] = frozenset()
    whole: bool = False


QUEUE_FILTERS: Final = {"queue_status": Filter("status", frozenset(QueueStatus))}
ITEM_FILTERS: Final = {
    "call_status": Filter("status", frozenset(ItemStatus)),
    "disposition": Filter("disposition", frozenset({*Disposition, *ItemEnd})),
    "batch_id": Filter("batch_id", whole=True),
    "call_id": Filter("call_id"),
    "phone_number": Filter("number"),
}


class QueueChange(BaseModel):
    """The body of updatequeuemaster: any subset of the first four fields."""

    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        frozen=True,
        json_schema_extra={"anyOf": _ANY},
    )

    queue_status: Literal["paused", "in-progress", "completed"] | None = None
    retry: Annotated[bool | None, say(fields.FLAG)] = None
    retry_count: Annotated[_Count | None, say(fields.COUNT)] = None
    retry_gap: Annotated[_Gap | None, say(fields.RETRY_GAP)] = None
    accountcode: Annotated[Text | None, say(fields.PLAIN, WHOM)] = None
    client_code: Annotated[Text | None, say(fields.PLAIN, WHOM)] = None


async def list_queues(request: Request) -> Response:
    """The client's queues, its quick-call queue among them; `queue_status` chooses some."""
    client = await find_tenant(request, await authenticate(request), {})
    refuse_unknown(request, *PAGE, *QUEUE_FILTERS)
    page, size = read_page(request)
    filters = read_filters(request, QUEUE_FILTERS)
    found = await deps_of(request).store.queues(client.id, (page - 1) * size, size, filters)
    shown = [show_queue(queue, client.accountcode) for queue in found.rows]
    return answer(show_page(shown, page, size, found.total))


async def list_items(request: Request) -> Response:
    """The items of one queue of the client's; further parameters choose some."""
    client = await find_tenant(request, await authenticate(request), {})
    refuse_unknown(request, "master_queue_id", *PAGE, *ITEM_FILTERS)
    queue_id = read_whole(request, "master_queue_id", None, 0, 2**63 - 1)
    page, size = read_page(request)
    filters = read_filters(request, ITEM_FILTERS)
    store = deps_of(request).store
    queue = await store.queue(queue_id, client.id)
    found = await store.items(queue.id, (page - 1) * size, size, filters)
    shown = [show_item(item, queue) for item in found.rows]
    return answer(show_page(shown, page, size, found.total))


async def update_queue(request: Request, queue_id: str) -> Response:
    """Pause, resume or complete a queue, or change its retries."""
    caller = await authenticate(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(_keep: Keep | None) -> tuple[dict[str, Any], bool]:
        content = read_object(body)
        client = await find_tenant(request, caller, content)
        changes = read_changes(content)
        number = read_id(queue_id)
        if number is None:
            raise ApiError(404, NO_QUEUE)
        queue = await deps.store.queue(number, client.id)  # 404 unless it is this client's
        if changes:
            by = name_superuser(caller)
            try:
                queue = await deps.store.change_queue(
                    queue.id, changes, deps.close_item, deps.clock.now(), by
                )
            finally:
                deps.signals.queue_changed(queue.id)  # one that failed half-way too
        shown = show_queue(queue, client.accountcode)
        return success("Queue updated successfully", shown), False

    return await answer_once(request, caller, body, work)


async def flush_queues(request: Request) -> Response:
    """End everything of the client's that waits: quick calls and waiting retries too. Whoever
    would choose some of it by a parameter must not lose all."""
    caller = await authenticate(request)
    client = await find_tenant(request, caller, {})
    refuse_unknown(request)
    deps = deps_of(request)
    by = name_superuser(caller)
    try:
        flushed = await deps.store.flush(client.id, deps.close_item, deps.clock.now(), by)
    finally:
        deps.signals.clients_changed()  # one that failed half-way is finished elsewhere
    return answer(success("Queue flushed successfully", {"flushed_count": flushed}))


def read_filters(request: Request, known: dict[str, Filter]) -> dict[str, Any]:
    """The store's filters of a list, from the query. Raises `ApiError` 400."""
    found: dict[str, Any] = {}
    for name, filter_ in known.items():
        text = request.query_params.get(name)
        if text is None:
            continue
        if filter_.words:
            text = text.strip().lower()
            if text not in filter_.words:
                listed = ", ".join(sorted(filter_.words))
                raise ApiError(400, INVALID, f"{name}: must be one of {listed}")
        found[filter_.column] = text
        if filter_.whole:
            if not _WHOLE.fullmatch(text):
                raise ApiError(400, INVALID, f"{name}: must be a whole number")
            found[filter_.column] = int(text)
    return found


def read_changes(content: dict[str, Any]) -> dict[str, Any]:
    """The store's names and values of what is to change. Raises `Refused`; where all that it says
    is unknown, too: who misspells a pause must not believe that it came."""
    unknown = sorted(content.keys() - QueueChange.model_fields.keys())
    if unknown and content.keys().isdisjoint(_CHANGED):
        fault = f"unknown key, and none of {', '.join(_CHANGED)} beside it"
        raise Refused([FieldError(unknown[0][:_SHOWN], fault)])
    try:
        change = QueueChange.model_validate(content)
    except ValidationError as error:
        raise Refused(
            [FieldError(".".join(place), fault) for place, fault in find_faults(error).items()]
        ) from None
    changes = change.model_dump(exclude_none=True, exclude={"accountcode", "client_code"})
    if "queue_status" in changes:
        changes["status"] = QueueStatus(changes.pop("queue_status"))
    return changes
