"""Which servers this worker drives, and how they come and go while it runs.

The coordinator grants, wants back and takes away (`dialer.coordination.contract.Driver`); the store
fences (`Store.own`): a write of an earlier owner is refused. A server that comes: fence, what is
open there on disk, then the link, which finds out what became of it. A server that goes in order:
nothing more is started, what is under way gets to the disk, the link is ended, live calls stay open
on disk for the next owner, and only then it is given up. Where nothing gets to the disk it goes at
once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dialer.clock import Clock
from dialer.coordination.contract import Coordinator
from dialer.errors import StoreUnavailable
from dialer.failpoints import failpoints
from dialer.links import Links
from dialer.planner import Planner
from dialer.states import check_transition
from dialer.store.contract import Store
from dialer.worker import Worker

log = logging.getLogger(__name__)

LOST: Final = "another worker owns it; restart this one to have it back"

STORE_RETRY: Final = 1.0
"""Seconds before something that the store could not do is tried again."""

SEEDED: Final = 10.0
"""Seconds back that starts of an earlier owner count for limits of calls per second (a limit may be
below one a second)."""

LAST_ANSWERS: Final = 3.0
"""Seconds that Asterisk gets to answer the last Originates before a link is ended in order."""


class Tenure(StrEnum):
    """How this worker stands to a server."""

    TAKING = "taking"  # granted; what is on disk is being read
    OURS = "ours"
    LEAVING = "leaving"  # another worker is to have it
    OVER = "over"


TENURES = {
    Tenure.TAKING: {Tenure.OURS, Tenure.LEAVING, Tenure.OVER},
    Tenure.OURS: {Tenure.LEAVING, Tenure.OVER},
    Tenure.LEAVING: {Tenure.OVER},
    Tenure.OVER: set[Tenure](),
}


@dataclass(slots=True, eq=False)
class Held:
    """One tenure of one server."""

    server_id: int
    stage: Tenure = Tenure.TAKING
    was_ours: bool = False

    def move(self, stage: Tenure) -> None:
        """Raises `IllegalTransition`."""
        check_transition(TENURES, self.stage, stage)
        self.stage = stage
        self.was_ours = self.was_ours or stage is Tenure.OURS


@dataclass(frozen=True, slots=True)
class OwnershipParts:
    """`refresh` reads anew what the planner knows; `fences` are filled here and read by the
    worker; `cut_off`: nothing can be written to disk for some time; `pause` waits for some
    seconds."""

    store: Store
    clock: Clock
    coordinator: Coordinator
    planner: Planner
    worker: Worker
    links: Links
    fences: dict[int, int]
    refresh: Callable[[], Awaitable[None]]
    cut_off: Callable[[], bool]
    pause: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


class Ownership:
    """`dialer.coordination.contract.Driver`. All methods run in the event loop."""

    def __init__(self, parts: OwnershipParts) -> None:
        self._parts = parts
        self._held: dict[int, Held] = {}
        self._forbidden: set[int] = set()  # alone, and yet another process owned it
        self._granted: list[Held] = []
        self._wanted = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = False

    def is_ours(self, server_id: int) -> bool:
        """Whether there is, or should be, a link of ours."""
        held = self._held.get(server_id)
        return held is not None and held.stage is Tenure.OURS

    @property
    def settled(self) -> bool:
        """Nothing is being taken over."""
        return not any(held.stage is Tenure.TAKING for held in self._held.values())

    @property
    def stages(self) -> dict[int, Tenure]:
        """How it stands, by server, for operators."""
        return {server_id: held.stage for server_id, held in self._held.items()}

    # What the coordinator says.

    def server_granted(self, server_id: int) -> None:
        if server_id in self._held or server_id in self._forbidden:
            return
        if self._closing:
            self._spawn(self._parts.coordinator.give_up(server_id))
            return
        held = self._held[server_id] = Held(server_id)
        self._granted.append(held)
        self._wanted.set()

    def server_wanted(self, server_id: int) -> None:
        held = self._held.get(server_id)
        if held is None:
            self._spawn(self._parts.coordinator.give_up(server_id))
        elif self._parts.cut_off():
            # What a hand-over in order waits for does not come; the next owner finds it out.
            log.warning("a server goes without its last words", extra={"server": self._code(held)})
            self._leave_at_once(held)
            self._spawn(self._parts.coordinator.give_up(server_id))
        elif held.stage is Tenure.TAKING:
            held.move(Tenure.LEAVING)  # the store may be fencing it for us right now
        elif held.stage is Tenure.OURS:
            log.info("another worker is to have a server", extra={"server": self._code(held)})
            held.move(Tenure.LEAVING)
            self._parts.planner.set_ours(server_id, False)
            self._parts.worker.stop_on(server_id)
            self._spawn(self._hand_over(held))

    def server_lost(self, server_id: int) -> None:
        held = self._held.get(server_id)
        if held is not None:
            log.warning("the lease of a server is gone", extra={"server": self._code(held)})
            self._leave_at_once(held)

    def room(self) -> None:
        self._parts.worker.room()

    # What the store says.

    def disown(self, server_id: int) -> None:
        """A write was refused: another worker owns the server. With others about, the coordinator
        says who is to have it; alone, this process has to be started again to have it back."""
        held = self._held.get(server_id)
        if held is None:
            return
        log.critical("another worker owns this server now", extra={"server": self._code(held)})
        self._leave_at_once(held)
        if self._parts.coordinator.shared:
            self._spawn(self._parts.coordinator.give_up(server_id))
        else:
            self._forbidden.add(server_id)
            self._parts.links.complain(server_id, LOST)

    def _leave_at_once(self, held: Held) -> None:
        held.move(Tenure.OVER)
        del self._held[held.server_id]
        self._parts.planner.set_ours(held.server_id, False)
        self._parts.links.end(held.server_id)
        self._parts.worker.let_go(held.server_id)

    # Taking over.

    async def run(self) -> None:
        """Take over what is granted, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                while True:
                    await self._wanted.wait()
                    self._wanted.clear()
                    granted, self._granted = self._granted, []
                    # One that is held up by writes of before must not hold up the others.
                    tasks.create_task(self._take_over(granted))
            finally:
                self._tasks = None

    def _spawn(self, act: Awaitable[None]) -> None:
        async def run() -> None:
            await act

        assert self._tasks is not None
        self._tasks.create_task(run())

    async def _take_over(self, granted: Sequence[Held]) -> None:
        pending = list(granted)
        while pending:
            try:
                await self._read_in(pending)
            except StoreUnavailable as error:
                log.error("a server cannot be owned yet", extra={"error": str(error)})
            pending = [held for held in pending if held.stage is Tenure.TAKING]
            if pending:
                await self._parts.pause(STORE_RETRY)
        for held in granted:
            if not held.was_ours:  # it was wanted by another meanwhile
                await self._give_up(held)

    async def _read_in(self, granted: Sequence[Held]) -> None:
        store, ids = self._parts.store, [held.server_id for held in granted]
        worker = self._parts.worker
        # Nothing that is on its way since an earlier tenure may be read as open.
        await worker.wait_until(lambda: all(map(worker.is_quiet_on, ids)))
        seen = await store.fences(ids)
        now = self._parts.clock.monotonic()
        if any(self._parts.coordinator.may_write_until(server_id) <= now for server_id in ids):
            return  # who fences the store then may do it to the next owner
        # It may come late: a token that the next owner was given meanwhile is left to him.
        fences = await store.own(ids, seen)
        attempts = await store.open_attempts(ids)
        starts = await store.recent_starts(self._parts.clock.now() - SEEDED, ids)
        if failpoints.armed:
            failpoints.reach("start.left")
        await self._parts.refresh()  # the clients and servers that they name
        # Before any link: calls that are live hold their slots, and their events find them.
        taking = {held.server_id for held in granted if held.stage is Tenure.TAKING}
        ours = taking & fences.keys()
        self._parts.fences.update((server_id, fences[server_id]) for server_id in ours)
        worker.resume(a for a in attempts if a.candidate.server_id in ours)
        worker.seed_rates(start for start in starts if start.server_id in ours)
        for held in granted:
            if held.server_id in ours:
                self._settle_in(held)
        if failpoints.armed:
            failpoints.reach("start.resumed")
        worker.wake()

    def _settle_in(self, held: Held) -> None:
        held.move(Tenure.OURS)
        self._parts.planner.set_ours(held.server_id, True)
        self._parts.worker.hold_slots(held.server_id)
        server = self._parts.planner.server(held.server_id)
        if not server.removed or self._parts.worker.has_calls_on(server.id):
            self._parts.links.keep(server)

    # Handing over.

    async def hand_over_all(self) -> None:
        """Give every server up in order, and take no more: this worker ends, others go on."""
        self._closing = True
        for server_id, held in tuple(self._held.items()):
            if held.stage in (Tenure.TAKING, Tenure.OURS):
                self.server_wanted(server_id)
        await self._parts.worker.wait_until(lambda: not self._held)

    async def _hand_over(self, held: Held) -> None:
        worker, server_id = self._parts.worker, held.server_id
        try:
            async with asyncio.timeout(LAST_ANSWERS):
                await worker.wait_until(lambda: worker.is_quiet_on(server_id, answered=True))
        except TimeoutError:
            pass
        await worker.wait_until(lambda: worker.is_quiet_on(server_id))
        if held.stage is not Tenure.LEAVING:
            return
        link = self._parts.links.end(server_id)
        worker.let_go(server_id)
        if link is not None:
            await asyncio.wait([link])
        await worker.wait_until(lambda: worker.is_quiet_on(server_id))
        await self._give_up(held)

    async def _give_up(self, held: Held) -> None:
        if held.stage is Tenure.LEAVING:
            held.move(Tenure.OVER)
            del self._held[held.server_id]
            await self._parts.coordinator.give_up(held.server_id)
            self._parts.worker.wake()

    def _code(self, held: Held) -> str:
        return self._parts.planner.server(held.server_id).code
