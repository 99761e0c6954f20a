"""Slots and turns that workers share: asked for before the disk, and before the wire."""

import asyncio

import pytest

from dialer.coordination.contract import Turn, Verdict
from dialer.errors import Conflict
from dialer.pacing import WINDOW
from dialer.slots import ASK_AGAIN, ASK_SOON, CLOSED_PAUSE, OLDEST
from dialer.store.contract import OpenAttempt, RecentStart
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_client, make_server
from tests.unit.dialer.worker_floor import Desk, Floor, item

GRANTED, FULL, CLOSED = Verdict.GRANTED, Verdict.FULL, Verdict.CLOSED


class Shared(Floor):
    """A floor with other workers."""

    def __init__(self, **client: object) -> None:
        self.desk = Desk()
        super().__init__(self.desk, **client)

    @property
    def wished(self) -> list[str]:
        return [wish.channel_id for wish, _ in self.desk.wishes]

    @property
    def reserved(self) -> list[str]:
        return [reservation.channel_id for reservation, _ in self.ledger.reservations]

    async def answer(self, *verdicts: Verdict) -> None:
        self.desk.answer(*verdicts)
        await self.turn()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.worker.wake()
        await self.turn()


@pytest.fixture
async def floor() -> Shared:
    return Shared()


async def test_nothing_is_on_disk_before_its_slot_is_granted(floor: Shared) -> None:
    floor.feed(item(1))
    await floor.turn()
    ((wish, _),) = floor.desk.wishes
    assert (wish.client_id, wish.server_id, wish.limit, wish.max_cps) == (1, 1, 2, None)
    assert floor.reserved == []
    assert floor.planner.live_calls() == {1: 1}
    await floor.answer(GRANTED)
    assert floor.reserved == [wish.channel_id]
    await floor.commit()
    assert [sent.channel_id for sent in floor.link.sent] == [wish.channel_id]
    assert floor.desk.turns == []  # the client has no limit a second
    floor.end(wish.channel_id)
    assert floor.desk.freed == [wish.channel_id]


async def test_a_client_without_a_slot_is_asked_for_again_after_a_while_in_its_order(
    floor: Shared,
) -> None:
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.answer(FULL, FULL)
    assert floor.planner.live_calls() == {1: 0}
    assert floor.planner.on_the_way == set()
    assert (len(floor.desk.wishes), floor.ledger.withdrawals) == (2, [])
    await floor.pass_time(ASK_AGAIN / 2)
    assert len(floor.desk.wishes) == 2
    await floor.pass_time(ASK_AGAIN / 2)
    assert len(floor.desk.wishes) == 3  # one alone
    await floor.answer(GRANTED)
    assert [r.item_id for r, _ in floor.ledger.reservations] == [1]
    await floor.answer(GRANTED)
    assert [r.item_id for r, _ in floor.ledger.reservations] == [1, 2]


async def test_room_is_used_at_once(floor: Shared) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(FULL)
    floor.worker.room()
    await floor.turn()
    assert len(floor.desk.wishes) == 2


async def test_a_client_with_turns_by_the_second_is_asked_for_sooner() -> None:
    floor = Shared(max_cps=10.0)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(FULL)
    await floor.pass_time(0.5 / 10 - ASK_SOON / 2)
    assert len(floor.desk.wishes) == 1
    await floor.pass_time(ASK_SOON)
    assert len(floor.desk.wishes) == 2


async def test_a_slot_that_was_not_to_be_had_costs_the_server_no_turn() -> None:
    floor = Shared()
    floor.planner.set_servers([floor.planner.server(1)])
    server_gate, _ = floor.planner.gates(1, 1)
    server_gate.change(2.0)
    before = server_gate.earliest()
    floor.feed(item(1))
    await floor.turn()
    assert server_gate.earliest() > floor.clock.mono
    await floor.answer(FULL)
    assert server_gate.earliest() <= max(before, floor.clock.mono)


async def test_while_nobody_can_be_asked_nobody_is(floor: Shared) -> None:
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.answer(CLOSED, CLOSED)
    await floor.pass_time(CLOSED_PAUSE * 0.9)
    assert len(floor.desk.wishes) == 2
    floor.worker.room()
    await floor.turn()
    assert len(floor.desk.wishes) == 4


