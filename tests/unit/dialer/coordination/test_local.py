"""One process alone: wake-ups reach every listener, and everything is granted."""

import asyncio
from math import inf

from dialer.coordination.contract import SlotWish, Turn, Verdict
from dialer.coordination.local import LocalCoordinator, LocalSignals


class Ear:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def items_added(self, queue_id: int) -> None:
        self.heard.append(("items", queue_id))

    def queue_changed(self, queue_id: int) -> None:
        self.heard.append(("queue", queue_id))

    def configuration_changed(self) -> None:
        self.heard.append("configuration")


def test_wake_ups_reach_all_listeners() -> None:
    signals, one, two = LocalSignals(), Ear(), Ear()
    signals.subscribe(one)
    stop = signals.subscribe(two)
    signals.items_added(7)
    signals.queue_changed(8)
    stop()
    signals.clients_changed()
    assert one.heard == [("items", 7), ("queue", 8), "configuration"]
    assert two.heard == [("items", 7), ("queue", 8)]


class Hands:
    """A driver that notes what it is told."""

    def __init__(self) -> None:
        self.granted: list[int] = []

    def server_granted(self, server_id: int) -> None:
        self.granted.append(server_id)

    def server_wanted(self, server_id: int) -> None:
        raise AssertionError("nobody else is there")

    def server_lost(self, server_id: int) -> None:
        raise AssertionError("nobody else is there")

    def room(self) -> None:
        raise AssertionError("nothing was ever refused")


async def test_alone_every_server_is_granted_at_once_and_what_it_starts_is_not_counted() -> None:
    coordinator, hands = LocalCoordinator(), Hands()
    coordinator.offer({2, 1})
    running = asyncio.ensure_future(coordinator.run(hands))
    await asyncio.sleep(0)
    coordinator.offer({1, 2, 3})
    assert hands.granted == [1, 2, 3]
    assert coordinator.may_write_until(3) == inf
    await coordinator.give_up(3)
    assert coordinator.may_write_until(3) == -inf
    wish = SlotWish(client_id=1, server_id=1, channel_id="a", limit=0, max_cps=None)
    assert await coordinator.take(wish) is Verdict.GRANTED
    assert await coordinator.turn(1, 0.1) == Turn(-inf, inf)
    assert not coordinator.shared
    running.cancel()
