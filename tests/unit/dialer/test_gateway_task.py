"""What is told of a CDR's task: states, keys in documented order, reasons without addresses."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.gateway_task import UNREACHABLE, describe_created, describe_task, name_task
from dialer.states import DeliveryState
from dialer.store.records import ForeignCdr, SgapiTask, Task

AT = 1_705_314_960.75  # 2024-01-15T10:36:00Z
UUID = "550e8400-e29b-41d4-a716-446655440000"
CDR_ID = "018d0d0c-9e80-7000-8a2b-3c4d5e6f7a8b"
NEW = SgapiTask(
    UUID, CDR_ID, True, '"Bob" <+15551234567>', "+15559876543", "answered", 330, AT, AT + 5
)
ADDRESS = "no connection: Connect call failed ('10.0.0.7', 9000)"


def tell(**changes: Any) -> dict[str, Any]:
    return describe_task(replace(NEW, **changes))


def test_a_completed_task_has_the_documents_keys_in_its_order() -> None:
    task = Task(AT, state="completed", reference="sgapi_ref_12345")
    told = tell(state=DeliveryState.DELIVERED, tries=1, status=200, ended_at=AT + 5, task=task)
    assert list(told.items()) == [
        ("uuid", UUID),
        ("task_id", "task_018d0d0c9e8070008a2b3c4d5e6f7a8b"),
        ("cdr_id", CDR_ID),
        ("state", "completed"),
        ("caller_id", '"Bob" <+15551234567>'),
        ("called_number", "+15559876543"),
        ("disposition", "ANSWERED"),
        ("duration", 330),
        ("sgapi_status", "synced"),
        ("sgapi_reference", "sgapi_ref_12345"),
        ("created_at", "2024-01-15T10:36:00Z"),
        ("updated_at", "2024-01-15T10:36:05Z"),
        ("completed_at", "2024-01-15T10:36:05Z"),
    ]


def test_a_failed_task_has_its_reason_before_the_times() -> None:
    task = Task(
        AT, state="failed", error="SGAPI validation failed: invalid queue_id", retry_count=3
    )
    told = tell(state=DeliveryState.DEAD, tries=1, status=200, ended_at=AT + 5, task=task)
    assert list(told)[9:] == [
        *("sgapi_reference", "error_message", "retry_count"),
        *("created_at", "updated_at", "completed_at"),
    ]
    assert (told["state"], told["sgapi_status"], told["completed_at"]) == ("failed", "error", None)
    assert told["error_message"] == "SGAPI validation failed: invalid queue_id"
    assert (told["retry_count"], told["sgapi_reference"]) == (3, None)


@pytest.mark.parametrize(
    ("changes", "state", "sync"),
    [
        ({}, "pending", "pending"),  # no SGAPI
        ({"state": DeliveryState.PENDING}, "pending", "pending"),
        ({"state": DeliveryState.PENDING, "status": 429, "error": "x"}, "pending", "pending"),
        ({"state": DeliveryState.PENDING, "status": 503, "tries": 2}, "retrying", "error"),
        ({"state": DeliveryState.ACCEPTED, "tries": 1}, "processing", "syncing"),
        (
            {"state": DeliveryState.ACCEPTED, "task": Task(AT, state="processing")},
            "processing",
            "syncing",
        ),
        (
            {"state": DeliveryState.ACCEPTED, "task": Task(AT, state="retrying")},
            "retrying",
            "error",
        ),
        ({"state": DeliveryState.DELIVERED, "ended_at": AT}, "completed", "synced"),
        ({"state": DeliveryState.DEAD, "ended_at": AT}, "failed", "error"),
    ],
)
def test_states(changes: dict[str, Any], state: str, sync: str) -> None:
    told = tell(**changes)
    assert (told["state"], told["sgapi_status"]) == (state, sync)
    has_failed = state in ("retrying", "failed")
    assert ("error_message" in told) is ("retry_count" in told) is has_failed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": None, "error": ADDRESS}, UNREACHABLE),
        ({"status": 502, "error": "HTTP 502: upstream 10.0.0.7"}, "SGAPI answered HTTP 502"),
        (
            {"status": 422, "error": "HTTP 422: bad queue"},
            "SGAPI refused the CDR: HTTP 422: bad queue",
        ),
        ({"status": 200, "error": "not completed after 3 days"}, "SGAPI did not complete the CDR"),
    ],
)
def test_reasons_name_no_address_of_the_operators(changes: dict[str, Any], reason: str) -> None:
    assert tell(state=DeliveryState.DEAD, tries=11, **changes)["error_message"] == reason


def test_retries_are_the_tries_after_the_first() -> None:
    assert tell(state=DeliveryState.PENDING, tries=1, status=500)["retry_count"] == 1  # to come
    assert tell(state=DeliveryState.DEAD, tries=11, status=500)["retry_count"] == 10
    assert tell(state=DeliveryState.DEAD, tries=1, status=422, error="x")["retry_count"] == 0


def test_of_a_call_of_ours_the_number_is_told() -> None:
    assert tell(foreign=False)["caller_id"] == "+15551234567"
    assert tell(foreign=False, caller_id=None)["caller_id"] == ""


def test_what_was_made_is_told_with_its_entity() -> None:
    cdr = ForeignCdr(1, UUID, CDR_ID, None, {}, AT)
    plain = {
        "task_id": name_task(CDR_ID),
        "uuid": UUID,
        "cdr_id": CDR_ID,
        "state": "pending",
        "created_at": "2024-01-15T10:36:00Z",
        "message": "CDR task created successfully",
    }
    assert list(describe_created(cdr).items()) == list(plain.items())
    told = describe_created(replace(cdr, entity="outbound_sales"))
    assert list(told)[:3] == ["task_id", "entity", "uuid"]
    assert told == plain | {
        "entity": "outbound_sales",
        "message": "CDR task created successfully for entity: outbound_sales",
    }
