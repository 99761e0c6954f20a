"""Keeps the worker's picture true: settings that changed, new queues, deadlines that passed.

Nothing here is polled that can be signalled: the API wakes it in this process, a commit of another
process (the command line) is noticed by the store within a quarter of a second.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ami import Address
from dialer.clock import Clock
from dialer.errors import NotFound, SettingsError, StoreUnavailable
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.states import QueueStatus
from dialer.store.contract import Server, Store

log = logging.getLogger(__name__)

STORE_RETRY = 1.0
"""Seconds before something that the store could not do is tried again."""

EXPIRE_AT_ONCE = 100
"""Items that one transaction ends: some 4 ms, for which writes of attempts wait."""

UNFINISHED = 0.0
"""What the store says is the next deadline while a change of queues is unfinished."""

LONGEST_NAP = 3600.0
"""Seconds; a deadline further off is looked at again then."""


def read_secret(server: Server, environ: Mapping[str, str] = os.environ) -> str:
    """The AMI secret of a server, from where its settings say. Raises `SettingsError`."""
    if server.secret_file is not None:
        try:
            return Path(server.secret_file).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SettingsError(
                f"the secret file of server {server.code} cannot be read: {why}"
            ) from None
    secret = environ.get(server.secret_env or "")
    if not secret:
        raise SettingsError(
            f"the environment variable {server.secret_env}, which holds the AMI secret of "
            f"server {server.code}, is not set"
        )
    return secret


def address_of(server: Server, environ: Mapping[str, str] = os.environ) -> Address:
    """Where and as whom to log in. Raises `SettingsError` when there is no secret."""
    return Address(
        host=server.host,
        port=server.port,
        username=server.username,
        secret=read_secret(server, environ),
        tls=server.tls,
    )


class Upkeep:
    """Listens to signals and refreshes. `apply_servers` starts and stops links."""

    def __init__(
        self,
        store: Store,
        planner: Planner,
        clock: Clock,
        reporter: Reporter,
        apply_servers: Callable[[tuple[Server, ...]], None],
        wake: Callable[[], None],
        wake_delivery: Callable[[], None],
    ) -> None:
        self._store = store
        self._planner = planner
        self._clock = clock
        self._reporter = reporter
        self._apply_servers = apply_servers
        self._wake = wake
        self._wake_delivery = wake_delivery
        self._all = False
        self._queues: dict[int, bool] = {}  # queue → whether it got items
        self._rescans: set[int] = set()
        self._unfinished = False
        self._changed = asyncio.Event()
        self._deadlines = asyncio.Event()
        self._reading = asyncio.Lock()

    # Signals (dialer.coordination.contract.Listener).

    def items_added(self, queue_id: int) -> None:
        self._queues[queue_id] = True
        self._changed.set()
        self._deadlines.set()

    def queue_changed(self, queue_id: int) -> None:
        self._queues.setdefault(queue_id, False)
        self._rescans.add(queue_id)
        self._changed.set()
        self._deadlines.set()  # of a change of very many items the rest is done there
        self._wake_delivery()  # a queue that its client completed left closing callbacks

    def check_queue(self, queue_id: int) -> None:
        """A queue may be completed: look."""
        self._queues.setdefault(queue_id, False)
        self._changed.set()

    def check_deadlines(self) -> None:
        """An item with a deadline waits again."""
        self._deadlines.set()

    def configuration_changed(self) -> None:
        self._all = True
        self._changed.set()
        self._deadlines.set()
        self._wake_delivery()

    # Refreshing.

    async def refresh(self) -> None:
        """Read everything that the planner knows anew. One reading after the other: the older of
        two would undo what the newer one told (a new queue would be forgotten)."""
        async with self._reading:
            await self._refresh_all()

    async def _refresh_all(self) -> None:
        snapshot = await self._store.snapshot()
        self._planner.set_clients(snapshot.clients, self._clock.monotonic())
        self._planner.set_servers(snapshot.servers)
        self._apply_servers(snapshot.servers)
        servers_of: dict[int, list[int]] = {}
        for queue_id, server_id in snapshot.lanes:
            servers_of.setdefault(queue_id, []).append(server_id)
        for queue in snapshot.queues:
            self._planner.items_added(queue, servers_of.get(queue.id, ()))
        self._planner.retain_queues({queue.id for queue in snapshot.queues})
        for queue_id in tuple(self._rescans):
            self._rescan(queue_id)

    def _rescan(self, queue_id: int) -> None:
        self._rescans.discard(queue_id)
        self._planner.rescan(queue_id)

    async def keep_fresh(self) -> None:
        """Refresh what signals name, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            everything, self._all = self._all, False
            queues, self._queues = self._queues, {}
            try:
                if everything:
                    await self.refresh()
                else:
                    for queue_id, items in queues.items():
                        async with self._reading:
                            await self._refresh_queue(queue_id, items)
            except StoreUnavailable as error:
                log.error("settings could not be read", extra={"error": str(error)})
                self._all = True
                self._changed.set()
                await asyncio.sleep(STORE_RETRY)
            self._wake()

    async def _refresh_queue(self, queue_id: int, items: bool) -> None:
        try:
            queue, server_ids = await self._store.queue_lanes(queue_id)
        except NotFound:
            return
        if queue.status is QueueStatus.COMPLETED:
            self._planner.forget_queue(queue_id)
        elif items:
            self._planner.items_added(queue, server_ids)
        else:
            self._planner.set_queue(queue, server_ids)
        if queue_id in self._rescans:
            self._rescan(queue_id)

    # Deadlines.

    async def expire(self) -> None:
        """End items whose deadline passes, until cancelled."""
        while True:
            try:
                wait = await self._expire_due()
            except StoreUnavailable as error:
                log.error("items could not be expired", extra={"error": str(error)})
                wait = STORE_RETRY
            try:
                async with asyncio.timeout(wait):
                    await self._deadlines.wait()
            except TimeoutError:
                pass
            self._deadlines.clear()

    async def _expire_due(self) -> float:
        """End what is due, and go on with unfinished changes; seconds until the next deadline."""
        await self._look_at_deadlines()
        while await self._expire_some() == EXPIRE_AT_ONCE:
            pass
        deadline = await self._look_at_deadlines()
        if deadline is None:
            return LONGEST_NAP
        return min(max(deadline - self._clock.now(), 0.001), LONGEST_NAP)

    async def _look_at_deadlines(self) -> float | None:
        """The store's next deadline. Behind a change of queues that was unfinished and is done,
        lanes are looked through anew: what was held back may go."""
        deadline = await self._store.next_deadline()
        if deadline == UNFINISHED:
            self._unfinished = True
        elif self._unfinished:
            self._unfinished = False
            self._planner.rescan()
            self._wake()
        return deadline

    async def _expire_some(self) -> int:
        now = self._clock.now()
        ended = await self._store.expire_items(
            now, EXPIRE_AT_ONCE, lambda item: self._reporter.closing_of(item, now)
        )
        if ended:
            self._wake_delivery()
        return ended
