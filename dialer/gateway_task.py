"""What `GET /cdrtosgapi/{uuid}` tells of a CDR, in the document's words (docs/gateway.md)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from dialer.delivery.sgapi import choose_word, extract_number
from dialer.delivery.timestamps import format_seconds
from dialer.states import DeliveryState
from dialer.store.records import ForeignCdr, SgapiTask


class TaskState(StrEnum):
    """Where a CDR is on its way to SGAPI."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"


SYNC: Final[Mapping[TaskState, str]] = MappingProxyType(
    {
        TaskState.PENDING: "pending",
        TaskState.PROCESSING: "syncing",
        TaskState.RETRYING: "error",
        TaskState.COMPLETED: "synced",
        TaskState.FAILED: "error",
    }
)
"""`sgapi_status` of each state."""

_REFUSED: Final = (400, 422)
UNREACHABLE: Final = "SGAPI could not be reached"


def name_task(cdr_id: str) -> str:
    """The id of a CDR's task."""
    return f"task_{cdr_id.replace('-', '')}"


def judge_state(task: SgapiTask) -> TaskState:
    """Pending until a try failed (one that SGAPI put off is none), processing from when SGAPI took
    it, retrying where a further try comes, here or there."""
    if task.state is DeliveryState.DELIVERED:
        return TaskState.COMPLETED
    if task.state is DeliveryState.DEAD:
        return TaskState.FAILED
    if task.state is DeliveryState.ACCEPTED:
        retries = task.task is not None and task.task.state == TaskState.RETRYING
        return TaskState.RETRYING if retries else TaskState.PROCESSING
    return TaskState.RETRYING if task.tries else TaskState.PENDING


def describe_created(cdr: ForeignCdr) -> dict[str, Any]:
    """The `data` of an accepted PUT."""
    message = "CDR task created successfully"
    data: dict[str, Any] = {"task_id": name_task(cdr.cdr_id)}
    if cdr.entity is not None:
        data["entity"] = cdr.entity
        message += f" for entity: {cdr.entity}"
    return data | {
        "uuid": cdr.uuid,
        "cdr_id": cdr.cdr_id,
        "state": TaskState.PENDING.value,
        "created_at": format_seconds(cdr.created_at),
        "message": message,
    }


def describe_task(task: SgapiTask) -> dict[str, Any]:
    """The `data` of a GET; error_message and retry_count only where something failed."""
    state = judge_state(task)
    told = task.task
    data: dict[str, Any] = {
        "uuid": task.uuid,
        "task_id": name_task(task.cdr_id),
        "cdr_id": task.cdr_id,
        "state": state.value,
        "caller_id": task.caller_id if task.foreign else extract_number(task.caller_id),
        "called_number": task.called_number,
        "disposition": choose_word(task.disposition),
        "duration": task.duration,
        "sgapi_status": SYNC[state],
        "sgapi_reference": told.reference if told else None,
    }
    if state in (TaskState.RETRYING, TaskState.FAILED):
        data["error_message"] = explain(task)
        data["retry_count"] = count_retries(task)
    completed = task.ended_at if state is TaskState.COMPLETED else None
    return data | {
        "created_at": format_seconds(task.created_at),
        "updated_at": format_seconds(task.updated_at),
        "completed_at": None if completed is None else format_seconds(completed),
    }


def explain(task: SgapiTask) -> str:
    """Why it failed: in SGAPI's words where it judged the CDR, else without the operator's
    addresses, which are no client's business."""
    if task.task is not None and task.task.error:
        return task.task.error
    if task.status in _REFUSED and task.error:
        return f"SGAPI refused the CDR: {task.error}"
    if task.status is None:
        return UNREACHABLE
    if task.status < 300:
        return "SGAPI did not complete the CDR"
    return f"SGAPI answered HTTP {task.status}"


def count_retries(task: SgapiTask) -> int:
    """Tries after the first, the one that is to come among them; SGAPI's own where it counts."""
    if task.task is not None and task.task.retry_count is not None:
        return max(0, task.task.retry_count)
    return task.tries if task.state is not DeliveryState.DEAD else max(0, task.tries - 1)
