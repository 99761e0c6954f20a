"""Waits before retries when their queue's gap is changed.

The change marks its queue (`moved_upto`); `move_some` then reckons the waits anew, from the ends of
the attempts before, so that it does not matter whether one was reckoned already. While the mark is
there no retry of the queue is granted. It outlives a crash, as `ending` does.
"""

from typing import Final

from sqlalchemy import Connection, func, select, update

from dialer.states import ItemStatus
from dialer.store import tables as t
from dialer.store.reading import read_all
from dialer.store.rows import word

# Items that one transaction looks at, whether they wait for a retry or not.
LOOKED_AT: Final = 700

_i, _q = t.items.c, t.queues.c
# Those whose wait the queue's gap decided.
_waits = (
    (_i.status == word(ItemStatus.PENDING))
    & _i.due_at.is_not(None)
    & (_i.attempts > 0)
    & ~_i.after_unplaced
)
last_end: Final = (
    select(t.attempts.c.ended_at)
    .where(t.attempts.c.cdr_id == _i.last_cdr_id)
    .correlate(t.items)
    .scalar_subquery()
)


def move_some(connection: Connection, queue_id: int) -> bool:
    """Go on with a queue's mark, if it has one; whether there is more to do. The mark goes with
    the last piece."""
    upto, gap = connection.execute(
        select(_q.moved_upto, _q.retry_gap).where(_q.id == queue_id)
    ).one()
    if upto is None:
        return False
    next_ones = (
        select(_i.id)
        .where(_i.queue_id == queue_id, _i.id > upto)
        .order_by(_i.id)
        .limit(LOOKED_AT)
        .subquery()
    )
    looked_at, last = connection.execute(
        select(func.count(next_ones.c.id), func.max(next_ones.c.id))
    ).one()
    connection.execute(
        update(t.items)
        .where(_i.id.in_(select(next_ones.c.id)), _waits)
        .values(due_at=func.coalesce(last_end + gap * 1_000_000, _i.due_at))
    )
    is_done = looked_at < LOOKED_AT
    mark = {"moved_upto": None if is_done else last}
    connection.execute(update(t.queues).where(_q.id == queue_id).values(mark))
    return not is_done


def moving_queues(connection: Connection) -> list[int]:
    """The smallest first: none waits long behind one of very many items."""
    query = select(_q.id).where(_q.moved_upto.is_not(None)).order_by(_q.total_count, _q.id)
    return [raw[0] for raw in read_all(connection, query)]
