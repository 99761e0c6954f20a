"""What the product sends to its clients, for the OpenAPI description: the native callbacks of
`dialer.delivery.callback`, which are built there and fit these models (tested)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ami import Disposition
from dialer.api.schemas import Count, Id, Shape, Time
from dialer.delivery.callback import EVENTS, OTHER_EVENT
from dialer.states import CallbackEvent, ItemEnd

EventType = Literal[
    "call_completed",
    "call_busy",
    "call_no_answer",
    "call_timeout",
    "call_failed",
    "call_started",
    "call_answered",
]
HowItEnded = Annotated[
    str, Field(json_schema_extra={"enum": [word.value for word in (*Disposition, *ItemEnd)]})
]


class LegShown(Shape):
    """The second leg of a call."""

    channel: str | None
    dial_status: str | None
    cause: int | None
    sip_code: int | None
    answered_at: Time | None
    ended_at: Time | None


class CallbackData(Shape):
    """What there is to know beyond the callback's own fields."""

    billsec: Annotated[int, Field(ge=0, description="seconds talked")]
    ring_time: Annotated[int, Field(ge=0, description="seconds")]
    queue_id: Id
    project: str | None
    contact_number: int | str | None
    cause: int | None = Field(description="Asterisk's hangup cause of the first leg")
    cause_text: str | None
    sip_code: int | None
    leg_b: LegShown | None
    connected: bool = Field(description="the far end of the application was reached")
    end_estimated: bool = Field(description="its end was not seen")
    recording_path: str | None
    sip_call_id: str | None


class Callback(Shape):
    """How an attempt ended, that an item ends without one, or what became of a call so far."""

    event_type: EventType
    accountcode: str
    batch_id: int | None = Field(description="null for quick calls")
    call_id: str = Field(description="the same for all attempts of an item")
    phone_number: str = Field(description="the number dialed")
    call_status: Literal["pending", "queued", "processed", "terminated"]
    disposition: HowItEnded | None = Field(description="null while the call goes on")
    duration: Annotated[int, Field(ge=0, description="end - start in whole seconds")]
    start_time: Time | None = Field(description="null for an item that ends without an attempt")
    end_time: Time | None
    recording_url: str | None
    custom_data: CallbackData
    server_code: str
    error_message: str | None
    cdr_id: str | None = Field(description="of this attempt; null when there was none")
    channel_id: str | None
    attempt: Count
    final: bool = Field(description="nothing follows for this item")
    next_attempt_at: Time | None


EXAMPLE: Final[Mapping[str, Any]] = {
    "event_type": "call_completed",
    "accountcode": "client_xyz",
    "batch_id": 12345,
    "call_id": "call-uuid-1234",
    "phone_number": "1234567890",
    "call_status": "processed",
    "disposition": "answered",
    "duration": 44,
    "start_time": "2024-01-01T10:00:00.120Z",
    "end_time": "2024-01-01T10:00:44.480Z",
    "recording_url": None,
    "custom_data": {
        "billsec": 38,
        "ring_time": 6,
        "queue_id": 123,
        "project": "campaign_2024",
        "contact_number": 1234567890,
        "cause": 16,
        "cause_text": "Normal Clearing",
        "sip_code": None,
        "leg_b": {
            "channel": "PJSIP/endpoint2-00000001",
            "dial_status": "ANSWER",
            "cause": 16,
            "sip_code": None,
            "answered_at": "2024-01-01T10:00:12.000Z",
            "ended_at": "2024-01-01T10:00:44.480Z",
        },
        "connected": True,
        "end_estimated": False,
        "recording_path": None,
        "sip_call_id": "1f0d0a4e-5a1e-4f7d-9f0a-0d8c5a1b2c3d",
    },
    "server_code": "server1",
    "error_message": None,
    "cdr_id": "018cc251-f400-7a3b-8000-000000000001",
    "channel_id": "018cc251-f400-7a3b-8000-000000000002",
    "attempt": 1,
    "final": True,
    "next_attempt_at": None,
}
EXPIRED: Final[Mapping[str, Any]] = {
    **EXAMPLE,
    "event_type": "call_timeout",
    "call_status": "terminated",
    "disposition": "expired",
    "duration": 0,
    "start_time": None,
    "end_time": None,
    "custom_data": {
        **EXAMPLE["custom_data"],
        **dict.fromkeys(("billsec", "ring_time"), 0),
        **dict.fromkeys(("cause", "cause_text", "leg_b", "sip_call_id")),
        "connected": False,
    },
    "error_message": "deadline passed before a further attempt could start",
    "cdr_id": None,
    "channel_id": None,
    "attempt": 0,
}

STARTED: Final[Mapping[str, Any]] = {
    **EXAMPLE,
    "event_type": "call_started",
    "call_status": "queued",
    "disposition": None,
    "duration": 0,
    "end_time": None,
    "custom_data": EXPIRED["custom_data"],
    "final": False,
}

_HEADERS: Final = {
    "Idempotency-Key": ("the same at every repetition", EXAMPLE["cdr_id"]),
    "webhook-id": ("the same as Idempotency-Key", EXAMPLE["cdr_id"]),
    "webhook-timestamp": ("epoch second of this try", "1704103245"),
    "webhook-signature": (
        "Standard Webhooks: for each live secret `v1,` and the base64 of the HMAC-SHA256 over "
        "`{webhook-id}.{webhook-timestamp}.{body}`, with a blank between",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_RECEIVED: Final = {
    "2XX": "Delivered",
    "410": "The URL wants nothing more; it gets nothing until the operator sets it again",
    "429": "Tried again after `Retry-After`; does not count",
    "default": "Redirects, too: tried again over a day",
}


def describe_webhooks(ref: str) -> dict[str, Any]:
    """The `webhooks` of the description; `ref` is a schema's address with `{model}` in it."""
    examples = {"answered": EXAMPLE, "expired": EXPIRED, "started": STARTED}
    shown = {name: {"value": dict(example)} for name, example in examples.items()}
    schema = {"$ref": ref.format(model=Callback.__name__)}
    events = ", ".join(f"{how} `{event}`" for how, event in EVENTS.items())
    asked = " and ".join(f"`{event}`" for event in CallbackEvent)
    callback = {
        "tags": ["callbacks"],
        "summary": "Callback",
        "operationId": "callback",
        "description": (
            "One POST to the client's `callbackurl` for every attempt, and one for an item that "
            f"ends without one: {events}, all else `{OTHER_EVENT}`. Clients with another "
            "`callback_shape` get that shape instead. Clients that asked for them by "
            f"`callback_events` are told of {asked}, too: in this shape, once a call. "
            "At least once, in no promised order."
        ),
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, (description, example) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": shown}},
        },
        "responses": {status: {"description": said} for status, said in _RECEIVED.items()},
    }
    return {"callback": {"post": callback}}
