"""What the OpenAPI description says of each route, by the name of its handler.

A new route is described here: an `Operation` with its answer (a model in `schemas.py`, an example
in `examples.py`), the name of its body's schema (`openapi.py`) with examples, its parameters and
its errors (`problems.py`; every status that it can answer needs at least one). The tests then ask
for the route's tenants and run its examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ami import Disposition
from dialer.api import examples, problems, schemas
from dialer.api.problems import FOR_A_CLIENT, KEYED, WITH_BODY, Problem
from dialer.states import ItemEnd, ItemStatus, QueueStatus


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of query, path or header, with an example."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: object
    required: bool = False
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """All of a route but its path and method. `requests` are named examples of the body;
    `bodiless`: a body is taken but not needed. `failure`: what each of `errors` is; `security`:
    where a key may stand, any of these (`openapi.py`)."""

    tag: str
    answer: type[schemas.Shape]
    example: Mapping[str, Any]
    errors: tuple[Problem, ...]
    body: str | None = None
    requests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bodiless: bool = False
    parameters: tuple[Parameter, ...] = ()
    keyed: bool = True
    failure: type[schemas.Shape] = schemas.ErrorAnswer
    security: tuple[str, ...] = ("bearer", "apiKey")


def _whole(low: int, high: int, **more: object) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high, **more}


def _words(words: type[QueueStatus] | type[ItemStatus]) -> dict[str, Any]:
    return {"type": "string", "enum": [word.value for word in words]}


_BIG: Final = 10**18 - 1
_KEY: Final = {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"}
_WHOM: Final = "whom a superuser acts for; an ordinary client may name itself"
ACCOUNT: Final = (
    Parameter("accountcode", _WHOM, {"type": "string"}, "client_xyz"),
    Parameter("client_code", f"as accountcode: {_WHOM}", {"type": "string"}, "client_xyz"),
)
ONCE: Final = (
    Parameter(
        "Idempotency-Key",
        "The same request under the same key again gets the first answer, once more done nothing",
        _KEY,
        "7b0d6c1e-order-4711",
        place="header",
    ),
    Parameter(
        "X-Idempotency-Key",
        "as Idempotency-Key, for clients that know this name",
        _KEY,
        "7b0d6c1e-order-4711",
        place="header",
    ),
)
PAGE: Final = (
    Parameter("page", "from 1", _whole(1, 10**9, default=1), 1),
    Parameter("page_size", "entries of a page", _whole(1, 1000, default=100), 100),
)
QUEUE_ID: Final = Parameter(
    "queue_id", "the queue", _whole(0, _BIG), 123, required=True, place="path"
)
MASTER_QUEUE_ID: Final = Parameter(
    "master_queue_id", "the queue", _whole(0, _BIG), 123, required=True
)
QUEUE_FILTERS: Final = (
    Parameter("queue_status", "only queues in this state", _words(QueueStatus), "in-progress"),
)
ITEM_FILTERS: Final = (
    Parameter("call_status", "only items in this state", _words(ItemStatus), "pending"),
    Parameter(
        "disposition",
        "only items that ended so",
        {"type": "string", "enum": [word.value for word in (*Disposition, *ItemEnd)]},
        "busy",
    ),
    Parameter("batch_id", "only items of this batch", _whole(-_BIG, _BIG), 12345),
    Parameter("call_id", "only the item of this call", {"type": "string"}, "call-uuid-1234"),
    Parameter("phone_number", "only items to this number", {"type": "string"}, "1234567890"),
)

OPERATIONS: Final[dict[str, Operation]] = {
    "create_client": Operation(
        "clients",
        schemas.ClientAnswer,
        examples.CLIENT_MADE,
        (*KEYED, *WITH_BODY, *problems.SUPERUSER, *problems.BAD_CLIENT),
        body="NewClient",
        requests={"complete": examples.CLIENT, "small": examples.SMALL_CLIENT},
        parameters=ONCE,
    ),
    "regenerate_key": Operation(
        "clients",
        schemas.ClientAnswer,
        examples.KEY_MADE,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT),
        body="Account",
        requests={"none": {}, "superuser": {"accountcode": "client_xyz"}},
        bodiless=True,
        parameters=(*ACCOUNT, *ONCE),
    ),
    "revoke_key": Operation(
        "clients",
        schemas.ClientAnswer,
        examples.KEY_REVOKED,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT),
        body="Account",
        requests={"none": {}, "superuser": {"accountcode": "client_xyz"}},
        bodiless=True,
        parameters=(*ACCOUNT, *ONCE),
    ),
    "show_signing": Operation(
        "clients",
        schemas.SigningAnswer,
        examples.SIGNING,
        (*KEYED, *FOR_A_CLIENT, *problems.BAD_QUERY),
        parameters=ACCOUNT,
    ),
    "regenerate_signing": Operation(
        "clients",
        schemas.SigningAnswer,
        examples.SECRET_MADE,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT, *problems.BAD_GRACE),
        body="SecretChange",
        requests={"none": {}, "grace": {"grace_hours": 48}},
        bodiless=True,
        parameters=(*ACCOUNT, *ONCE),
    ),
    "show_connection": Operation("clients", schemas.ConnectionAnswer, examples.CONNECTION, KEYED),
    "insert_batch": Operation(
        "calls",
        schemas.BatchAnswer,
        examples.BATCH_MADE,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT, *problems.BAD_BATCH),
        body="BatchRequest",
        requests={
            "complete": examples.BATCH,
            "small": examples.SMALL_BATCH,
            "texts": examples.TEXT_BATCH,
        },
        parameters=(*ACCOUNT, *ONCE),
    ),
    "insert_quick_call": Operation(
        "calls",
        schemas.QuickCallAnswer,
        examples.QUICK_CALL_MADE,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT, *problems.BAD_QUICK_CALL),
        body="QuickCallRequest",
        requests={"complete": examples.QUICK_CALL, "small": examples.SMALL_QUICK_CALL},
        parameters=(*ACCOUNT, *ONCE),
    ),
    "list_queues": Operation(
        "queues",
        schemas.QueuePage,
        examples.QUEUES,
        (*KEYED, *FOR_A_CLIENT, *problems.BAD_PAGE),
        parameters=(*PAGE, *QUEUE_FILTERS, *ACCOUNT),
    ),
    "list_items": Operation(
        "queues",
        schemas.ItemPage,
        examples.ITEMS,
        (*KEYED, *FOR_A_CLIENT, *problems.BAD_PAGE, *problems.BAD_ITEMS),
        parameters=(MASTER_QUEUE_ID, *PAGE, *ITEM_FILTERS, *ACCOUNT),
    ),
    "update_queue": Operation(
        "queues",
        schemas.QueueAnswer,
        examples.QUEUE_CHANGED,
        (*KEYED, *WITH_BODY, *FOR_A_CLIENT, *problems.BAD_CHANGE),
        body="QueueChange",
        requests={"all": examples.CHANGE, "pause": {"queue_status": "paused"}},
        parameters=(QUEUE_ID, *ACCOUNT, *ONCE),
    ),
    "flush_queues": Operation(
        "queues",
        schemas.FlushedAnswer,
        examples.FLUSHED,
        (*KEYED, *FOR_A_CLIENT, *problems.BAD_QUERY),
        parameters=ACCOUNT,
    ),
    "show_health": Operation(
        "health", schemas.HealthAnswer, examples.ALIVE, problems.NOWHERE, keyed=False
    ),
    "show_readiness": Operation(
        "health",
        schemas.ReadinessAnswer,
        examples.READY,
        (*problems.NOWHERE, *problems.NOT_READY),
        keyed=False,
    ),
}
