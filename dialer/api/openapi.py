"""The OpenAPI description: what `operations.py` says of each route, with the schemas of bodies
that we parse ourselves, made from the models that parse.

How a route is described stands in `operations.py`.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from dialer.api import cdr_schemas
from dialer.api.cdr_operations import CDR_OPERATIONS
from dialer.api.gateway_operations import GATEWAY_OPERATIONS
from dialer.api.operations import ONCE, OPERATIONS, Operation, Parameter
from dialer.api.problems import STATUSES, Problem, by_status
from dialer.api.queues import QueueChange
from dialer.api.schemas import Shape
from dialer.api.signing import SecretChange
from dialer.api.webhooks import Callback, describe_webhooks
from dialer.bodies import ACCOUNT, BATCH, QUICK_CALL
from dialer.clients import NewClient
from dialer.fields import WITH_APPLICATION
from dialer.gateway import BODY as CDR_REQUEST

_REF: Final = "#/components/schemas/{model}"
_JSON: Final = "application/json"
_BODIES: Final[dict[str, TypeAdapter[Any]]] = {
    "BatchRequest": BATCH,
    "QuickCallRequest": QUICK_CALL,
    "Account": ACCOUNT,
    "NewClient": TypeAdapter(NewClient),
    "QueueChange": TypeAdapter(QueueChange),
    "SecretChange": TypeAdapter(SecretChange),
    "KeyHolder": TypeAdapter(cdr_schemas.KeyHolder),
    "ReportHolder": TypeAdapter(cdr_schemas.ReportHolder),
    "ReportRequest": TypeAdapter(cdr_schemas.ReportRequest),
    "PbxRequest": TypeAdapter(cdr_schemas.PbxRequest),
    "CdrRequest": CDR_REQUEST,
    "Callback": TypeAdapter(Callback),
}
ALL_OPERATIONS: Final[dict[str, Operation]] = {
    **OPERATIONS,
    **CDR_OPERATIONS,
    **GATEWAY_OPERATIONS,
}
"""Of every route, by the name of its handler."""


def _header(description: str, example: object, **schema: object) -> dict[str, Any]:
    return {"description": description, "schema": schema, "example": example}


_RATE: Final = {
    "X-RateLimit-Limit": _header("requests a minute; absent: none", 1000, type="integer"),
    "X-RateLimit-Remaining": _header("how many are left", 999, type="integer"),
    "X-RateLimit-Reset": _header("epoch second of the next one", 1704103260, type="integer"),
}
_REPLAYED: Final = {
    "Idempotent-Replayed": _header(
        "this is the first answer, given again", "true", type="string", enum=["true"]
    )
}
_WAIT: Final = {"Retry-After": _header("seconds", 2, type="integer", minimum=1)}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": _header("how to log in", "Bearer", type="string")},
    405: {"Allow": _header("the methods of this path", "GET", type="string")},
    429: _WAIT,
    503: _WAIT,
}
_UNLIMITED: Final = (401, 405, 500)  # answered before, or without, counting a client's requests


def describe(handler: str) -> dict[str, Any]:
    """What `add_api_route` is told about a handler."""
    operation = ALL_OPERATIONS[handler]
    extra: dict[str, Any] = {}
    if operation.keyed:
        extra["security"] = [{scheme: []} for scheme in operation.security]
    if operation.body is not None:
        extra["requestBody"] = _request_body(operation)
    if operation.parameters:
        extra["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    return {
        "tags": [operation.tag],
        "openapi_extra": extra,
        "responses": _responses(operation),
        "operation_id": handler,
    }


def _request_body(operation: Operation) -> dict[str, Any]:
    content = {
        "schema": {"$ref": _REF.format(model=operation.body)},
        "examples": {name: {"value": dict(body)} for name, body in operation.requests.items()},
    }
    return {"required": not operation.bodiless, "content": {_JSON: content}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }


def _responses(operation: Operation) -> dict[int | str, dict[str, Any]]:
    once = ONCE[0] in operation.parameters
    limits = _RATE if operation.keyed else {}
    found: dict[int | str, dict[str, Any]] = {
        200: _response(
            operation.answer.__doc__ or "Done",
            operation.answer.__name__,
            {"done": {"value": dict(operation.example)}},
            {**(_REPLAYED if once else {}), **limits},
        )
    }
    for status, problems in by_status(operation.errors).items():
        headers = {**_HEADERS.get(status, {}), **({} if status in _UNLIMITED else limits)}
        found[status] = _response(
            STATUSES[status], operation.failure.__name__, _show(problems), headers
        )
    return found


def _show(problems: list[Problem]) -> dict[str, Any]:
    return {
        problem.name: {"summary": problem.message, "value": problem.content} for problem in problems
    }


def _response(
    description: str, model: str, shown: Mapping[str, Any], headers: Mapping[str, Any]
) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    found: dict[str, Any] = {
        "description": description,
        "content": {_JSON: {"schema": schema, "examples": dict(shown)}},
    }
    if headers:
        found["headers"] = dict(headers)
    return found


def complete(app: FastAPI) -> None:
    """Make the description of `app` carry the schemas that `describe` refers to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = generate()
            parts = whole.setdefault("components", {})
            parts["schemas"] = _schemas()
            parts["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
                "reportKey": {"type": "apiKey", "in": "header", "name": "apiKey"},
            }
            whole["webhooks"] = describe_webhooks(_REF)
            for path in whole["paths"].values():
                for operation in path.values():
                    _leave_ours(operation)
            app.openapi_schema = whole
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _leave_ours(operation: dict[str, Any]) -> None:
    """Take away what FastAPI says by itself: its 422, and a path's parameter as it knows it."""
    if "HTTPValidationError" in str(operation["responses"].get("422")):
        del operation["responses"]["422"]
    if "parameters" in operation:
        named = {(told["in"], told["name"]): told for told in operation["parameters"]}
        operation["parameters"] = list(named.values())


def _schemas() -> dict[str, Any]:
    mode: JsonSchemaMode = "validation"
    adapters: dict[str, TypeAdapter[Any]] = dict(_BODIES)
    answers: list[type[Shape]] = []
    for operation in ALL_OPERATIONS.values():
        answers += [operation.answer, operation.failure]
    for model in answers:
        adapters[model.__name__] = TypeAdapter(model)
    named = [(name, mode, adapter) for name, adapter in adapters.items()]
    found, definitions = TypeAdapter.json_schemas(named, ref_template=_REF)
    schemas: dict[str, Any] = dict(definitions.get("$defs", {}))
    for (name, _), schema in found.items():
        if "$ref" not in schema:
            schemas[name] = schema
    _tell_actions_apart(schemas)
    return schemas


def _tell_actions_apart(schemas: dict[str, Any]) -> None:
    """An item must have an action, a quick call one without Channel. One model reads both."""
    item, quick_call, action = (
        schemas[name] for name in ("QueueItem", "QuickCallRequest", "Action")
    )
    item["properties"]["action"] = {"$ref": _REF.format(model="Action")}
    quick_call["properties"]["action"] = {"$ref": _REF.format(model="QuickAction")}
    properties = {name: told for name, told in action["properties"].items() if name != "Channel"}
    schemas["QuickAction"] = action | {
        "title": "QuickAction",
        "description": "The Originate of a quick call, without Channel: `number1` is dialed.",
        "properties": properties,
        "required": ["Application"],
        "anyOf": WITH_APPLICATION,
    }
