"""The worker: on disk before the wire, once on the wire, and every end settled."""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ami import (
    ActionRejected,
    ActionTimeout,
    CallEnded,
    CallProgressed,
    LinkDown,
    LinkLost,
    Message,
    Originate,
    Progress,
)
from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.breaker import FIRST_PAUSE
from dialer.errors import Conflict, OwnershipLost, StoreUnavailable
from dialer.planner import Planner
from dialer.policy import DEFAULT_POLICY
from dialer.reporting import Reporter
from dialer.settling import SETTLE_RETRY
from dialer.store.contract import (
    Candidate,
    Delivery,
    OpenAttempt,
    RecentStart,
    Reservation,
    Settlement,
    Withdrawal,
)
from dialer.worker import STORE_PAUSE, Worker, WorkerParts
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_report, make_server
from tests.unit.dialer.clocks import FakeClock


def make_payload(**action: Any) -> dict[str, Any]:
    """A stored QueueItem as ingest makes it."""
    body = {
        "batch_id": 1,
        "data": [
            {
                "asterisk_server_code": "pbx1",
                "action": {"Action": "Originate", "Channel": "PJSIP/100000@carrier", **action},
            }
        ],
    }
    parsed = parse_batch(json.dumps(body).encode())
    (item,) = build_batch(parsed, make_client(1), {"pbx1": 1}, lambda: "new-id")
    return item.payload


PAYLOAD = make_payload()


class Ledger:
    """The store as the worker writes it; every write waits until the test commits it."""

    def __init__(self) -> None:
        self.withdrawals: list[tuple[Withdrawal, asyncio.Future[tuple[Delivery, ...]]]] = []
        self.sent: set[str] = set()
        self.answered: dict[str, float] = {}
        self.full = False
        self.reservations: list[tuple[Reservation, asyncio.Future[bool]]] = []
        self.settlements: list[tuple[Settlement, asyncio.Future[tuple[Delivery, ...]]]] = []

    def reserve(self, reservation: Reservation) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.reservations.append((reservation, future))
        return future

    def settle(self, settlement: Settlement) -> "asyncio.Future[tuple[Delivery, ...]]":
        future: asyncio.Future[tuple[Delivery, ...]] = asyncio.get_running_loop().create_future()
        self.settlements.append((settlement, future))
        return future

    def withdraw(self, withdrawal: Withdrawal) -> "asyncio.Future[tuple[Delivery, ...]]":
        future: asyncio.Future[tuple[Delivery, ...]] = asyncio.get_running_loop().create_future()
        self.withdrawals.append((withdrawal, future))
        return future

    def note_sent(self, channel_id: str) -> None:
        if self.full:
            raise StoreUnavailable("disk full")
        self.sent.add(channel_id)

    def note_unsent(self, channel_id: str) -> None:
        self.sent.remove(channel_id)

    def note_answered(self, channel_id: str, at: float) -> None:
        self.answered[channel_id] = at


class FakeLink:
    """Stands for a ServerLink."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.looks = 0
        self.breaks = False
        self.sent: list[Originate] = []
        self.answers: list[asyncio.Future[Message]] = []
        self.refused: list[tuple[str, str]] = []
        self.resumed: list[tuple[str, float, float | None]] = []
        self.down = False

    @property
    def up(self) -> bool:
        return not self.down

    def look(self) -> None:
        self.looks += 1

    def forget(self, channel_id: str) -> None:
        self.forgotten.append(channel_id)

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        if self.down or self.breaks:
            self.down = True
            raise LinkDown("the link is down")
        self.sent.append(originate)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    def refuse(self, channel_id: str, detail: str) -> None:
        self.refused.append((channel_id, detail))

    def resume(
        self, channel_id: str, action_id: str, opened_at: float, answered_at: float | None
    ) -> None:
        self.resumed.append((channel_id, opened_at, answered_at))


class Floor:
    """A worker with one client on one server, and everything around it in memory."""

    def __init__(self, **client: Any) -> None:
        ids = itertools.count(1)
        self.clock = FakeClock()
        self.ledger = Ledger()
        self.link = FakeLink()
        self.offered: list[Delivery] = []
        self.refreshes = 0
        self.disowned: list[int] = []
        self.deadline_checks = 0
        self.planner = Planner(lambda: f"00000000-0000-7000-8000-{next(ids):012d}")
        client = {"callback_url": "https://client.example/", "allocated_channels": 2} | client
        self.planner.set_servers([make_server(1)])
        self.planner.set_clients([make_client(1, **client)], self.clock.mono)
        self.planner.set_up(1, True)
        self.worker = Worker(
            WorkerParts(
                store=self.ledger,  # type: ignore[arg-type]
                clock=self.clock,
                planner=self.planner,
                reporter=Reporter(None, self.offered.extend),
                links={1: self.link},  # type: ignore[dict-item]
                fences={1: 7},
                disown=self._disown,
                request_refresh=self._refresh,
                feed_lanes=self._feed_lanes,
                check_deadlines=self._check_deadlines,
                max_call_duration=7200,
            )
        )

    def _feed_lanes(self) -> None:
        self.planner.hungry_lanes(self.clock.wall)  # nothing more is in this store

    def _disown(self, server_id: int) -> None:
        self.disowned.append(server_id)
        self.planner.set_up(server_id, False)

    def _refresh(self) -> None:
        self.refreshes += 1

    def _check_deadlines(self) -> None:
        self.deadline_checks += 1

    def feed(self, *items: Candidate) -> None:
        queue = make_queue(retry_count=1)
        self.planner.items_added(queue, [1])
        lane = self.planner.lanes[1, 1]
        lane.add_fresh([replace(i, payload=i.payload) for i in items], 1000, set())
        lane.retry_load_at = None
        self.planner.loaded(lane, self.clock.mono)
        self.worker.wake()

    async def turn(self) -> None:
        """Let the event loop do what is ready."""
        for _ in range(6):
            await asyncio.sleep(0)

    async def commit(self) -> None:
        """Everything that waits for the disk gets there."""
        for _, granted in self.ledger.reservations:
            if not granted.done():
                granted.set_result(True)
        for _, written in (*self.ledger.settlements, *self.ledger.withdrawals):
            if not written.done():
                written.set_result(())
        await self.turn()

    def end(self, channel_id: str, disposition: str = "answered", **fields: Any) -> None:
        report = make_report(disposition, channel_id=channel_id, **fields)
        self.worker.on_effects([CallEnded(report)])


def item(id: int = 1, **fields: Any) -> Candidate:
    return make_item(id, **({"payload": PAYLOAD} | fields))


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
    assert (floor.link.forgotten, floor.ledger.sent) == ([channel_id], set())
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


async def test_an_item_with_a_deadline_that_waits_again_is_watched(floor: Floor) -> None:
    floor.feed(item(1, deadline=floor.clock.wall + 60))
    await floor.turn()
    await floor.commit()
    floor.end(floor.link.sent[0].channel_id, "busy")
    await floor.turn()
    await floor.commit()
    assert floor.deadline_checks == 1


async def test_what_a_callback_raises_stops_the_worker(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(wall: float, now: float) -> None:
        raise RuntimeError("a bug in the plan")

    monkeypatch.setattr(floor.planner, "plan", plan)
    floor.worker.wake()
    with pytest.raises(RuntimeError, match="a bug in the plan"):
        await asyncio.wait_for(floor.worker.run(), 5)


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


async def test_our_own_bug_stops_the_worker(floor: Floor) -> None:
    floor.feed(item(1))
    await floor.turn()
    floor.ledger.reservations[0][1].set_exception(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(floor.worker.run(), 5)
