"""`dialer.coordination.contract.Coordinator` for several workers, over one Redis.

docs/coordination.md tells how it works and why it is safe; `lua/` holds what happens at Redis. This
module is the worker's life: it connects, shows that it lives, tells the driver what it may do, and
has what Redis lost rebuilt from the store.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from math import inf
from typing import Final
from uuid import uuid4

from dialer.coordination.address import RedisAddress
from dialer.coordination.connection import Connection, RedisGone
from dialer.coordination.contract import Driver, HeldSlot, Rebuild, SlotWish, Turn, Verdict
from dialer.coordination.exchange import Exchange
from dialer.coordination.leases import Changes, Leases
from dialer.coordination.ledger import Ledger
from dialer.coordination.rebuilding import fill_epoch, lock_rebuild
from dialer.coordination.room import Room
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session, name_channel
from dialer.coordination.sweeping import Sweeper, read_pairs
from dialer.coordination.timing import Timing
from dialer.coordination.turns import TurnClock
from dialer.coordination.view import State, View, read_view, write_servers
from dialer.errors import CoordinationUnavailable

log = logging.getLogger(__name__)

_ANY_TIME: Final = Turn(-inf, inf)


class RedisCoordinator:
    """One worker's part. `rebuild` reads the store; `worker`: this process life's own name."""

    shared = True

    def __init__(
        self,
        address: RedisAddress,
        rebuild: Rebuild,
        *,
        worker: str | None = None,
        timing: Timing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._rebuild = address, rebuild
        self._timing = timing or Timing()
        self._monotonic, self._wall = monotonic, wall
        self._worker = worker or uuid4().hex
        self._leases = Leases(self._worker, self._timing)
        self._ledger = Ledger()
        self._clock = TurnClock(self._timing.warm)
        self._exchange = Exchange(self._ledger, self._clock, self, monotonic)
        self._sweeper = Sweeper(self._ledger, self._exchange)
        self._room = Room(self._timing.room)
        self._driver: Driver | None = None
        self._session: Session | None = None
        self._connections = 0
        self._epoch, self._epoch_seen = "", -inf
        self._state = State.CLOSED
        self._set_in_era: int | None = None
        self._rebuilding: asyncio.Task[None] | None = None
        self._swept_at = -inf
        self._hurry = asyncio.Event()
        self._given: dict[int, asyncio.Future[None]] = {}
        self._away: str | None = "it was not asked yet"
        self._unread: str | None = None

    @property
    def worker(self) -> str:
        return self._worker

    @property
    def trouble(self) -> str | None:
        if self._session is None:
            return f"Redis at {self._address} cannot be used: {self._away}"
        if self._unread is not None:
            return f"Redis lost what it held, and the database cannot be read: {self._unread}"
        if self._state is not State.OPEN:
            return "Redis lost what it held: it is being rebuilt from the database"
        return None

    async def open(self) -> None:
        try:
            await self._connect()
        except RedisGone as error:
            raise CoordinationUnavailable(
                f"Redis at {self._address} cannot be used: {error}"
            ) from None

    async def run(self, driver: Driver) -> None:
        self._driver = driver
        self._room.ask_again = driver.room
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._live())
        finally:
            self._room.close()
            self._sweeper.stop()
            if self._rebuilding is not None:
                self._rebuilding.cancel()

    async def close(self) -> None:
        session = self._session
        if session is None:
            return
        self._leases.stop()
        try:
            await self._exchange.settle()
            await session.run(Script.LEAVE)
        except RedisGone as error:
            log.warning("workers were not told that this one leaves", extra={"why": str(error)})
        self._disconnect("this worker left")

    def offer(self, server_ids: Collection[int], doubtful: Collection[int] = ()) -> None:
        self._leases.offer(server_ids, doubtful)
        self._hurry.set()

    async def give_up(self, server_id: int) -> None:
        """Returns when the others know, or Redis cannot be told now: then it is, later."""
        self._leases.give_up(server_id)
        self._ledger.drop(server_id)
        told = self._given.setdefault(server_id, asyncio.get_running_loop().create_future())
        self._hurry.set()
        await asyncio.wait([told], timeout=2 * self._timing.timeout)

    def may_write_until(self, server_id: int) -> float:
        return self._leases.may_write_until(server_id)

    def take(self, wish: SlotWish) -> Awaitable[Verdict]:
        return self._exchange.take(wish)

    async def turn(self, client_id: int, max_cps: float | None) -> Turn | None:
        return _ANY_TIME if max_cps is None else await self._exchange.turn(client_id, max_cps)

    def free(self, channel_id: str) -> None:
        server = self._ledger.free(channel_id)
        if server is not None:
            self._exchange.free(server, channel_id)

    def hold(self, server_id: int, slots: Iterable[HeldSlot]) -> None:
        self._ledger.adopt(server_id, slots)
        if self._session is not None and self._state is State.OPEN:
            self._sweeper.sweep(self._session, (server_id,))

    async def live(self) -> dict[int, int]:
        """Empty while Redis cannot be asked."""
        if self._session is None:
            return {}
        try:
            found = await self._session.run(Script.READ, "counts")
        except RedisGone:
            return {}
        return {int(client): int(count) for client, count in read_pairs(found)}

    # The overseer of the exchange.

    def owns(self, server_id: int) -> bool:
        return server_id in self._leases.mine

    def refused(self, client_id: int, seconds: float | None) -> None:
        self._room.refused(client_id, seconds)

    def clock_was_set(self, era: int) -> None:
        if self._set_in_era != era:
            self._set_in_era = era
            log.warning("the clock of Redis' machine was set: turns begin anew")
        self._hurry.set()

    def epoch_lost(self) -> None:
        self._leases.stop()
        self._exchange.granting = False
        self._hurry.set()

    # Its life.

    async def _live(self) -> None:
        while True:
            try:
                if self._session is None:
                    await self._connect()
                assert self._session is not None
                await self._serve(self._session)
            except RedisGone as error:
                if self._session is not None:
                    log.warning("Redis cannot be used", extra={"why": str(error)})
                self._disconnect(str(error))
                await asyncio.sleep(self._timing.retry)

    async def _connect(self) -> None:
        self._connections += 1
        session = await Session.open(
            self._address, self._worker, self._connections, self._timing.timeout
        )
        try:
            await self._enter(session)
        except RedisGone:
            session.close()
            raise
        self._session, self._away = session, None

    def _disconnect(self, why: str) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._away = None, why
        self._sweeper.stop()
        self._exchange.detach()

    async def _enter(self, session: Session) -> None:
        """Become a member. In an epoch that opened without this worker nothing is its own: others
        may have been granted it."""
        claims = self._leases.write_claims(self._monotonic())
        slots = [(s.server_id, s.client_id, channel) for channel, s in self._ledger.held.items()]
        state = await session.enter(uuid4().hex, self._epoch, claims, slots)
        if session.epoch != self._epoch:
            log.info("a new epoch of coordination", extra={"state": str(state)})
            self._epoch, self._epoch_seen = session.epoch, self._monotonic()
            self._clock.forget()
            if state is State.OPEN:
                self._lose(self._leases.lose_all())
        self._state = State.CLOSED  # until the next sign of life tells what is ours
        self._leases.stop()
        self._exchange.attach(session)

    async def _serve(self, session: Session) -> None:
        while True:
            self._hurry.clear()
            await self._beat(session)
            now = self._monotonic()
            if self._state is State.CLOSED and self._rebuild_at() <= now:
                self._start_rebuild(session)
            if self._state is State.OPEN and now - self._swept_at >= self._timing.sweep:
                self._swept_at = now
                self._sweeper.sweep(session, sorted(self._leases.mine & self._ledger.adopted))
            await self._pause(session)

    async def _pause(self, session: Session) -> None:
        """Until the next sign of life is due, or something happened."""
        seconds = self._timing.beat
        if (due := self._rebuild_at() - self._monotonic()) > 0:
            seconds = min(seconds, due)
        waits = [asyncio.ensure_future(event.wait()) for event in (self._hurry, session.lost)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _beat(self, session: Session) -> None:
        leases = self._leases
        gave, sent = tuple(leases.giving), self._monotonic()
        answer = await session.run(
            Script.BEAT,
            write_servers(leases.offered),
            write_servers(set(gave)),
            leases.write_takes(),
            leases.write_gone(),
        )
        view = read_view(answer)
        if not isinstance(view, View):
            await self._leave_behind(session, view)
            return
        received = self._monotonic()
        if self._clock.see(sent, received, view.shown, view.era):
            self.clock_was_set(view.era)
        if self._set_in_era == view.era:
            await session.run(Script.JUMP, str(view.era))
        self._tell_given(gave)
        opened = view.state is State.OPEN and self._state is not State.OPEN
        self._state = view.state
        changes = leases.see(view, sent, received, gave)
        self._exchange.granting = view.state is State.OPEN
        self._apply(changes)
        if opened:
            self._unread = None
            self._swept_at = -inf
            self._room.now()
        if leases.write_takes():
            self._hurry.set()

    async def _leave_behind(self, session: Session, state: State) -> None:
        if state is State.STALE:
            session.close()
            raise RedisGone("it forgot this worker, or knows a newer connection of it")
        self.epoch_lost()
        await self._enter(session)

    def _apply(self, changes: Changes) -> None:
        self._lose(changes.lost)
        if self._driver is None:
            return
        for server in changes.granted:
            log.info("a server is this worker's", extra={"server_id": server})
            self._driver.server_granted(server)
        for server in changes.wanted:
            log.info("a server is wanted by another worker", extra={"server_id": server})
            self._driver.server_wanted(server)

    def _lose(self, servers: Iterable[int]) -> None:
        for server in servers:
            log.warning("a server's lease was lost", extra={"server_id": server})
            self._ledger.drop(server)
            if self._driver is not None:
                self._driver.server_lost(server)

    def _tell_given(self, servers: Iterable[int]) -> None:
        for server in servers:
            told = self._given.pop(server, None)
            if told is not None and not told.done():
                told.set_result(None)

    # What Redis lost, and what it has too much.

    def _rebuild_at(self) -> float:
        """When all that was authorised in older epochs has ended: an authority counts from a
        request that Redis took before this epoch began."""
        return self._epoch_seen + self._timing.valid + self._timing.margin

    def _start_rebuild(self, session: Session) -> None:
        if self._rebuilding is None or self._rebuilding.done():
            self._rebuilding = asyncio.create_task(self._rebuild_epoch(session))

    async def _rebuild_epoch(self, session: Session) -> None:
        try:
            if not await lock_rebuild(session):
                return
            held = await self._rebuild()
            await fill_epoch(session, held, self._wall())
        except RedisGone:
            return  # the session's keeper notices by itself
        except Exception as error:  # whatever the store raises: this is tried again
            self._unread = str(error) or type(error).__name__
            log.warning("the database cannot be read to rebuild", extra={"why": self._unread})
        else:
            log.info("an epoch was rebuilt", extra={"slots": len(held.slots)})
            self._hurry.set()

    # What others say.

    async def _listen(self) -> None:
        while True:
            try:
                connection = await Connection.open(self._address, self._timing.timeout)
                await connection.listen([name_channel(self._address, "room")], self._hear)
            except RedisGone:
                await asyncio.sleep(self._timing.retry)

    def _hear(self, message: str) -> None:
        """What `lua/` publishes: E (an epoch), L (leases), C and clients (slots became free)."""
        kind, *clients = message.split() or [""]
        if kind == "C":
            self._room.freed(map(int, clients))
        else:
            self._hurry.set()
