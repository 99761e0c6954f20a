"""The planner: never over a limit, in the right order, and nobody waits for nothing."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.lanes import HOLD_OFF, LARGEST_LOAD
from dialer.planner import AHEAD, EARLY, Placement, Planner
from dialer.states import QueueKind, QueueStatus
from dialer.store.contract import Candidate
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_server


class Stage:
    """A planner with servers, clients and queues, fed by hand."""

    def __init__(self) -> None:
        ids = itertools.count(1)
        self.planner = Planner(lambda: f"00000000-id-{next(ids):08d}")
        self.wall = 1000.0
        self.now = 0.0

    def servers(self, *servers: Any) -> "Stage":
        self.planner.set_servers(servers)
        for server in servers:
            self.planner.set_up(server.id, True)
        return self

    def clients(self, *clients: Any) -> "Stage":
        self.planner.set_clients(clients, self.now)
        return self

    def feed(self, queue: Any, items: list[Candidate]) -> None:
        for server_id in {item.server_id for item in items}:
            self.planner.items_added(queue, [server_id])
            lane = self.planner.lanes[queue.id, server_id]
            own = [item for item in items if item.server_id == server_id]
            lane.add_fresh([i for i in own if i.due_at is None], 10_000, set())
            lane.add_retries([i for i in own if i.due_at is not None], None, set(), self.wall)
            lane.retry_load_at = None
            self.planner.loaded(lane, self.now)

    def plan(self) -> list[Placement]:
        """Plan; Asterisk answers each Originate at once."""
        placements = self.planner.plan(self.wall, self.now)
        for placement in placements:
            self.planner.answered(placement, 0.005, self.now)
        return placements

    def plan_ids(self) -> list[int]:
        return [placement.candidate.id for placement in self.plan()]


def make_stage(**limits: Any) -> Stage:
    """One server, one client with `limits`."""
    return Stage().servers(make_server(1)).clients(make_client(1, **limits))


def test_a_client_never_exceeds_its_channels() -> None:
    stage = make_stage(allocated_channels=2)
    stage.feed(make_queue(), [make_item(n) for n in range(1, 6)])
    first = stage.plan()
    assert [p.candidate.id for p in first] == [1, 2]
    assert stage.plan() == []
    stage.planner.release(first[0], stage.now)
    assert stage.plan_ids() == [3]


def test_a_server_never_exceeds_its_channels() -> None:
    stage = Stage().servers(make_server(1, max_channels=3)).clients(make_client(1))
    stage.feed(make_queue(), [make_item(n) for n in range(1, 6)])
    assert stage.plan_ids() == [1, 2, 3]


def test_calls_a_second_open_the_gate_later() -> None:
    stage = make_stage(max_cps=10.0)
    stage.feed(make_queue(), [make_item(n) for n in range(1, 6)])
    assert stage.plan_ids() == [1]
    assert stage.planner.wake_at is not None
    assert 0.0 < stage.planner.wake_at <= 0.11
    stage.now = stage.planner.wake_at
    assert stage.plan_ids() == [2]


def test_turns_that_come_soon_are_taken_together() -> None:
    """None is taken for itself before 5 ms to it, and all that come within 20 ms with it."""
    stage = make_stage(max_cps=200.0, allocated_channels=100)
    stage.feed(make_queue(), [make_item(n) for n in range(1, 30)])
    assert len(stage.plan_ids()) == 5
    assert stage.planner.wake_at is not None
    _, gate = stage.planner.gates(1, 1)
    assert gate.earliest() > stage.now + AHEAD
    assert stage.planner.wake_at == pytest.approx(gate.earliest() - EARLY)
    stage.now = stage.planner.wake_at - 0.001
    assert stage.plan_ids() == []
    stage.now += 0.001
    assert stage.plan_ids() == [6, 7, 8]


def test_a_turn_goes_to_who_may_have_it_and_not_to_a_later_one() -> None:
    """One client's gate opens within the horizon, the server's and the other's are open."""
    stage = Stage().servers(make_server(1, max_cps=200.0))
    stage.clients(make_client(1, max_cps=100.0), make_client(2, max_cps=100.0))
    for client in (1, 2):
        items = [make_item(client * 100 + n, client_id=client, queue_id=client) for n in range(9)]
        stage.feed(make_queue(client, client), items)
    placed = [item // 100 for item in stage.plan_ids()]
    assert len(placed) == 5
    assert abs(placed.count(1) - placed.count(2)) == 1


def test_ahead_or_not_no_second_holds_more_turns_than_the_limit() -> None:
    stage = make_stage(max_cps=30.0, allocated_channels=1000)
    stage.feed(make_queue(), [make_item(n) for n in range(1, 400)])
    made: list[float] = []
    while stage.now < 4.0:
        made += [stage.now for _ in stage.plan_ids()]
        assert stage.planner.wake_at is not None
        assert stage.planner.wake_at > stage.now
        stage.now = stage.planner.wake_at
    assert 4 * 30 * 0.97 <= len(made) <= 4 * 30 + 1


@pytest.mark.parametrize("change", ["queue", "client", "server", "allocation", "deadline"])
def test_what_changed_since_it_was_planned_keeps_a_call_from_leaving(change: str) -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1, deadline=stage.wall + 5.0)])
    (placement,) = stage.plan()
    assert stage.planner.may_leave(placement, stage.wall)
    if change == "queue":
        stage.planner.set_queue(make_queue(paused=True), [])
    elif change == "client":
        stage.clients(make_client(1, paused=True))
    elif change == "allocation":
        stage.clients(make_client(1, server_ids=frozenset({2})))
    elif change == "server":
        stage.servers(make_server(1, paused=True))
    late = stage.wall + (5.0 if change == "deadline" else 0.0)
    assert not stage.planner.may_leave(placement, late)


