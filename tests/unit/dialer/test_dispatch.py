"""Dispatching: what was planned is looked at again right before it is written."""

import pytest

from dialer.attempts import Stage
from dialer.store.contract import Reservation
from tests.unit.dialer.builders import make_client
from tests.unit.dialer.worker_floor import Floor, item


@pytest.fixture
async def floor() -> Floor:
    return Floor()


async def reserve(floor: Floor, number: int = 1) -> Reservation:
    floor.feed(item(number))
    await floor.turn()
    return floor.ledger.reservations[-1][0]


async def test_a_server_without_a_link_is_none_to_dial_on(floor: Floor) -> None:
    await reserve(floor)
    floor.worker._parts.links.clear()
    await floor.commit()
    settlement = floor.ledger.settlements[0][0]
    assert settlement.unplaced
    assert settlement.cdr.error_message == "the server was removed"


async def test_a_server_that_is_another_workers_now_is_not_written_to(floor: Floor) -> None:
    reservation = await reserve(floor)
    floor.planner.set_ours(1, False)
    await floor.commit()
    assert floor.link.sent == []
    assert [w.channel_id for w, _ in floor.ledger.withdrawals] == [reservation.channel_id]


async def test_what_waits_for_its_turn_can_be_cleared_by_server() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=10)
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.commit()
    dispatcher = floor.worker._dispatcher
    assert dispatcher.clear(2) == []
    (waiting,) = dispatcher.clear(1)
    assert waiting.stage is Stage.CLEARED
    assert dispatcher.clear() == []


async def test_a_call_waits_for_its_response_until_that_came(floor: Floor) -> None:
    floor.planner.set_clients([make_client(1)], floor.clock.mono)
    await reserve(floor)
    await floor.commit()
    assert floor.worker.is_quiet_on(1)
    assert not floor.worker.is_quiet_on(1, answered=True)
    floor.link.answers[0].cancel()
    await floor.turn()
    assert floor.worker.is_quiet_on(1, answered=True)
