"""Queues and items as clients see them, and the envelope of a list (docs/client-api.md)."""

from typing import Any

from dialer.items import format_time
from dialer.store.contract import Item, Queue


def show_queue(queue: Queue, accountcode: str) -> dict[str, Any]:
    """A queue with its counts."""
    return {
        "id": queue.id,
        "client_id": queue.client_id,
        "accountcode": accountcode,
        "queue_name": queue.name,
        "queue_status": queue.status.value,
        "retry": queue.retry,
        "retry_count": queue.retry_count,
        "retry_gap": queue.retry_gap,
        "created_at": format_time(int(queue.created_at)),
        "updated_at": format_time(int(queue.updated_at)),
        "dids": list(queue.dids),
        "total_count": queue.total_count,
        "pending_count": queue.pending_count,
        "queued_count": queue.queued_count,
        "processed_count": queue.processed_count,
        "terminated_count": queue.terminated_count,
    }


def show_item(item: Item, queue: Queue) -> dict[str, Any]:
    """All QueueItem fields, those of its state as they are now, with id, batch_id, call_id and the
    last CDR's id."""
    return {
        "id": item.id,
        "queue_id": item.queue_id,
        "batch_id": item.batch_id,
        "call_id": item.call_id,
        **item.payload,
        "call_tried": item.attempts,
        "call_success": item.call_success,
        "call_failed": item.call_failed,
        "call_status": item.status.value,
        "connected": item.connected,
        "queue_status": queue.status.value,
        "disposition": item.disposition,
        "last_cdr_id": item.last_cdr_id,
    }


def show_page(results: list[dict[str, Any]], page: int, size: int, total: int) -> dict[str, Any]:
    """The envelope of a list. Indexes count from 1; both are 0 on a page without entries."""
    pages = -(-total // size)
    first = (page - 1) * size + 1
    return {
        "pagination": {
            "previous_page": min(page - 1, pages) or None,
            "next_page": page + 1 if page < pages else None,
            "start_index": first if results else 0,
            "end_index": first + len(results) - 1 if results else 0,
            "total_entries": total,
            "total_pages": pages,
            "page": page,
        },
        "results": results,
        "status": "success",
    }
