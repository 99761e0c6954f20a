"""What is in memory of the outbox, and what may be sent next. Pure: no I/O, no clock.

The outbox on disk is the truth; this holds the next part of it. Deliveries come from two sides:
offered right after their commit (no read), or loaded from the store. An endpoint has a *line*: a
bounded FIFO, at most so many in flight, and a rest while it asked for one or fails.

What did not fit into memory stays on disk and makes the line *behind*: it is read page by page,
and takes no offers meanwhile (they would overtake), until a pass over the outbox comes to its end
with nothing left out. A delivery is *held* from entering until its outcome is on disk: a read that
meets it again does not take it twice.

In a sentence: never more in flight than the caps, never the same delivery twice at once, nothing
that was offered or read is forgotten, and each endpoint's deliveries start in the order they came.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from dialer.delivery import following
from dialer.delivery.verdict import Finding, Verdict
from dialer.store.contract import Delivery

BREAK_AFTER: Final = 10
"""Failures in a row after which an endpoint gets one try at a time, with rests between."""

FIRST_REST: Final = 1.0
LONGEST_REST: Final = 30.0
"""Seconds of those rests, doubling: a dead endpoint costs next to nothing, and one that comes back
is noticed within half a minute."""


ROUNDS: Final = 4
"""Of a client's endpoint, that one read claims: a claim takes some milliseconds, so a fast endpoint
goes on, and a slow one keeps little."""

PERIOD: Final = 0.1
"""Seconds: what a slow line may start in them starts together, so that the loop wakes ten times a
second for it, not a hundred times."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the backlog. In flight: being sent. In memory: waiting or being sent."""

    callback_in_flight: int = 8  # to one endpoint
    sgapi_in_flight: int = 16
    tasks_in_flight: int = 4  # looks at SGAPI's tasks
    tasks_a_second: float = 100.0
    total_in_flight: int = 256
    line_in_memory: int = 1000  # waiting for one endpoint, some 1 kB each
    total_in_memory: int = 20_000  # a line may always have two rounds of its own beside
    page: int = 200  # deliveries that one read brings


@dataclass(frozen=True, slots=True)
class Page:
    """A read that is wanted: due deliveries of `endpoint` with ids over `after_id`, by id."""

    endpoint: str
    after_id: int
    limit: int


@dataclass(slots=True)
class Line:
    """One endpoint's part. `rest_until` is monotonic seconds. Where it is kept slow, `burst` may
    start in every `PERIOD`."""

    endpoint: str
    cap: int
    page: int  # deliveries that one read brings
    burst: int | None = None
    started: int = 0  # in the period
    period_ends: float = 0.0
    waiting: deque[Delivery] = field(default_factory=deque)
    in_flight: int = 0
    in_round: bool = False
    parked: bool = False  # stands in the heap of rests
    rest_until: float = 0.0
    failures: int = 0  # in a row
    rests: int = 0  # in a row, because of failures
    lost_width: int = 0  # of the cap, by failures
    narrow: bool = False  # one try at a time
    behind: bool = False  # the disk has more
    refused: bool = False  # something was left on disk since the present pass began
    reading: bool = False
    cursor: int = 0  # id up to which the present pass has read
    late: list[Delivery] = field(default_factory=list)  # offered during a read
    settled: set[int] = field(default_factory=set)  # recorded during a read, which may not know

    @property
    def width(self) -> int:
        return 1 if self.narrow else self.cap - self.lost_width

    @property
    def hurt(self) -> bool:
        return self.narrow or self.lost_width > 0


