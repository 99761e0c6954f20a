"""Lists as the documents have them."""

import pytest

from dialer.api.listing import show_item, show_page, show_queue
from dialer.states import ItemStatus, QueueStatus
from dialer.store.contract import Item
from tests.unit.dialer.builders import make_queue


@pytest.mark.parametrize(
    ("page", "size", "total", "shown", "expected"),
    [
        (1, 10, 0, 0, (None, None, 0, 0, 0, 0)),
        (1, 10, 10, 10, (None, None, 1, 10, 10, 1)),
        (1, 10, 11, 10, (None, 2, 1, 10, 11, 2)),
        (2, 10, 11, 1, (1, None, 11, 11, 11, 2)),
        (2, 10, 30, 10, (1, 3, 11, 20, 30, 3)),
        (9, 10, 11, 0, (2, None, 0, 0, 11, 2)),
    ],
)
def test_pagination(
    page: int, size: int, total: int, shown: int, expected: tuple[int | None, ...]
) -> None:
    content = show_page([{}] * shown, page, size, total)
    assert list(content) == ["pagination", "results", "status"]
    assert list(content["pagination"]) == [
        "previous_page",
        "next_page",
        "start_index",
        "end_index",
        "total_entries",
        "total_pages",
        "page",
    ]
    assert tuple(content["pagination"].values()) == (*expected, page)


def test_a_queue() -> None:
    queue = make_queue(3, status=QueueStatus.PAUSED, dids=("1",), created_at=1704103200.7)
    shown = show_queue(queue, "alpha")
    assert list(shown) == [
        "id",
        "client_id",
        "accountcode",
        "queue_name",
        "queue_status",
        "retry",
        "retry_count",
        "retry_gap",
        "created_at",
        "updated_at",
        "dids",
        "total_count",
        "pending_count",
        "queued_count",
        "processed_count",
        "terminated_count",
    ]
    assert (shown["queue_status"], shown["dids"]) == ("paused", ["1"])
    assert shown["created_at"] == "2024-01-01T10:00:00Z"


def test_an_items_state_is_that_of_now() -> None:
    item = Item(
        id=5,
        client_id=1,
        queue_id=3,
        server_id=1,
        batch_id=7,
        status=ItemStatus.PROCESSED,
        call_id="call",
        number="100",
        caller_id=None,
        payload={"project": "p", "call_tried": 0, "call_status": "pending", "connected": False},
        attempts=2,
        disposition="answered",
        connected=True,
        call_success=1,
        call_failed=1,
        due_at=None,
        deadline=None,
        last_cdr_id="cdr",
        created_at=0.0,
        ended_at=9.0,
    )
    assert show_item(item, make_queue(3, status=QueueStatus.COMPLETED)) == {
        "id": 5,
        "queue_id": 3,
        "batch_id": 7,
        "call_id": "call",
        "project": "p",
        "call_tried": 2,
        "call_success": 1,
        "call_failed": 1,
        "call_status": "processed",
        "connected": True,
        "queue_status": "completed",
        "disposition": "answered",
        "last_cdr_id": "cdr",
    }
