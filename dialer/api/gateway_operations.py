"""What the OpenAPI description says of the gateway's routes, by the name of their handlers (those
of our own API are in `operations.py`)."""

from typing import Final

from dialer.api import gateway_shapes as shapes
from dialer.api.gateway import NAME
from dialer.api.operations import ACCOUNT, ONCE, Operation, Parameter
from dialer.fields import text
from dialer.gateway import ENTITY_PATTERN, UUID_PATTERN

ENTITY: Final = Parameter(
    NAME,
    "of PUT: an entity of SGAPI's that the CDR is for",
    text(ENTITY_PATTERN),
    "outbound_sales",
    required=True,
    place="path",
)
CDR_UUID: Final = Parameter(
    NAME,
    "of GET: the uuid of a CDR that was put, or the cdr_id of a call",
    text(UUID_PATTERN),
    shapes.CDR["uuid"],
    required=True,
    place="path",
)

GATEWAY_OPERATIONS: Final[dict[str, Operation]] = {
    "put_cdr": Operation(
        "gateway",
        shapes.CreatedAnswer,
        shapes.CREATED,
        (*shapes.KEYED, *shapes.BAD_CDR),
        body="CdrRequest",
        requests={"complete": shapes.CDR, "small": shapes.SMALL_CDR},
        parameters=(*ACCOUNT, *ONCE),
        failure=shapes.GatewayErrorAnswer,
    ),
    "put_entity_cdr": Operation(
        "gateway",
        shapes.CreatedAnswer,
        shapes.ENTITY_CREATED,
        (*shapes.KEYED, *shapes.BAD_CDR),
        body="CdrRequest",
        requests={"complete": shapes.CDR, "small": shapes.SMALL_CDR},
        parameters=(ENTITY, *ACCOUNT, *ONCE),
        failure=shapes.GatewayErrorAnswer,
    ),
    "show_task": Operation(
        "gateway",
        shapes.TaskAnswer,
        shapes.TASK,
        (*shapes.KEYED, *shapes.NO_TASK),
        parameters=(CDR_UUID, *ACCOUNT),
        failure=shapes.GatewayErrorAnswer,
    ),
}