class Backlog:
    """All lines. Endpoints take turns, so that none waits for another's queue. `shared`: what is
    read is claimed, so no more of it than goes soon."""

    def __init__(self, limits: Limits, *, shared: bool = False) -> None:
        self._limits, self._shared = limits, shared
        self._lines: dict[str, Line] = {}
        self._behind: dict[str, Line] = {}
        self._round: deque[Line] = deque()
        self._rests: list[tuple[float, str]] = []
        self._held: set[int] = set()
        self._waiting = 0
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def held(self) -> int:
        """Deliveries in memory whose outcome is not on disk yet."""
        return len(self._held)

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries that were just committed, or leave them on disk where there is no room
        or where older ones still are."""
        for delivery in deliveries:
            line = self._line(delivery.endpoint)
            if line.reading and len(line.late) < self._room(line):
                line.late.append(delivery)
            elif line.behind or not self._admit(line, delivery):
                line.refused = True
                self._fall_behind(line)

    def flag(self, endpoints: Iterable[str]) -> None:
        """Something of these endpoints is due on disk: read their part from its beginning."""
        for endpoint in endpoints:
            line = self._line(endpoint)
            line.refused = line.refused or line.behind
            self._fall_behind(line)

    def pages(self) -> list[Page]:
        """The reads that are wanted now; each must be answered by `loaded` or `unread`."""
        wanted = []
        for line in self._behind.values():
            if not self._wants_page(line):
                continue
            if line.cursor == 0:
                line.refused = False
            line.reading = True
            limit = min(self._room(line), self._page(line))
            wanted.append(Page(line.endpoint, line.cursor, limit))
        return wanted

    def is_hungry(self) -> bool:
        """Whether `pages` would ask for any."""
        return any(self._wants_page(line) for line in self._behind.values())

    def loaded(self, page: Page, rows: Sequence[Delivery]) -> None:
        """The answer to a read. Fewer rows than asked for are the end of the pass."""
        line = self._lines[page.endpoint]
        complete = self._take_in(line, rows)
        late, settled = line.late, line.settled
        line.reading, line.late, line.settled = False, [], set()
        if not complete or len(rows) >= page.limit:
            line.refused = line.refused or bool(late)
            return
        line.cursor = 0
        for delivery in late:
            if delivery.id not in settled and not self._admit(line, delivery):
                line.refused = True
        if not line.refused:
            line.behind = False
            del self._behind[line.endpoint]

    def unread(self, page: Page) -> None:
        """The read failed; it is wanted again."""
        line = self._lines[page.endpoint]
        line.refused = line.refused or bool(line.late)
        line.reading, line.late, line.settled = False, [], set()

    def holds(self, delivery_id: int) -> bool:
        """Whether it waits here, or is being sent or recorded."""
        return delivery_id in self._held

    def kept(self) -> set[int]:
        """All that is held, but for what waits at lines that fail: others may as well have it."""
        waiting = (line.waiting for line in self._lines.values() if line.hurt)
        return self._held.difference(delivery.id for some in waiting for delivery in some)

    def drop(self, delivery: Delivery) -> None:
        """What `take` gave is not sent after all: it is on disk, for whoever finds it due."""
        line = self._lines[delivery.endpoint]
        line.in_flight -= 1
        self._in_flight -= 1
        self._held.discard(delivery.id)
        self._enroll(line)

    def clear(self) -> list[Delivery]:
        """All that waits, and does not any more; it is on disk."""
        dropped = [delivery for line in self._lines.values() for delivery in line.waiting]
        for line in self._lines.values():
            line.waiting.clear()
        self._held.difference_update(delivery.id for delivery in dropped)
        self._waiting = 0
        return dropped

    def take(self, now: float) -> Delivery | None:
        """The next delivery to send, which is in flight from now on; None: nothing may start."""
        if self._in_flight >= self._limits.total_in_flight:
            return None
        while self._rests and self._rests[0][0] <= now:
            line = self._lines[heappop(self._rests)[1]]
            line.parked = False
            self._enroll(line)
        while self._round:
            line = self._round.popleft()
            line.in_round = False
            if not line.waiting or line.in_flight >= line.width:
                continue  # comes back when something arrives or is answered
            if line.rest_until > now:
                self._park(line)
                continue
            line.in_flight += 1
            self._in_flight += 1
            self._waiting -= 1
            delivery = line.waiting.popleft()
            if line.burst is not None:
                _count_start(line, line.burst, now)
            self._enroll(line)
            return delivery
        return None

    def answered(self, delivery: Delivery, verdict: Verdict, now: float) -> None:
        """The try is over: its place in flight is free. It stays held until `recorded`."""
        line = self._lines[delivery.endpoint]
        line.in_flight -= 1
        self._in_flight -= 1
        if verdict.hold:
            line.rest_until = max(line.rest_until, now + verdict.hold)
        if verdict.finding is Finding.FAILED:
            _count_failure(line, now)
        elif verdict.finding is Finding.STOPPED:
            line.narrow = True
        else:
            line.failures = line.rests = 0
            line.lost_width = max(0, line.lost_width - 1)
            line.narrow = False
        self._enroll(line)

    def recorded(self, delivery: Delivery) -> None:
        """The outcome is on disk: from now on the delivery is what the store says it is."""
        self._held.discard(delivery.id)
        line = self._lines.get(delivery.endpoint)
        if line is not None and line.reading:
            line.settled.add(delivery.id)

    def sweep(self, now: float) -> None:
        """Forget the lines that have nothing to do and nothing to remember."""
        for line in list(self._lines.values()):
            busy = line.waiting or line.in_flight or line.behind or line.in_round or line.parked
            hurt = line.failures or line.lost_width or line.narrow
            if not (busy or hurt or line.rest_until > now):
                del self._lines[line.endpoint]

    def wakes_at(self) -> float | None:
        """When the first resting line that has something to send may go on."""
        return self._rests[0][0] if self._rests else None

    def is_quiet(self, now: float) -> bool:
        """Whether nothing is in flight, unrecorded, to be sent or to be read, save at lines that
        rest."""
        if self._in_flight or len(self._held) != self._waiting:
            return False
        return not any(
            line.reading or ((line.waiting or line.behind) and line.rest_until <= now)
            for line in self._lines.values()
        )

    def resting(self, now: float) -> dict[str, float]:
        """Endpoints that rest at the moment, and until when: for operators."""
        return {
            line.endpoint: line.rest_until for line in self._lines.values() if line.rest_until > now
        }

    def _line(self, endpoint: str) -> Line:
        line = self._lines.get(endpoint)
        if line is None:
            line = self._lines[endpoint] = self._open_line(endpoint)
        return line

    def _open_line(self, endpoint: str) -> Line:
        limits = self._limits
        if endpoint == following.LINE:
            burst = max(1, round(limits.tasks_a_second * PERIOD))
            return Line(endpoint, limits.tasks_in_flight, limits.page, burst)
        if endpoint == following.HOME:
            return Line(endpoint, limits.sgapi_in_flight, limits.page)
        # Of clients' endpoints there are many: what they have claimed is claimed anew all the time.
        cap = limits.callback_in_flight
        page = min(limits.page, ROUNDS * cap) if self._shared else limits.page
        return Line(endpoint, cap, page)

    def _room(self, line: Line) -> int:
        own = len(line.waiting)
        free = min(
            self._limits.line_in_memory - own, self._limits.total_in_memory - len(self._held)
        )
        return max(free, 2 * line.cap - own)  # endpoints that are stuck must not starve others

    def _page(self, line: Line) -> int:
        """What a read brings at most."""
        if self._shared and line.hurt:
            return 2 * line.width
        return line.page

    def _wants_page(self, line: Line) -> bool:
        if self._shared and len(line.waiting) > self._page(line) // 2:
            return False
        room = self._room(line)
        ample = room >= self._limits.page or len(line.waiting) <= line.cap
        return ample and room > 0 and not line.reading

    def _take_in(self, line: Line, rows: Sequence[Delivery]) -> bool:
        for row in rows:
            if row.id not in line.settled and not self._admit(line, row):
                return False  # the room went to others meanwhile: read again from here
            line.cursor = row.id
        return True

    def _admit(self, line: Line, delivery: Delivery) -> bool:
        if delivery.id in self._held:
            return True
        if self._room(line) <= 0:
            return False
        self._held.add(delivery.id)
        line.waiting.append(delivery)
        self._waiting += 1
        self._enroll(line)
        return True

    def _fall_behind(self, line: Line) -> None:
        line.behind = True
        self._behind[line.endpoint] = line

    def _enroll(self, line: Line) -> None:
        if line.waiting and not (line.in_round or line.parked):
            line.in_round = True
            self._round.append(line)

    def _park(self, line: Line) -> None:
        line.parked = True
        heappush(self._rests, (line.rest_until, line.endpoint))


def _count_start(line: Line, burst: int, now: float) -> None:
    if now >= line.period_ends:
        line.started, line.period_ends = 0, now + PERIOD
    line.started += 1
    if line.started >= burst:
        line.rest_until = max(line.rest_until, line.period_ends)


def _count_failure(line: Line, now: float) -> None:
    """Half as wide for every failure, one wider for every success: an endpoint that begins to hang
    takes few of the tries that all share, long before it is left to rest."""
    line.failures += 1
    line.lost_width = line.cap - max(1, (line.cap - line.lost_width) // 2)
    if line.failures < BREAK_AFTER:
        return
    line.narrow = True
    if line.rest_until <= now:  # those that were in flight together count once
        line.rest_until = now + min(FIRST_REST * 2.0 ** min(line.rests, 16), LONGEST_REST)
        line.rests += 1
