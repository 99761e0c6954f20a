"""What every coordinator and every sender of signals does, alone or among others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from dialer.coordination.address import parse_address
from dialer.coordination.contract import Coordinator, HeldSlot, Signals, SlotWish, Verdict
from dialer.coordination.local import LocalCoordinator, LocalSignals
from dialer.coordination.signals import RedisSignals
from tests.crew import QUICK, Crew, Hands, until
from tests.redis_server import RedisServer

pytestmark = pytest.mark.realtime


@pytest.fixture(params=["local", "redis"])
async def coordinator(request: pytest.FixtureRequest) -> AsyncIterator[Coordinator]:
    """Opened, and not running."""
    async with AsyncExitStack() as stack:
        found: Coordinator = LocalCoordinator()
        if request.param == "redis":
            crew = await stack.enter_async_context(Crew())
            found = crew.make().coordinator
        await found.open()
        yield found
        await found.close()


@pytest.fixture
async def hands(coordinator: Coordinator) -> AsyncIterator[Hands]:
    """Drives servers 1 and 2."""
    hands = Hands(coordinator)
    coordinator.offer({1, 2})
    running = asyncio.ensure_future(coordinator.run(hands))
    await until(lambda: hands.servers == {1, 2})
    yield hands
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled(), "run never ends by itself"


async def test_before_it_runs_nothing_may_be_written(coordinator: Coordinator) -> None:
    assert coordinator.may_write_until(1) == float("-inf")


async def test_what_is_offered_is_granted_and_may_be_written(
    coordinator: Coordinator, hands: Hands
) -> None:
    assert coordinator.may_write_until(1) > time.monotonic()
    assert coordinator.may_write_until(3) == float("-inf")
    assert coordinator.trouble is None


async def test_what_is_offered_later_is_granted_later(
    coordinator: Coordinator, hands: Hands
) -> None:
    coordinator.offer({1, 2, 3})
    await until(lambda: hands.servers == {1, 2, 3})
    assert coordinator.may_write_until(3) > time.monotonic()


async def test_what_was_given_up_may_not_be_written_from_that_moment(
    coordinator: Coordinator, hands: Hands
) -> None:
    coordinator.offer({2})
    giving = asyncio.ensure_future(coordinator.give_up(1))
    await asyncio.sleep(0)
    assert coordinator.may_write_until(1) == float("-inf")
    await giving
    assert coordinator.may_write_until(2) > time.monotonic()


async def test_a_slot_and_a_turn_are_had_and_given_back(
    coordinator: Coordinator, hands: Hands
) -> None:
    wish = SlotWish(client_id=7, server_id=1, channel_id="a", limit=1, max_cps=None)
    assert await coordinator.take(wish) is Verdict.GRANTED
    turn = await coordinator.turn(7, None)
    assert turn is not None
    assert turn.not_before <= time.monotonic() <= turn.not_after
    coordinator.free("a")
    coordinator.free("never taken")
    assert await coordinator.take(
        SlotWish(client_id=7, server_id=1, channel_id="b", limit=1, max_cps=None)
    ) is (Verdict.GRANTED)


async def test_calls_that_were_taken_over_are_held_and_freed(
    coordinator: Coordinator, hands: Hands
) -> None:
    coordinator.hold(1, [HeldSlot(7, 1, "a", 0.0)])
    coordinator.free("a")
    assert isinstance(await coordinator.live(), dict)


class Ear:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def items_added(self, queue_id: int) -> None:
        self.heard.append(("items", queue_id))

    def queue_changed(self, queue_id: int) -> None:
        self.heard.append(("queue", queue_id))

    def configuration_changed(self) -> None:
        self.heard.append("configuration")


@pytest.mark.parametrize("kind", ["local", "redis"])
async def test_the_own_process_is_woken_before_the_call_returns(kind: str) -> None:
    async with AsyncExitStack() as stack:
        signals: Signals = LocalSignals()
        if kind == "redis":
            redis = stack.enter_context(RedisServer())
            signals = RedisSignals(parse_address(redis.url), QUICK)
        ear = Ear()
        stop = signals.subscribe(ear)
        signals.items_added(1)
        signals.queue_changed(2)
        signals.clients_changed()
        stop()
        signals.items_added(3)
        assert ear.heard == [("items", 1), ("queue", 2), "configuration"]