async def test_what_never_left_gives_its_slot_back(floor: Shared) -> None:
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.answer(GRANTED, GRANTED)
    first, second = floor.reserved
    floor.ledger.reservations[0][1].set_result(False)
    floor.link.down = True
    floor.ledger.reservations[1][1].set_result(True)
    await floor.turn()
    assert floor.desk.freed == [first, second]
    assert [w.channel_id for w, _ in floor.ledger.withdrawals] == [second]


async def test_another_channel_id_is_another_slot(floor: Shared) -> None:
    floor.feed(item(1, channel_base="campaign-1"))
    await floor.turn()
    await floor.answer(GRANTED)
    floor.ledger.reservations[0][1].set_exception(Conflict("used"))
    await floor.turn()
    assert floor.desk.freed == ["campaign-1"]
    assert floor.wished[0] == "campaign-1"
    assert len(floor.wished) == 2
    await floor.answer(GRANTED)
    await floor.commit()
    assert [sent.channel_id for sent in floor.link.sent] == floor.wished[1:]


async def test_an_originate_waits_for_its_turn() -> None:
    floor = Shared(max_cps=10.0)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    await floor.commit()
    ((client_id, asked),) = floor.desk.turns
    assert client_id == 1
    at = floor.clock.mono + 0.1
    asked.set_result(Turn(at, at + 0.025))
    await floor.turn()
    assert floor.link.sent == []
    await floor.pass_time(0.11)
    assert len(floor.link.sent) == 1


async def test_a_turn_that_went_by_is_asked_for_anew() -> None:
    floor = Shared(max_cps=10.0)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    await floor.commit()
    at = floor.clock.mono
    floor.desk.turns[0][1].set_result(Turn(at + 0.1, at + 0.125))
    await floor.turn()
    await floor.pass_time(0.2)
    assert floor.link.sent == []
    assert len(floor.desk.turns) == 2
    floor.desk.turns[1][1].set_result(Turn(at + 0.2, at + 0.225))
    await floor.turn()
    assert len(floor.link.sent) == 1


async def test_what_gets_no_turn_waits_again() -> None:
    floor = Shared(max_cps=10.0)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    await floor.commit()
    floor.desk.turns[0][1].set_result(None)
    await floor.turn()
    assert floor.desk.freed == floor.wished
    assert len(floor.ledger.withdrawals) == 1
    assert floor.link.sent == []


@pytest.mark.parametrize("expired", ["lease", "commit", "turn"])
async def test_who_was_stopped_in_between_writes_nothing_of_before(expired: str) -> None:
    """As after SIGSTOP and SIGCONT: time went by between the plan and the write."""
    floor = Shared(max_cps=10.0 if expired == "turn" else None)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    if expired == "turn":
        await floor.commit()
        at = floor.clock.mono
        look = floor.planner.may_leave

        def stop(*arguments: object) -> bool:
            floor.clock.advance(1.0)
            return look(*arguments)  # type: ignore[arg-type]

        floor.planner.may_leave = stop  # type: ignore[method-assign,assignment]
        floor.desk.turns[0][1].set_result(Turn(at, at + 0.025))
    elif expired == "lease":
        floor.desk.until = floor.clock.mono
    else:
        floor.clock.advance(OLDEST + 0.1)
    await floor.commit()
    assert floor.link.sent == []
    assert floor.ledger.sent == set()
    assert len(floor.ledger.withdrawals) == 1
    assert floor.desk.freed == floor.wished[:1]


@pytest.mark.parametrize("stops", [False, True])
async def test_one_that_waited_too_long_holds_up_no_other(floor: Shared, stops: bool) -> None:
    """As when a server's calls a second were lowered. Where the lease may be another's it does."""
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    floor.clock.advance(OLDEST + 0.1)
    floor.desk.until = floor.clock.mono if stops else float("inf")
    await floor.commit()
    assert floor.link.sent == []
    assert floor.ledger.sent == set()
    assert [w.channel_id for w, _ in floor.ledger.withdrawals] == floor.reserved
    floor.feed(item(2))
    await floor.turn()
    assert len(floor.desk.wishes) == (1 if stops else 2)


async def test_nothing_waits_in_this_process_for_an_asterisk_that_does_not_read(
    floor: Shared,
) -> None:
    """It would leave whenever that reads again, whoever drives it then."""
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    floor.link.stalled = True
    await floor.commit()
    assert floor.link.sent == []
    assert len(floor.ledger.withdrawals) == 1
    assert not floor.planner.is_up(1)  # until the link tells that it flows


