"""What the API answers, as models: the schemas of the OpenAPI description. Nothing is built from
them; that the answers fit them is tested (tests/api)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialer.states import ItemStatus, QueueStatus

Id = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="UTC")]
QueueWord = Literal[QueueStatus.PENDING, "in-progress", "paused", "completed"]


class Shape(BaseModel):
    """Nothing but what is named."""

    model_config = ConfigDict(extra="forbid")


class FieldProblem(Shape):
    """One error of a body."""

    index: Annotated[int, Field(ge=0)] | None = Field(
        description="the item's place in its batch; null: the body itself"
    )
    field: str
    message: str


class ErrorAnswer(Shape):
    """Every error."""

    message: str
    status: Literal["error"]
    details: str = Field(default="", min_length=1, description="absent when there are none")
    errors: list[FieldProblem] = Field(
        default=[], min_length=1, description="each wrong field; absent when there are none"
    )


class Success(Shape):
    """The envelope of most answers."""

    message: str
    status: Literal["success"]


class ClientAnswer(Shape):
    """A client. Its key is shown once, when it is made."""

    id: Id
    name: str
    accountcode: str
    username: str
    api_key: str | None = Field(description="null when there is none, or it was shown before")
    is_active: bool
    status: str
    created_at: Time
    updated_at: Time


class SigningAnswer(Shape):
    """A client's signing secret, shown once, when it is made."""

    accountcode: str
    signing_secret: str | None = Field(description="null unless it was just made")
    version: Annotated[int, Field(ge=1)]
    previous_valid_until: Time | None = Field(description="until then the one before signs, too")


class BatchData(Shape):
    queue_id: Id
    inserted_count: Count
    batch_id: int


class BatchAnswer(Success):
    """A batch that is on disk."""

    data: BatchData


class QuickCallData(Shape):
    call_id: str
    queue_id: Id


class QuickCallAnswer(Success):
    """A quick call that is on disk."""

    data: QuickCallData


class QueueListed(Shape):
    """A queue with its counts."""

    id: Id
    client_id: Id
    accountcode: str
    queue_name: str
    queue_status: QueueWord
    retry: bool
    retry_count: Count
    retry_gap: Annotated[int, Field(ge=0, description="seconds")]
    created_at: Time
    updated_at: Time
    dids: list[str]
    total_count: Count
    pending_count: Count
    queued_count: Count
    processed_count: Count
    terminated_count: Count


class QueueAnswer(Success):
    """A queue after its change."""

    data: QueueListed


class ActionListed(Shape):
    """An Originate as it was understood, in the documented spelling, with all defaults."""

    Action: Literal["Originate"]
    ActionID: str | None
    Channel: str
    Application: str | None
    Data: str | None
    Timeout: Annotated[int, Field(ge=1000, le=120_000, description="ms")]
    CallerID: str | None
    Variable: str | None
    Account: str | None
    EarlyMedia: bool
    Async: bool
    Codecs: str | None
    ChannelId: str | None
    OtherChannelId: str | None
    PreDialGoSub: str | None


class ItemListed(Shape):
    """An item, its state as it is now. Those of quick calls carry what was asked for as well."""

    id: Id
    queue_id: Id
    batch_id: int | None
    call_id: str
    asterisk_server_code: str
    caller_id: str | None
    action: ActionListed
    retry: Count
    call_tried: Count
    call_success: Count
    call_failed: Count
    call_status: Literal[ItemStatus.PENDING, "queued", "processed", "terminated"]
    connected: bool
    create_recording: bool
    recording_format: str
    queue_type: Literal["outbound"]
    queue_status: QueueWord
    call_timeout: Annotated[int, Field(ge=1, le=120, description="seconds")]
    recording_path: str | None
    mix_monitor_command: str | None
    disposition: str | None
    contact_number: int | str | None
    project: str | None
    deadline: Time | None
    last_cdr_id: str | None
    number1: str = ""
    number2: str | None = None
    customer_name: str = ""
    prefix: str | None = None
    endpoint: str | None = None


class Pagination(Shape):
    """Where in its list a page is; indexes count from 1."""

    previous_page: int | None
    next_page: int | None
    start_index: Count
    end_index: Count
    total_entries: Count
    total_pages: Count
    page: Annotated[int, Field(ge=1)]


class QueuePage(Shape):
    """A page of queues."""

    pagination: Pagination
    results: list[QueueListed]
    status: Literal["success"]


class ItemPage(Shape):
    """A page of items."""

    pagination: Pagination
    results: list[ItemListed]
    status: Literal["success"]


class HealthAnswer(Success):
    """Alive."""

    data: dict[str, Any]


class ReadinessAnswer(Success):
    """Every part that must be there, and that it is."""

    data: dict[str, bool]


class ConnectionData(Shape):
    accountcode: str
    name: str
    is_superuser: bool


class ConnectionAnswer(Success):
    """Whose key this is."""

    data: ConnectionData


class FlushedData(Shape):
    flushed_count: Count


class FlushedAnswer(Success):
    """How many waiting items were ended."""

    data: FlushedData