def test_a_call_of_a_queue_that_is_completed_does_not_leave() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    (placement,) = stage.plan()
    stage.planner.forget_queue(1)
    assert not stage.planner.may_leave(placement, stage.wall)


def test_a_closed_gate_of_one_client_holds_up_no_other() -> None:
    stage = Stage().servers(make_server(1)).clients(make_client(1, max_cps=1.0), make_client(2))
    stage.feed(make_queue(1, 1), [make_item(1), make_item(2)])
    stage.feed(make_queue(2, 2), [make_item(3, client_id=2, queue_id=2)])
    assert sorted(stage.plan_ids()) == [1, 3]


def test_due_retries_go_before_new_items_and_quick_calls_before_both() -> None:
    stage = make_stage(allocated_channels=1)
    quick = make_queue(2, kind=QueueKind.QUICK)
    stage.feed(make_queue(1), [make_item(1), make_item(2, due_at=999.0, attempts=1)])
    stage.feed(quick, [make_item(9, queue_id=2, quick=True)])
    order = []
    for _ in range(3):
        (placement,) = stage.plan()
        order.append(placement.candidate.id)
        stage.planner.release(placement, stage.now)
    assert order == [9, 2, 1]


def test_items_of_several_queues_go_in_the_order_received() -> None:
    stage = make_stage(allocated_channels=10)
    stage.feed(make_queue(1), [make_item(1), make_item(4)])
    stage.feed(make_queue(2), [make_item(n, queue_id=2) for n in (2, 3)])
    assert stage.plan_ids() == [1, 2, 3, 4]


def test_a_retry_that_is_not_due_sets_the_alarm() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1, due_at=1001.5)])
    assert stage.plan() == []
    assert stage.planner.wake_wall == 1001.5
    stage.wall = 1001.5
    assert stage.plan_ids() == [1]


def test_what_may_not_dial_does_not() -> None:
    for client, queue in (
        (make_client(1, paused=True), make_queue()),
        (make_client(1, has_key=False), make_queue()),
        (make_client(1, is_active=False), make_queue()),
        (make_client(1, server_ids=frozenset({2})), make_queue()),
        (make_client(1), make_queue(status=QueueStatus.PAUSED)),
        (make_client(1), make_queue(paused=True)),
    ):
        stage = Stage().servers(make_server(1)).clients(client)
        stage.feed(queue, [make_item(1)])
        assert stage.plan() == []