async def test_a_slot_that_comes_while_stopping_is_given_back(floor: Shared) -> None:
    floor.feed(item(1))
    await floor.turn()
    draining = asyncio.ensure_future(floor.worker.drain(5.0))
    await floor.turn()
    assert not draining.done()
    await floor.answer(GRANTED)
    assert floor.reserved == []
    assert floor.desk.freed == floor.wished
    assert await asyncio.wait_for(draining, PATIENCE) == []


async def test_a_slot_that_comes_when_the_server_is_wanted_by_another_is_given_back(
    floor: Shared,
) -> None:
    floor.feed(item(1))
    await floor.turn()
    floor.planner.set_ours(1, False)
    assert not floor.worker.is_quiet_on(1)
    await floor.answer(GRANTED)
    assert floor.worker.is_quiet_on(1)
    assert floor.desk.freed == floor.wished
    assert floor.reserved == []


async def test_calls_that_were_taken_over_are_told_to_the_others(floor: Shared) -> None:
    opened = [
        OpenAttempt(item(1), 1, "old-1", "act-1", "cdr-1", 999.0),
        OpenAttempt(item(2), 1, "old-2", "act-2", "cdr-2", 999.0, unsent=True),
    ]
    floor.worker.resume(opened)
    floor.worker.hold_slots(1)
    assert [(h.client_id, h.channel_id, h.started_at) for h in floor.desk.held[1]] == [
        (1, "old-1", 999.0)
    ]


async def test_what_waits_for_its_turn_is_taken_back_when_its_server_goes(floor: Shared) -> None:
    floor.planner.set_clients([make_client(1, max_cps=10.0)], floor.clock.mono)
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.answer(GRANTED)
    await floor.commit()
    at = floor.clock.mono
    floor.desk.turns[0][1].set_result(Turn(at + 0.1, at + 0.125))
    await floor.turn()
    floor.planner.set_ours(1, False)
    floor.worker.stop_on(1)
    assert len(floor.ledger.withdrawals) == 1
    assert not floor.worker.is_quiet_on(1)
    await floor.commit()
    assert floor.worker.is_quiet_on(1)


async def test_a_turn_for_what_is_no_more_is_let_go_by() -> None:
    floor = Shared(max_cps=10.0)
    floor.feed(item(1))
    await floor.turn()
    await floor.answer(GRANTED)
    await floor.commit()
    floor.worker.let_go(1)
    floor.desk.turns[0][1].set_result(Turn(0.0, 1e9))
    await floor.turn()
    assert floor.link.sent == []
    assert floor.desk.freed == []  # the next owner holds it


async def test_a_call_of_ours_that_ends_makes_room_at_once(floor: Shared) -> None:
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.answer(GRANTED, FULL)
    await floor.commit()
    assert len(floor.desk.wishes) == 2
    floor.end(floor.link.sent[0].channel_id)
    await floor.turn()
    assert len(floor.desk.wishes) == 3


@pytest.mark.parametrize("age", [0.0, 0.9, 3.0, OLDEST, OLDEST + 0.5, OLDEST + 1.5])
async def test_what_the_server_got_before_it_changed_hands_counts_from_its_latest_write(
    floor: Shared, age: float
) -> None:
    """An attempt is opened when its write to disk begins, and may leave up to `OLDEST` later."""
    floor.planner.set_servers([make_server(1, max_cps=2.0)])
    opened = floor.clock.wall - age
    floor.worker.seed_rates([RecentStart(1, 1, opened), RecentStart(1, 1, opened)])
    taken_over, written = floor.clock.mono, floor.clock.mono - max(0.0, age - OLDEST)
    floor.feed(item(1), item(2))
    await floor.pass_time(0.0)
    while not floor.link.sent:
        await floor.answer(*[GRANTED for _, asked in floor.desk.wishes if not asked.done()])
        await floor.commit()
        if not floor.link.sent:
            await floor.pass_time(0.01)
        assert floor.clock.mono < taken_over + 2 * WINDOW
    assert floor.clock.mono >= written + 1.0
    assert floor.clock.mono <= max(taken_over, written + WINDOW) + 0.05
