"""The lifecycles of queue, item, attempt and delivery, as tables of enums.

Every table maps a state to the states it may move to. A missing entry is an error
(`IllegalTransition`), terminal states map to the empty set. The store's guarded writes name the
state they leave; these tables say which writes may exist at all.
"""

from enum import StrEnum
from typing import Final, TypeVar

from dialer.errors import IllegalTransition


class QueueStatus(StrEnum):
    """A queue's life, in the words of the client API (docs/client-api.md)."""

    PENDING = "pending"
    IN_PROGRESS = "in-progress"
    PAUSED = "paused"
    COMPLETED = "completed"


class QueueKind(StrEnum):
    """A batch queue completes when its items have ended; the quick queue of a client never does."""

    BATCH = "batch"
    QUICK = "quick"


class ItemStatus(StrEnum):
    """`call_status` of an item (docs/dialing.md)."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSED = "processed"
    TERMINATED = "terminated"


class ItemEnd(StrEnum):
    """Why an item ended without a further attempt: the disposition of its closing callback."""

    EXPIRED = "expired"
    TERMINATED = "terminated"


class CallbackEvent(StrEnum):
    """Callbacks about a call that goes on: only for clients that asked for them."""

    STARTED = "call_started"
    ANSWERED = "call_answered"


class AttemptState(StrEnum):
    """An attempt is on disk as `open` before its Originate leaves, and `ended` with its CDR. One
    that certainly never left is `withdrawn`: its row goes, its item keeps its ids for the next."""

    OPEN = "open"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class DeliveryState(StrEnum):
    """A delivery waits (`pending`) until it is acknowledged or given up (`dead`). A CDR that SGAPI
    took is `accepted` until its task there has ended."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEAD = "dead"


QUEUE_TRANSITIONS: Final = {
    QueueStatus.PENDING: {QueueStatus.IN_PROGRESS, QueueStatus.PAUSED, QueueStatus.COMPLETED},
    QueueStatus.IN_PROGRESS: {QueueStatus.PAUSED, QueueStatus.COMPLETED},
    QueueStatus.PAUSED: {QueueStatus.IN_PROGRESS, QueueStatus.COMPLETED},
    # Reopened by a new batch, unless its client completed it (Queue.closed).
    QueueStatus.COMPLETED: {QueueStatus.IN_PROGRESS},
}

ITEM_TRANSITIONS: Final = {
    ItemStatus.PENDING: {ItemStatus.QUEUED, ItemStatus.TERMINATED},
    ItemStatus.QUEUED: {ItemStatus.PENDING, ItemStatus.PROCESSED, ItemStatus.TERMINATED},
    ItemStatus.PROCESSED: set(),
    ItemStatus.TERMINATED: set(),
}

ATTEMPT_TRANSITIONS: Final = {
    AttemptState.OPEN: {AttemptState.ENDED, AttemptState.WITHDRAWN},
    AttemptState.WITHDRAWN: {AttemptState.OPEN},
    AttemptState.ENDED: set(),
}

DELIVERY_TRANSITIONS: Final = {
    DeliveryState.PENDING: set(DeliveryState),
    # Sent again (`pending`) where the gateway knows nothing of it any more.
    DeliveryState.ACCEPTED: set(DeliveryState),
    DeliveryState.DEAD: {DeliveryState.PENDING},  # replayed by an operator
    DeliveryState.DELIVERED: set(),
}

State = TypeVar("State", bound=StrEnum)


def check_transition(table: dict[State, set[State]], old: State, new: State) -> None:
    """Raise `IllegalTransition` unless `table` allows `old` → `new`."""
    if new not in table[old]:
        raise IllegalTransition(old, new)
