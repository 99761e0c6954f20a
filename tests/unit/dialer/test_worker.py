"""The worker: on disk before the wire, once on the wire, and every end settled."""

import asyncio
from dataclasses import replace

import pytest

from ami import (
    ActionRejected,
    ActionTimeout,
    CallProgressed,
    LinkDown,
    LinkLost,
    Progress,
)
from dialer.breaker import FIRST_PAUSE
from dialer.errors import Conflict, OwnershipLost, StoreUnavailable
from dialer.policy import DEFAULT_POLICY
from dialer.store.contract import OpenAttempt, RecentStart
from dialer.worker import STORE_PAUSE
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_client, make_queue
from tests.unit.dialer.worker_floor import PAYLOAD, Floor, item


@pytest.fixture
async def floor() -> Floor:
    return Floor()


async def test_nothing_is_written_to_the_wire_before_the_attempt_is_on_disk(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    (reservation, granted) = floor.ledger.reservations[0]
    assert floor.link.sent == []
    granted.set_result(True)
    await floor.turn()
    (sent,) = floor.link.sent
    assert sent.channel_id == reservation.channel_id
    assert (sent.account, sent.application) == ("client1", "Wait")


async def test_an_ended_call_is_settled_once_and_its_slot_goes_to_the_next(floor: Floor) -> None:
    floor.feed(item(1), item(2), item(3))
    await floor.turn()
    await floor.commit()
    assert len(floor.link.sent) == 2
    channel_id = floor.link.sent[0].channel_id
    floor.end(channel_id)
    floor.end(channel_id)
    await floor.turn()
    assert len(floor.ledger.reservations) == 3
    assert floor.ledger.settlements == []  # its record does not keep the next call waiting
    await floor.commit()
    assert len(floor.link.sent) == 3
    assert len(floor.ledger.settlements) == 1
    settlement = floor.ledger.settlements[0][0]
    assert (settlement.cdr.disposition, settlement.final) == ("answered", True)
    assert [row.kind for row in settlement.deliveries] == ["callback"]


async def test_a_refused_reservation_is_no_call_and_asks_for_news(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    floor.ledger.reservations[0][1].set_result(False)
    await floor.turn()
    assert floor.link.sent == []
    assert floor.refreshes == 1
    assert floor.planner.live_calls() == {1: 0}


async def test_a_channel_id_used_before_is_replaced_by_ours(floor: Floor) -> None:
    floor.feed(item(1, channel_base="campaign-1"))
    await floor.turn()
    reservation, answer = floor.ledger.reservations[0]
    assert reservation.channel_id == "campaign-1"
    answer.set_exception(Conflict("used"))
    await floor.turn()
    await floor.commit()
    (sent,) = floor.link.sent
    assert sent.channel_id == sent.action_id == reservation.action_id


async def test_a_store_that_takes_no_writes_stops_new_calls_for_a_while(floor: Floor) -> None:
    floor.feed(item(1), item(2))
    await floor.turn()
    for _, answer in floor.ledger.reservations:
        answer.set_exception(StoreUnavailable("disk full"))
    await floor.turn()
    floor.feed(item(3))
    await floor.turn()
    assert len(floor.ledger.reservations) == 2
    floor.clock.advance(STORE_PAUSE + 1.1)
    floor.worker.wake()
    floor.feed(item(3))
    await floor.turn()
    assert len(floor.ledger.reservations) == 3


@pytest.mark.parametrize("breaks", [False, True], ids=["down", "breaks"])
async def test_a_link_lost_before_the_write_leaves_an_attempt_that_waits_with_its_ids(
    floor: Floor, breaks: bool
) -> None:
    """Not counted, no slot held, not planned again before the link is back."""
    floor.feed(item(1, deadline=floor.clock.wall + 60), item(2))
    await floor.turn()
    floor.link.down, floor.link.breaks = not breaks, breaks
    await floor.commit()
    assert floor.planner.live_calls() == {1: 0}
    assert floor.ledger.sent == set()
    (first, _), (second, _) = floor.ledger.withdrawals
    reserved = [reservation for reservation, _ in floor.ledger.reservations]
    assert [first.channel_id, second.channel_id] == [r.channel_id for r in reserved]
    assert (first.fence, first.closing[0].event_id) == (7, "item-1")
    assert floor.planner.on_the_way == {1, 2}
    await floor.commit()
    assert floor.planner.on_the_way == set()
    assert floor.deadline_checks == 1
    kept = (first.channel_id, reserved[0].action_id, reserved[0].cdr_id)
    floor.feed(item(1, kept_ids=kept))
    await floor.turn()
    assert len(floor.ledger.reservations) == 2
    floor.link.down = floor.link.breaks = False
    floor.planner.link_up(1)
    floor.worker.wake()
    await floor.turn()
    await floor.commit()
    (sent,) = floor.link.sent
    assert (sent.channel_id, sent.action_id) == kept[:2]
    assert floor.ledger.sent == {sent.channel_id}
    assert floor.ledger.settlements == []


async def test_what_certainly_did_not_leave_after_all_is_taken_back(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    channel_id = floor.link.sent[0].channel_id
    floor.link.answers[0].set_exception(LinkDown("its last bytes never left"))
    await floor.turn()
    assert floor.ledger.withdrawals[0][0].channel_id == channel_id
    assert set(floor.link.forgotten) == {channel_id}
    assert floor.ledger.sent == set()
    await floor.commit()
    assert await floor.worker.drain(0.0) == []


@pytest.mark.parametrize("error", [LinkLost("gone"), ActionTimeout("no answer")])
async def test_what_may_have_left_keeps_its_slot_and_is_looked_for(
    floor: Floor, error: Exception
) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    floor.link.answers[0].set_exception(error)
    await floor.turn()
    assert floor.ledger.withdrawals == []
    assert floor.planner.live_calls() == {1: 1}
    assert floor.link.looks == 1


async def test_nothing_leaves_while_it_cannot_be_noted_that_it_may_have(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    floor.ledger.full = True
    await floor.commit()
    assert floor.link.sent == []
    assert len(floor.ledger.withdrawals) == 1
    floor.feed(item(2))
    await floor.turn()
    assert len(floor.ledger.reservations) == 1


async def test_an_answer_is_noted_for_the_next_life_once(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    channel_id = floor.link.sent[0].channel_id
    for progress, at in (
        (Progress.RINGING, 100.0),
        (Progress.ANSWERED, 101.0),
        (Progress.ANSWERED, 102.0),
    ):
        floor.worker.on_effects([CallProgressed(channel_id, progress, at)])
    floor.worker.on_effects([CallProgressed("of nobody", Progress.ANSWERED, 1.0)])
    assert floor.ledger.answered == {channel_id: 101.0}


async def test_who_lost_a_server_says_so_and_lets_go_of_its_calls(floor: Floor) -> None:
    floor.feed(item(1), item(2), item(3))
    await floor.turn()
    await floor.commit()
    first, second = floor.link.sent
    floor.end(first.channel_id)
    await floor.turn()
    (_, third) = floor.ledger.reservations[2]
    third.set_exception(OwnershipLost(1))
    await floor.turn()
    assert floor.disowned == [1]
    assert floor.planner.live_calls() == {1: 0}
    floor.ledger.settlements[0][1].set_exception(OwnershipLost(1))
    floor.end(second.channel_id)
    await floor.turn()
    assert len(floor.ledger.settlements) == 1
    assert floor.planner.on_the_way == set()  # retries may come back with the server
    assert await floor.worker.drain(0.0) == []


async def test_calls_that_never_left_in_an_earlier_life_wait_again(floor: Floor) -> None:
    opened = OpenAttempt(item(1), 1, "old-1", "act-1", "cdr-1", 999.0, unsent=True)
    floor.worker.resume([opened])
    assert floor.planner.live_calls() == {1: 0}
    assert floor.planner.on_the_way == {1}
    floor.worker.adopt_link(1, floor.link)  # type: ignore[arg-type]
    assert floor.link.resumed == []
    (withdrawal, _) = floor.ledger.withdrawals[0]
    assert (withdrawal.channel_id, withdrawal.fence) == ("old-1", 7)
    await floor.commit()
    assert floor.planner.on_the_way == set()


async def test_an_asterisk_that_does_not_answer_is_left_alone(floor: Floor) -> None:
    floor.planner.set_clients([make_client(1, allocated_channels=10)], floor.clock.mono)
    floor.feed(*map(item, range(1, 4)))
    await floor.turn()
    await floor.commit()
    for answer in floor.link.answers:
        answer.set_exception(ActionTimeout("no answer"))
    await floor.turn()
    floor.feed(*map(item, range(4, 10)))
    await floor.turn()
    assert len(floor.ledger.reservations) == 3
    floor.clock.advance(FIRST_PAUSE)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.ledger.reservations) == 4  # the probe
    await floor.commit()
    floor.link.answers[3].set_exception(ActionRejected("Originate Access Forbidden"))
    await floor.turn()
    assert len(floor.ledger.reservations) > 4


async def test_a_wrong_endpoint_stops_nobody(floor: Floor) -> None:
    for number in range(1, 21):
        floor.feed(item(number))
        await floor.turn()
        await floor.commit()
        floor.link.answers[-1].set_exception(ActionRejected("Extension does not exist."))
        await floor.turn()
        floor.end(floor.link.sent[-1].channel_id, "failed", placed=False, reason=0)
        await floor.commit()
    assert len(floor.link.sent) == 20


async def test_draining_takes_back_what_has_not_left(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    draining = asyncio.ensure_future(floor.worker.drain(5.0))
    await floor.turn()
    await floor.commit()
    assert floor.link.sent == []
    await floor.commit()
    assert await draining == []
    assert len(floor.ledger.withdrawals) == 1


async def test_an_error_answer_goes_to_the_tracker_and_repeats(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    channel_id = floor.link.sent[0].channel_id
    floor.link.answers[0].set_exception(ActionRejected("Originate Access Forbidden"))
    await floor.turn()
    assert floor.link.refused == [(channel_id, "Originate Access Forbidden")]
    floor.end(channel_id, "failed", placed=False)
    await floor.turn()
    assert floor.ledger.settlements[0][0].final


RECORDED = {**PAYLOAD, "create_recording": True, "recording_path": "june"}


async def test_a_recorded_call_keeps_its_application_and_tells_where_it_is(floor: Floor) -> None:
    """The wire names the operator's context; the record names what ran there."""
    floor.feed(item(1, payload=RECORDED))
    await floor.turn()
    await floor.commit()
    (sent,) = floor.link.sent
    cdr_id = floor.ledger.reservations[0][0].cdr_id
    assert (sent.context, sent.application) == ("dialer-recording", None)
    assert f"DIALER_RECORDING=client1/june/{cdr_id}" in sent.variables
    floor.end(sent.channel_id, recording=f"/var/rec/client1/june/{cdr_id}.wav")
    await floor.turn()
    cdr = floor.ledger.settlements[0][0].cdr
    assert (cdr.application, cdr.data, cdr.connected) == ("Wait", "1", True)
    assert cdr.recording_path == f"/var/rec/client1/june/{cdr_id}.wav"
    assert cdr.recording_url == f"file://{cdr.server_code}{cdr.recording_path}"


async def test_a_server_without_the_recording_context_is_called_that(floor: Floor) -> None:
    """It would be refused again."""
    floor.feed(item(1, payload=RECORDED))
    await floor.turn()
    await floor.commit()
    channel_id = floor.link.sent[0].channel_id
    floor.link.answers[0].set_exception(ActionRejected("Extension does not exist."))
    await floor.turn()
    ((refused, why),) = floor.link.refused
    assert refused == channel_id
    assert why.startswith("this server has no recording context")
    floor.end(channel_id, "failed", placed=False, detail=why)
    await floor.turn()
    settlement = floor.ledger.settlements[0][0]
    assert settlement.final
    assert (settlement.cdr.error_message, settlement.cdr.recording_path) == (why, None)


async def test_a_shutdown_answer_does_not_repeat(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    floor.link.answers[0].set_exception(ActionRejected("Asterisk is shutting down"))
    await floor.turn()
    floor.end(floor.link.sent[0].channel_id, "failed", placed=False)
    await floor.turn()
    assert not floor.ledger.settlements[0][0].final


async def test_policy_is_checked_again_at_dial_time() -> None:
    floor = Floor(policy=replace(DEFAULT_POLICY, endpoints=frozenset({"other"})))
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    assert floor.link.sent == []
    settlement = floor.ledger.settlements[0][0]
    assert settlement.final
    assert "rejected by policy" in (settlement.cdr.error_message or "")


async def test_open_attempts_of_an_earlier_life_hold_their_slots(floor: Floor) -> None:
    opened = [
        OpenAttempt(item(n), 1, f"old-{n}", f"act-{n}", f"cdr-{n}", 999.0, answered_at=at)
        for n, at in ((1, None), (2, 1001.5))
    ]
    floor.worker.resume(opened)
    assert floor.worker.has_calls_on(1)
    floor.worker.adopt_link(1, floor.link)  # type: ignore[arg-type]
    assert floor.link.resumed == [("old-1", 999.0, None), ("old-2", 999.0, 1001.5)]
    floor.feed(item(3))
    await floor.turn()
    assert floor.ledger.reservations == []
    floor.end("old-1", "unknown")
    await floor.turn()
    assert len(floor.ledger.reservations) == 1
    await floor.commit()
    assert floor.ledger.settlements[0][0].final


async def test_calls_of_an_earlier_life_count_for_the_rate() -> None:
    floor = Floor(max_cps=2.0)
    just_now = floor.clock.wall - 0.2
    floor.worker.seed_rates([RecentStart(1, 1, just_now), RecentStart(1, 1, just_now)])
    floor.feed(item(1))
    await floor.turn()
    assert floor.ledger.reservations == []
    floor.clock.advance(1.0)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.ledger.reservations) == 1


async def test_calls_of_the_future_count_as_made_now() -> None:
    floor = Floor(max_cps=2.0)
    after = floor.clock.wall + 3600.0  # the clock was set back
    floor.worker.seed_rates([RecentStart(1, 1, after), RecentStart(1, 1, after + 1)])
    floor.feed(item(1))
    await floor.turn()
    assert floor.ledger.reservations == []
    floor.clock.advance(1.1)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.ledger.reservations) == 1


async def test_what_a_callback_raises_stops_the_worker(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(wall: float, now: float) -> None:
        raise RuntimeError("a bug in the plan")

    monkeypatch.setattr(floor.planner, "plan", plan)
    floor.worker.wake()
    with pytest.raises(RuntimeError, match="a bug in the plan"):
        await asyncio.wait_for(floor.worker.run(), PATIENCE)


async def test_draining_starts_nothing_and_names_what_is_left(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    channel_id = floor.link.sent[0].channel_id
    assert await floor.worker.drain(0.0) == [channel_id]
    floor.feed(item(2))
    await floor.turn()
    assert len(floor.ledger.reservations) == 1
    floor.end(channel_id)
    await floor.commit()
    assert await floor.worker.drain(0.0) == []


async def test_calls_a_second_hold_on_the_wire_whatever_the_disk_does() -> None:
    floor = Floor(max_cps=10.0, allocated_channels=10)
    floor.feed(*[item(n) for n in range(1, 5)])
    for _ in range(4):
        await floor.turn()
        floor.clock.advance(0.1016)
        floor.worker.wake()
    assert len(floor.ledger.reservations) == 4
    await floor.commit()
    assert len(floor.link.sent) == 1


async def test_each_originate_is_looked_at_once_however_many_wait_for_their_turns() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.feed(*[item(n) for n in range(1, 21)])
    while len(floor.ledger.reservations) < 20:
        await floor.turn()
        floor.clock.advance(0.0102)
        floor.worker.wake()
    looks = []
    look = floor.planner.may_leave
    floor.planner.may_leave = lambda *args: looks.append(args) or look(*args)  # type: ignore[method-assign,func-returns-value]
    await floor.commit()
    while len(floor.link.sent) < 20:
        already = len(floor.link.sent)
        floor.clock.advance(0.0102)
        floor.worker.wake()
        await floor.turn()
        assert len(floor.link.sent) <= already + 1
    assert len(looks) == 20
    reserved = [reservation.channel_id for reservation, _ in floor.ledger.reservations]
    assert [sent.channel_id for sent in floor.link.sent] == reserved


async def test_calls_of_soon_are_on_disk_before_their_turns_and_leave_at_them() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.feed(*[item(n) for n in range(1, 9)])
    await floor.turn()
    assert len(floor.ledger.reservations) == 3
    await floor.commit()
    assert len(floor.link.sent) == 1
    floor.clock.advance(0.0102)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.link.sent) == 2


async def test_the_timer_of_a_turn_writes_the_originate() -> None:
    """By the clock of the event loop: nobody wakes the worker."""
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.clock.mono = asyncio.get_running_loop().time()
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.commit()
    assert len(floor.link.sent) == 1
    floor.clock.advance(0.0102)
    left = asyncio.Event()
    write = floor.link.originate
    floor.link.originate = lambda originate: left.set() or write(originate)  # type: ignore[method-assign,func-returns-value]
    await asyncio.wait_for(left.wait(), PATIENCE)
    assert len(floor.link.sent) == 2


async def test_a_pause_takes_back_what_waits_for_its_turn_with_its_ids() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.commit()
    floor.planner.set_queue(make_queue(paused=True), [])
    floor.clock.advance(0.0102)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.link.sent) == 1
    ((withdrawal, _),) = floor.ledger.withdrawals
    assert withdrawal.channel_id == floor.ledger.reservations[1][0].channel_id
    assert floor.ledger.sent == {floor.link.sent[0].channel_id}
    assert floor.planner.live_calls() == {1: 1}


async def test_a_deadline_that_passes_before_the_turn_is_kept() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.feed(item(1), item(2, deadline=floor.clock.wall + 0.01))
    await floor.turn()
    await floor.commit()
    floor.clock.advance(0.0102)
    floor.worker.wake()
    await floor.turn()
    assert len(floor.link.sent) == 1
    assert len(floor.ledger.withdrawals) == 1
    await floor.commit()
    assert floor.deadline_checks == 1


async def test_draining_takes_back_at_once_who_waits_for_a_turn() -> None:
    floor = Floor(max_cps=100.0, allocated_channels=50)
    floor.feed(item(1), item(2))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id)
    await floor.turn()
    draining = asyncio.ensure_future(floor.worker.drain(5.0))
    await floor.turn()
    assert len(floor.ledger.withdrawals) == 1
    await floor.commit()
    assert await draining == []
    assert len(floor.link.sent) == 1


async def test_our_own_bug_stops_the_worker(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    floor.ledger.reservations[0][1].set_exception(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(floor.worker.run(), PATIENCE)
