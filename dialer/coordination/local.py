"""One process alone: wake-ups are direct calls, and every server and slot is its own."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from math import inf

from dialer.coordination.contract import Driver, HeldSlot, Listener, SlotWish, Turn, Verdict


class LocalSignals:
    """Passes every wake-up to all listeners at once, in the order of their subscription."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def items_added(self, queue_id: int) -> None:
        for listener in tuple(self._listeners):
            listener.items_added(queue_id)

    def queue_changed(self, queue_id: int) -> None:
        for listener in tuple(self._listeners):
            listener.queue_changed(queue_id)

    def clients_changed(self) -> None:
        for listener in tuple(self._listeners):
            listener.configuration_changed()


class LocalCoordinator:
    """`dialer.coordination.contract.Coordinator` where there is no other worker."""

    shared = False
    trouble: str | None = None

    def __init__(self) -> None:
        self._driver: Driver | None = None
        self._offered: set[int] = set()

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def run(self, driver: Driver) -> None:
        self._driver = driver
        for server_id in sorted(self._offered):
            driver.server_granted(server_id)
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """There is nobody to leave anything to."""

    def offer(self, server_ids: Collection[int], doubtful: Collection[int] = ()) -> None:
        new = set(server_ids) - self._offered
        self._offered = set(server_ids)
        if self._driver is not None:
            for server_id in sorted(new):
                self._driver.server_granted(server_id)

    async def give_up(self, server_id: int) -> None:
        self._offered.discard(server_id)

    def may_write_until(self, server_id: int) -> float:
        return inf if server_id in self._offered else -inf

    async def take(self, wish: SlotWish) -> Verdict:
        return Verdict.GRANTED

    async def turn(self, client_id: int, max_cps: float | None) -> Turn | None:
        return Turn(-inf, inf)

    def free(self, channel_id: str) -> None:
        """Nobody else counts."""

    def hold(self, server_id: int, slots: Iterable[HeldSlot]) -> None:
        """Nobody else counts."""

    async def live(self) -> dict[int, int]:
        return {}
