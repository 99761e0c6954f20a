"""What the OpenAPI description says of the gateway: answers, examples (the document's own), errors.

As in `schemas.py` nothing is built from the models; that the answers fit them is tested.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from dialer.api.gateway import MESSAGES, STATUSES
from dialer.api.problems import Problem
from dialer.api.schemas import Count, Shape, Time
from dialer.gateway import Code

TIMESTAMP: Final = "2024-01-15T10:36:00Z"


class GatewayFault(Shape):
    code: Literal[Code.INVALID_REQUEST, *(code.value for code in Code)]  # type: ignore[valid-type]
    message: str
    details: str | None = Field(description="what exactly is wrong")


class GatewayErrorAnswer(Shape):
    """Every error below /cdrtosgapi."""

    status: Literal["error"]
    error: GatewayFault
    timestamp: Time


class CreatedData(Shape):
    task_id: str
    entity: str = Field(default="", min_length=1, description="absent unless the path has one")
    uuid: str
    cdr_id: str
    state: Literal["pending"]
    created_at: Time
    message: str


class CreatedAnswer(Shape):
    """The CDR is on disk, and goes on to SGAPI."""

    status: Literal["success"]
    data: CreatedData


class TaskData(Shape):
    uuid: str
    task_id: str
    cdr_id: str
    state: Literal["pending", "processing", "completed", "failed", "retrying"]
    caller_id: str
    called_number: str
    disposition: str
    duration: Count
    sgapi_status: Literal["pending", "syncing", "synced", "error"]
    sgapi_reference: str | None
    error_message: str = Field(default="", description="only of failed and retrying ones")
    retry_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="only of failed and retrying ones"
    )
    created_at: Time
    updated_at: Time
    completed_at: Time | None


class TaskAnswer(Shape):
    """What became of the CDR at SGAPI."""

    status: Literal["success"]
    data: TaskData


@dataclass(frozen=True, slots=True)
class GatewayProblem(Problem):
    """A `Problem` in the gateway's shape; `name` is the code's."""

    @property
    def content(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "details": self.details or None}
        return {"status": "error", "error": error, "timestamp": TIMESTAMP}

    @property
    def code(self) -> str:
        return self.name.partition(" ")[0]


def _problem(code: Code, details: str = "", status: int = 0, case: str = "") -> GatewayProblem:
    name = f"{code} {case}".strip()
    message = MESSAGES.get(code, details)
    return GatewayProblem(status or STATUSES[code], name, message, details)


KEYED: Final = (
    _problem(Code.UNAUTHORIZED, "Invalid API key: no API key was given", 401),
    GatewayProblem(403, Code.FORBIDDEN, "Client is not active"),
    GatewayProblem(403, f"{Code.FORBIDDEN} account", "Account code is required for superuser"),
    _problem(Code.NOT_FOUND, "Client not found", 404, "client"),
    _problem(Code.INVALID_REQUEST, "Method not allowed", 405),
    GatewayProblem(409, Code.CONFLICT, "accountcode and client_code name different clients"),
    _problem(Code.RATE_LIMIT_EXCEEDED, "the limits are 100 a minute, 20 a second", 429),
    _problem(Code.INTERNAL_ERROR, "Internal server error", 500),
    _problem(Code.SGAPI_UNAVAILABLE, "Nothing was stored", 503),
)
"""What all of the gateway's paths can answer."""

BAD_CDR: Final = (
    _problem(Code.INVALID_REQUEST, "duration: Field required"),
    _problem(Code.INVALID_UUID, "uuid: must be 8-4-4-4-12 hexadecimal digits"),
    _problem(Code.INVALID_TIMESTAMP, "end_time: must be a date and time, as 2024-01-15T10:30:00Z"),
    _problem(Code.INVALID_DISPOSITION, "disposition: is no word of any of our APIs"),
    _problem(Code.DUPLICATE_CDR),
    GatewayProblem(
        409,
        f"{Code.CONFLICT} key",
        "Idempotency-Key was used before with another request",
    ),
    _problem(Code.INVALID_REQUEST, "Request body too large: the limit is 65536 bytes", 413),
    _problem(Code.INVALID_REQUEST, "Unsupported media type", 415),
    _problem(Code.VALIDATION_ERROR, "end_time: is before start_time"),
)
NO_TASK: Final = (
    _problem(Code.INVALID_UUID, "uuid: must be 8-4-4-4-12 hexadecimal digits"),
    _problem(Code.NOT_FOUND),
)

CDR: Final[dict[str, Any]] = {
    "uuid": "550e8400-e29b-41d4-a716-446655440000",
    "caller_id": "+15551234567",
    "called_number": "+15559876543",
    "start_time": "2024-01-15T10:30:00Z",
    "end_time": "2024-01-15T10:35:30Z",
    "duration": 330,
    "disposition": "ANSWERED",
    "direction": "inbound",
    "queue_id": "sales_queue_01",
    "agent_id": "agent_1234",
    "recording_url": "https://recordings.example.com/calls/550e8400.mp3",
    "custom_data": {"campaign_id": "camp_2024_01", "lead_source": "web_form"},
}
SMALL_CDR: Final = {
    "uuid": "550e8400-e29b-41d4-a716-446655440001",
    "caller_id": "",
    "called_number": "15559876543",
    "start_time": "2024-01-15 10:30:00",
    "end_time": "2024-01-15 10:30:20",
    "duration": 20,
    "disposition": "no-answer",
}
_TASK: Final = "task_018d0d0c9e8070008a2b3c4d5e6f7a8b"
_CDR_ID: Final = "018d0d0c-9e80-7000-8a2b-3c4d5e6f7a8b"
CREATED: Final[dict[str, Any]] = {
    "status": "success",
    "data": {
        "task_id": _TASK,
        "uuid": CDR["uuid"],
        "cdr_id": _CDR_ID,
        "state": "pending",
        "created_at": TIMESTAMP,
        "message": "CDR task created successfully",
    },
}
ENTITY_CREATED: Final[dict[str, Any]] = {
    "status": "success",
    "data": {
        "task_id": _TASK,
        "entity": "outbound_sales",
        "uuid": CDR["uuid"],
        "cdr_id": _CDR_ID,
        "state": "pending",
        "created_at": TIMESTAMP,
        "message": "CDR task created successfully for entity: outbound_sales",
    },
}
TASK: Final[dict[str, Any]] = {
    "status": "success",
    "data": {
        "uuid": CDR["uuid"],
        "task_id": _TASK,
        "cdr_id": _CDR_ID,
        "state": "failed",
        "caller_id": CDR["caller_id"],
        "called_number": CDR["called_number"],
        "disposition": "ANSWERED",
        "duration": 330,
        "sgapi_status": "error",
        "sgapi_reference": None,
        "error_message": "SGAPI validation failed: invalid queue_id",
        "retry_count": 3,
        "created_at": TIMESTAMP,
        "updated_at": "2024-01-15T10:38:00Z",
        "completed_at": None,
    },
}