def test_a_server_that_is_down_holds_up_no_other() -> None:
    stage = Stage().servers(make_server(1), make_server(2)).clients(make_client(1))
    stage.planner.set_up(1, False)
    stage.feed(make_queue(), [make_item(1), make_item(2, server_id=2)])
    assert stage.plan_ids() == [2]
    stage.planner.set_up(1, True)
    assert stage.plan_ids() == [1]


def test_a_paused_queue_forgets_what_it_loaded_and_loads_it_anew() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    stage.planner.set_queue(make_queue(status=QueueStatus.PAUSED), [1])
    assert stage.plan() == []
    assert stage.planner.hungry_lanes(stage.wall) == []
    stage.planner.set_queue(make_queue(status=QueueStatus.IN_PROGRESS), [1])
    (lane,) = stage.planner.hungry_lanes(stage.wall)
    assert (lane.cursor, lane.more) == (0, True)


def test_an_id_that_is_a_prefix_of_a_live_one_waits_and_blocks_nobody() -> None:
    stage = make_stage(allocated_channels=10)
    items = [
        make_item(1, channel_base="Campaign-10"),
        make_item(2, channel_base="campaign-1"),
        make_item(3, channel_base="campaign-2"),
    ]
    stage.feed(make_queue(), items)
    first = stage.plan()
    assert [p.channel_id for p in first] == ["Campaign-10", "campaign-2"]
    stage.planner.release(first[0], stage.now)
    assert stage.plan_ids() == [2]


def test_later_attempts_carry_a_suffix_and_all_have_ids_of_their_own() -> None:
    stage = make_stage()
    again = make_item(1, channel_base="campaign-1", attempts=1, unplaced=1)
    stage.feed(make_queue(), [again, make_item(2)])
    one, two = stage.plan()
    assert (one.number, one.channel_id) == (3, "campaign-1-3")
    assert two.channel_id == two.action_id
    assert len({one.action_id, two.action_id, one.cdr_id, two.cdr_id}) == 4


def test_a_refused_reservation_frees_its_slot_and_rests_its_lane() -> None:
    stage = make_stage(allocated_channels=1)
    stage.feed(make_queue(), [make_item(1), make_item(2)])
    (placement,) = stage.plan()
    stage.planner.refused(placement, stage.wall, stage.now)
    assert stage.plan() == []
    assert stage.planner.on_the_way == set()
    assert stage.planner.hungry_lanes(stage.wall) == []
    assert stage.planner.next_lookup == stage.wall + HOLD_OFF
    assert len(stage.planner.hungry_lanes(stage.wall + HOLD_OFF)) == 1


def test_a_settled_retry_is_looked_for_before_it_is_due() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    (placement,) = stage.plan()
    stage.planner.release(placement, stage.now)
    stage.planner.settled(placement, next_at=1300.0, wall=stage.wall)
    stage.planner.hungry_lanes(stage.wall)
    assert stage.planner.next_lookup is not None
    assert stage.wall < stage.planner.next_lookup <= 1300.0
    assert len(stage.planner.hungry_lanes(1300.0)) == 1


def test_slots_of_an_earlier_life_count() -> None:
    stage = make_stage(allocated_channels=1)
    old = Placement(make_item(1), make_server(1), make_client(1), 1, "old", "old", "cdr")
    stage.planner.hold(old, stage.now)
    stage.feed(make_queue(), [make_item(2)])
    assert stage.plan() == []
    stage.planner.release(old, stage.now)
    assert stage.plan_ids() == [2]


def test_a_client_that_becomes_known_after_its_queue_is_served() -> None:
    stage = Stage().servers(make_server(1))
    stage.planner.items_added(make_queue(), [1])
    assert stage.planner.hungry_lanes(stage.wall) == []
    stage.clients(make_client(1))
    assert len(stage.planner.hungry_lanes(stage.wall)) == 1


