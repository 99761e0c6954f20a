"""Lanes: what waits of one queue for one server, of which only the next few are in memory.

The store keeps the rest. A lane says what it needs loaded (`needs_fresh`, `needs_retries`), the
loader brings it, the planner takes it. Items on their way (reserved, on the wire) are the
planner's; a load that overlaps with a reservation may bring one of them again, which is why a lane
knows what it holds and what was taken.
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dialer.store.contract import Candidate

FIRST_LOAD = 16
LARGEST_LOAD = 256
"""Items that one load brings: doubled while the lane is emptied faster than it is loaded, so that
thousands of idle queues cost little memory and a busy one few reads."""

MOST_HELD = 4 * LARGEST_LOAD
"""Fresh items in memory at most, when those at the head may not go yet."""

AHEAD = 2.0
"""Seconds before they are due that retries are loaded, so that they start on time."""

RELOAD = 0.05
"""Seconds between two loads of retries of one lane."""

HOLD_OFF = 1.0
"""Seconds that a lane rests after the store refused a reservation: what the worker believes of
its queue or client was out of date and is being read again."""


@dataclass(slots=True)
class Lane:
    """Times are wall-clock epoch seconds."""

    queue_id: int
    server_id: int
    client_id: int
    quick: bool
    fresh: deque[Candidate] = field(default_factory=deque)
    retries: deque[Candidate] = field(default_factory=deque)
    cursor: int = 0  # highest id of a fresh item loaded
    more: bool = True  # the store may hold fresh items behind the cursor
    load_size: int = FIRST_LOAD
    loading: bool = False
    retry_load_at: float | None = 0.0  # when to look for due retries; None: there are none
    looked_up_at: float | None = None  # the planner will look for retries no later than this
    resting_until: float = 0.0
    blocked: int = 0  # items at the head of `fresh` that may not go yet
    held: set[int] = field(default_factory=set)  # ids in `fresh` and `retries`
    generation: int = 0  # a load that began before a rescan brings nothing

    @property
    def needs_fresh(self) -> bool:
        free = len(self.fresh) - self.blocked
        return self.more and free * 2 < self.load_size and len(self.fresh) < MOST_HELD

    @property
    def has_room_for_retries(self) -> bool:
        return len(self.retries) * 2 < LARGEST_LOAD

    def needs_retries(self, now: float) -> bool:
        due = self.retry_load_at is not None and self.retry_load_at <= now
        return due and self.has_room_for_retries

    def add_fresh(self, found: Iterable[Candidate], asked: int, taken: set[int]) -> None:
        """A load of at most `asked` items behind the cursor came back."""
        rows = list(found)
        if not self.fresh and len(rows) == asked:
            self.load_size = min(2 * self.load_size, LARGEST_LOAD)
        self.more = len(rows) == asked
        for row in rows:
            self.cursor = max(self.cursor, row.id)
            if row.id not in self.held and row.id not in taken:
                self.held.add(row.id)
                self.fresh.append(row)

    def add_retries(
        self, found: Iterable[Candidate], next_at: float | None, taken: set[int], now: float
    ) -> None:
        """A load of retries due until `now + AHEAD` came back; `next_at`: the first one later."""
        for row in found:
            if row.id not in self.held and row.id not in taken:
                self.held.add(row.id)
                insort(self.retries, row, key=_due_at)
        if next_at is not None:
            self._look_at(max(next_at - AHEAD, now + RELOAD))

    def note_retry(self, due_at: float, now: float) -> None:
        """An item of this lane will be due for another attempt."""
        self._look_at(max(due_at - AHEAD, now))

    def _look_at(self, at: float) -> None:
        if self.retry_load_at is None or at < self.retry_load_at:
            self.retry_load_at = at

    @property
    def is_idle(self) -> bool:
        """Nothing is held, under way, or expected."""
        return not (self.held or self.more or self.loading or self.retry_load_at is not None)

    def rescan(self) -> None:
        """Forget what was loaded and look at the store from the start."""
        self.fresh.clear()
        self.retries.clear()
        self.held.clear()
        self.blocked = 0
        self.generation += 1
        self.cursor = 0
        self.more = True
        self.retry_load_at = 0.0
        self.resting_until = 0.0

    def rest(self, now: float) -> None:
        """The store refused one of its items: look again, but not in a hot loop."""
        self.rescan()
        self.resting_until = now + HOLD_OFF

    def due_retry(self, now: float) -> Candidate | None:
        """The first retry if it is due."""
        if self.retries and _due_at(self.retries[0]) <= now:
            return self.retries[0]
        return None

    def next_due_at(self, now: float) -> float | None:
        """When the first retry that is not due yet will be."""
        place = bisect_right(self.retries, now, key=_due_at)
        return _due_at(self.retries[place]) if place < len(self.retries) else None

    def take(
        self, now: float, *, retry: bool, blocked: Callable[[Candidate], bool]
    ) -> Candidate | None:
        """Remove and return the first due retry, or fresh item, that may go now.

        One whose deadline has passed is dropped (the store ends it); one that is `blocked` keeps
        its place and blocks nobody behind it.
        """
        line = self.retries if retry else self.fresh
        taken: Candidate | None = None
        place = 0
        while taken is None and place < len(line):
            item = line[place]
            if retry and _due_at(item) > now:
                return None
            if item.deadline is not None and item.deadline <= now:
                self._remove(line, place)
            elif blocked(item):
                place += 1
            else:
                self._remove(line, place)
                taken = item
        if not retry:
            self.blocked = place
        return taken

    def put_back(self, item: Candidate) -> None:
        """What was taken, and could not start, has its place again; where a load after a rescan
        has not come to it yet, that brings it."""
        if item.id in self.held:
            return
        if item.due_at is not None:
            self.held.add(item.id)
            insort(self.retries, item, key=_due_at)
        elif item.id <= self.cursor:
            self.held.add(item.id)
            insort(self.fresh, item, key=_by_id)

    def _remove(self, line: deque[Candidate], place: int) -> None:
        self.held.discard(line[place].id)
        del line[place]


def _due_at(item: Candidate) -> float:
    return item.due_at if item.due_at is not None else 0.0


def _by_id(item: Candidate) -> int:
    return item.id
