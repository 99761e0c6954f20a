"""The OpenAPI description of bodies that we parse ourselves, made from the models that parse."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from dialer.api.queues import QueueChange
from dialer.bodies import BATCH, QUICK_CALL
from dialer.clients import NewClient

_REF: Final = "#/components/schemas/{model}"
_JSON: Final = "application/json"


class FieldProblem(BaseModel):
    """One error of a batch."""

    index: int | None = Field(description="the item's place in its batch; null: the batch itself")
    field: str
    message: str


class ErrorAnswer(BaseModel):
    """Every error."""

    message: str
    status: str = Field(examples=["error"])
    details: str | None = None
    errors: list[FieldProblem] | None = None


class ClientAnswer(BaseModel):
    """A client that was made; its key is shown this once."""

    id: int
    name: str
    accountcode: str
    username: str
    api_key: str | None
    is_active: bool
    status: str
    created_at: str
    updated_at: str


class BatchData(BaseModel):
    queue_id: int
    inserted_count: int
    batch_id: int


class BatchAnswer(BaseModel):
    """A batch that is on disk."""

    message: str
    status: str
    data: BatchData


class QuickCallData(BaseModel):
    call_id: str
    queue_id: int


class QuickCallAnswer(BaseModel):
    """A quick call that is on disk."""

    message: str
    status: str
    data: QuickCallData


class QueueListed(BaseModel):
    """A queue with its counts."""

    id: int
    client_id: int
    accountcode: str
    queue_name: str
    queue_status: str
    retry: bool
    retry_count: int
    retry_gap: int
    created_at: str
    updated_at: str
    dids: list[str]
    total_count: int
    pending_count: int
    queued_count: int
    processed_count: int
    terminated_count: int


class Pagination(BaseModel):
    previous_page: int | None
    next_page: int | None
    start_index: int
    end_index: int
    total_entries: int
    total_pages: int
    page: int


class QueuePage(BaseModel):
    """A page of queues."""

    pagination: Pagination
    results: list[QueueListed]
    status: str


class ItemPage(BaseModel):
    """A page of items: QueueItem fields, with id, queue_id, batch_id, call_id, last_cdr_id."""

    pagination: Pagination
    results: list[dict[str, Any]]
    status: str


class QueueAnswer(BaseModel):
    """A queue after its change."""

    message: str
    status: str
    data: QueueListed


_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    "BatchRequest": BATCH,
    "QuickCallRequest": QUICK_CALL,
    "NewClient": TypeAdapter(NewClient),
    "QueueChange": TypeAdapter(QueueChange),
    **{
        model.__name__: TypeAdapter(model)
        for model in (
            ErrorAnswer,
            ClientAnswer,
            BatchAnswer,
            QuickCallAnswer,
            QueuePage,
            ItemPage,
            QueueAnswer,
        )
    },
}
_PAGE: Final = [("page", 1, 10**9), ("page_size", 1, 1000)]
# handler → (tag, body, answer, query parameters)
_ROUTES: Final[dict[str, tuple[str, str | None, str, list[tuple[str, int, int]]]]] = {
    "create_client": ("clients", "NewClient", "ClientAnswer", []),
    "insert_batch": ("calls", "BatchRequest", "BatchAnswer", []),
    "insert_quick_call": ("calls", "QuickCallRequest", "QuickCallAnswer", []),
    "list_queues": ("queues", None, "QueuePage", _PAGE),
    "list_items": ("queues", None, "ItemPage", [("master_queue_id", 1, 2**63 - 1), *_PAGE]),
    "update_queue": ("queues", "QueueChange", "QueueAnswer", []),
    "regenerate_key": ("clients", None, "ClientAnswer", []),
    "revoke_key": ("clients", None, "ClientAnswer", []),
    "show_connection": ("clients", None, "ErrorAnswer", []),
    "flush_queues": ("queues", None, "ErrorAnswer", []),
}


def describe(handler: str) -> dict[str, Any]:
    """What `add_api_route` is told about a handler."""
    tag, body, shown, query = _ROUTES[handler]
    extra: dict[str, Any] = {"security": [{"bearer": []}, {"apiKey": []}]}
    if body is not None:
        content = {_JSON: {"schema": {"$ref": _REF.format(model=body)}}}
        extra["requestBody"] = {"required": True, "content": content}
    if query:
        extra["parameters"] = [
            {
                "name": name,
                "in": "query",
                "required": name == "master_queue_id",
                "schema": {"type": "integer", "minimum": low, "maximum": high},
            }
            for name, low, high in query
        ]
    return {"tags": [tag], "openapi_extra": extra, "responses": _responses(shown)}


def _responses(shown: str) -> dict[int | str, dict[str, Any]]:
    def refer(model: str, description: str) -> dict[str, Any]:
        schema = {"$ref": _REF.format(model=model)}
        return {"description": description, "content": {_JSON: {"schema": schema}}}

    return {
        200: refer(shown, "Done"),
        "default": refer("ErrorAnswer", "Error: 400, 401, 403, 404, 409, 413, 415, 500, 503"),
    }


def documented(app: FastAPI) -> None:
    """Make the description of `app` carry the schemas that `describe` refers to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = generate()
            parts = whole.setdefault("components", {})
            parts.setdefault("schemas", {}).update(_schemas())
            parts["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
            }
            for path in whole["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            app.openapi_schema = whole
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _schemas() -> dict[str, Any]:
    mode: JsonSchemaMode = "validation"
    named = [(name, mode, adapter) for name, adapter in _ADAPTERS.items()]
    found, definitions = TypeAdapter.json_schemas(named, ref_template=_REF)
    schemas: dict[str, Any] = dict(definitions.get("$defs", {}))
    for (name, _), schema in found.items():
        if "$ref" not in schema:
            schemas[name] = schema
    return schemas