def test_who_dialed_alone_is_not_starved_by_a_newcomer() -> None:
    stage = Stage().servers(make_server(1, max_channels=4))
    stage.clients(make_client(1, allocated_channels=4), make_client(2, allocated_channels=4))
    stage.feed(make_queue(1, 1), [make_item(n) for n in range(1, 900)])
    live = stage.plan()

    def turn() -> int:
        """All live calls end after 3 s, and others start; how many are the old client's."""
        stage.now += 3.0
        while live:
            stage.planner.release(live.pop(), stage.now)
        live.extend(stage.plan())
        return sum(placement.client.id == 1 for placement in live)

    for _ in range(100):
        assert turn() == 4
    newcomers = [make_item(n, client_id=2, queue_id=2) for n in range(1000, 1500)]
    stage.feed(make_queue(2, 2), newcomers)
    assert sum(turn() for _ in range(10)) in range(16, 25)


def test_a_client_without_work_does_not_hold_the_level_down() -> None:
    stage = Stage().servers(make_server(1, max_channels=2))
    stage.clients(*[make_client(n, allocated_channels=2) for n in (1, 2, 3)])
    stage.feed(make_queue(1, 1), [make_item(n) for n in range(1, 900)])
    stage.feed(make_queue(2, 2), [make_item(950, client_id=2, queue_id=2, due_at=9e9)])
    live = stage.plan()
    for _ in range(100):
        stage.now += 3.0
        stage.planner.release(live.pop(), stage.now)
        live += stage.plan()
    stage.feed(make_queue(3, 3), [make_item(n, client_id=3, queue_id=3) for n in range(2000, 2500)])
    starts: list[int] = []
    for _ in range(20):
        stage.now += 3.0
        stage.planner.release(live.pop(0), stage.now)
        new = stage.plan()
        starts += [placement.client.id for placement in new]
        live += new
    assert starts.count(1) >= 7


def test_other_channels_are_another_share_at_once() -> None:
    stage = Stage().servers(make_server(1, max_channels=10))
    stage.clients(make_client(1, allocated_channels=10), make_client(2, allocated_channels=10))
    for client in (1, 2):
        items = [
            make_item(n + client * 1000, client_id=client, queue_id=client) for n in range(500)
        ]
        stage.feed(make_queue(client, client), items)
    stage.clients(make_client(2, allocated_channels=90))
    live = stage.plan()
    counts = {1: 0, 2: 0}
    for _ in range(40):
        stage.now += 3.0
        for placement in live:
            counts[placement.client.id] += 1
            stage.planner.release(placement, stage.now)
        live = stage.plan()
    assert 7 <= counts[2] / counts[1] <= 11


def assert_no_wake_time_has_passed(stage: Stage) -> None:
    planner = stage.planner
    planner.hungry_lanes(stage.wall)
    assert planner.wake_at is None or planner.wake_at > stage.now
    assert planner.wake_wall is None or planner.wake_wall > stage.wall
    assert planner.next_lookup is None or planner.next_lookup > stage.wall


