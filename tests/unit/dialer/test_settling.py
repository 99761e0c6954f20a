"""Ends go to disk: with their record, once, and never given up."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dialer.errors import StoreUnavailable
from dialer.settling import SETTLE_RETRY
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_client, make_queue
from tests.unit.dialer.worker_floor import Floor, item


@pytest.fixture
async def floor() -> Floor:
    return Floor()


async def test_many_calls_that_end_at_once_are_all_settled(floor: Floor) -> None:
    floor.planner.set_clients([make_client(1, allocated_channels=25)], floor.clock.mono)
    floor.feed(*map(item, range(1, 26)))
    await floor.turn()
    await floor.commit()
    for sent in floor.link.sent:
        floor.end(sent.channel_id)
    await floor.turn()
    assert len(floor.ledger.settlements) == 25
    await floor.commit()
    assert await floor.worker.drain(0.0) == []


async def test_a_gap_that_changed_meanwhile_moves_the_next_attempt(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id, "busy")
    await floor.turn()
    floor.planner.set_queue(make_queue(retry_count=1, retry_gap=10), [1])
    lane = floor.planner.lanes[1, 1]
    lane.retry_load_at = None
    await floor.commit()
    looks_at = floor.planner.lanes[1, 1].retry_load_at or 0.0
    assert floor.clock.wall < looks_at <= floor.clock.wall + 10


async def test_a_settlement_that_could_not_be_written_is_never_given_up(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    later: list[Callable[[], None]] = []

    def call_later(delay: float, callback: Callable[..., None], *args: Any) -> asyncio.Handle:
        assert delay == SETTLE_RETRY
        later.append(lambda: callback(*args))
        return asyncio.get_running_loop().call_soon(lambda: None)

    floor.end(floor.link.sent[0].channel_id)
    await floor.turn()
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", call_later)
    floor.ledger.settlements[0][1].set_exception(StoreUnavailable("disk full"))
    await floor.turn()
    monkeypatch.undo()
    later[0]()
    assert floor.ledger.settlements[0][0] == floor.ledger.settlements[1][0]
    await floor.commit()
    assert await floor.worker.drain(0.0) == []


async def test_a_withdrawal_that_could_not_be_written_is_never_given_up(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.settling.SETTLE_RETRY", 0.0)
    floor.feed(item(1))
    await floor.turn()
    floor.link.down = True
    await floor.commit()
    floor.ledger.withdrawals[0][1].set_exception(StoreUnavailable("disk full"))
    await floor.turn()
    (first, _), (second, _) = floor.ledger.withdrawals
    assert first == second


async def test_an_item_with_a_deadline_that_waits_again_is_watched(floor: Floor) -> None:
    floor.feed(item(1, deadline=floor.clock.wall + 60))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id, "busy")
    await floor.turn()
    await floor.commit()
    assert floor.deadline_checks == 1


async def test_a_busy_call_is_settled_with_the_time_of_its_next_attempt(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id, "busy")
    await floor.turn()
    settlement = floor.ledger.settlements[0][0]
    assert (settlement.final, settlement.next_attempt_at) == (False, floor.clock.wall + 300)
    assert settlement.retry_gap == 300
    assert [row.event_id for row in settlement.closing] == ["item-1"]


async def test_a_bug_of_the_store_stops_the_worker(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id)
    await floor.turn()
    floor.ledger.settlements[0][1].set_exception(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(floor.worker.run(), PATIENCE)