def test_more_due_retries_than_fit_do_not_keep_the_worker_awake() -> None:
    stage = make_stage(allocated_channels=1)
    due = [make_item(n, due_at=900.0, attempts=1) for n in range(1, 2 * LARGEST_LOAD)]
    stage.feed(make_queue(), due)
    lane = stage.planner.lanes[1, 1]
    lane.note_retry(900.0, stage.wall)
    stage.planner.loaded(lane, stage.now)
    (placement,) = stage.plan()
    assert_no_wake_time_has_passed(stage)
    for _ in range(2 * LARGEST_LOAD - LARGEST_LOAD // 2):
        stage.planner.release(placement, stage.now)
        (placement,) = stage.plan()
    assert stage.planner.hungry_lanes(stage.wall) == [lane]


def test_a_due_retry_that_is_blocked_does_not_keep_the_worker_awake() -> None:
    stage = make_stage(allocated_channels=5)
    live = make_item(1, channel_base="customer-12345-25")
    retry = make_item(2, channel_base="customer-12345", due_at=900.0, attempts=1)
    stage.feed(make_queue(), [live])
    (placement,) = stage.plan()
    stage.feed(make_queue(), [retry])
    assert stage.plan() == []
    assert_no_wake_time_has_passed(stage)
    stage.planner.release(placement, stage.now)
    assert stage.plan_ids() == [2]


def test_a_server_that_just_refused_does_not_keep_the_worker_awake() -> None:
    stage = make_stage(allocated_channels=1)
    stage.feed(make_queue(), [make_item(1)])
    (placement,) = stage.plan()
    stage.planner.refused(placement, stage.wall, stage.now)
    stage.plan()
    assert_no_wake_time_has_passed(stage)


def test_blocked_items_at_the_head_do_not_keep_others_from_being_loaded() -> None:
    stage = make_stage(allocated_channels=50)
    lane_full = [make_item(1, channel_base="campaign-123")]
    lane_full += [make_item(n, channel_base="campaign-1") for n in range(2, 15)]
    stage.feed(make_queue(), lane_full)
    lane = stage.planner.lanes[1, 1]
    lane.more = True
    stage.plan()
    assert lane.blocked == 13
    assert stage.planner.hungry_lanes(stage.wall) == [lane]


def test_starts_of_an_earlier_life_count_for_the_rate() -> None:
    stage = make_stage(max_cps=2.0)
    stage.feed(make_queue(), [make_item(1)])
    stage.now = 100.0
    for gate in stage.planner.gates(1, 1):
        gate.seed([99.5, 99.6])
    assert stage.plan() == []
    assert stage.planner.wake_at is not None
    assert stage.planner.wake_at >= 100.5


def test_a_queue_without_waiting_items_may_be_completed() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    assert stage.planner.idle_queues() == []
    stage.plan()
    assert stage.planner.idle_queues() == [1]
    stage.planner.forget_queue(1)
    assert (stage.planner.idle_queues(), stage.planner.lanes) == ([], {})


def test_completed_queues_are_forgotten() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    stage.planner.retain_queues(set())
    assert stage.planner.lanes == {}
    assert stage.plan() == []


def test_lanes_that_ran_empty_stop_competing() -> None:
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    (placement,) = stage.plan()
    stage.planner.release(placement, stage.now)
    stage.planner.tidy()
    assert stage.plan() == []
    assert stage.planner.live_calls() == {1: 0}


@given(
    caps=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    shares=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60),
)
def test_no_cap_is_ever_exceeded_and_no_room_is_left_while_work_waits(
    caps: list[int], shares: list[int], steps: list[tuple[bool, int]]
) -> None:
    stage = Stage()
    stage.servers(*[make_server(n, max_channels=cap) for n, cap in enumerate(caps, 1)])
    stage.clients(*[make_client(n, allocated_channels=s) for n, s in enumerate(shares, 1)])
    ids = itertools.count(1)
    for client, server in itertools.product(range(1, len(shares) + 1), range(1, len(caps) + 1)):
        queue = make_queue(client * 10 + server, client)
        items = [
            make_item(next(ids), client_id=client, queue_id=queue.id, server_id=server)
            for _ in range(100)
        ]
        stage.feed(queue, items)
    live: list[Placement] = []
    for release, which in steps:
        if release and live:
            stage.planner.release(live.pop(which % len(live)), stage.now)
        else:
            live += stage.plan()
            on_servers = [sum(p.server.id == n for p in live) for n in range(1, len(caps) + 1)]
            of_clients = [sum(p.client.id == n for p in live) for n in range(1, len(shares) + 1)]
            assert all(n <= cap for n, cap in zip(on_servers, caps, strict=True))
            assert all(n <= share for n, share in zip(of_clients, shares, strict=True))
            full = on_servers == caps or of_clients == shares
            assert full or min(sum(caps), sum(shares)) <= len(live) or stage.plan() == []
        stage.now += 0.5
