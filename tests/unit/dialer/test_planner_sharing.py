"""The planner among others: servers that are not ours, and slots that others hold."""

from dialer.departures import Departures
from dialer.pacing import CATCH_UP, SHARED_CATCH_UP
from dialer.planner import Planner
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_server
from tests.unit.dialer.test_planner import Stage, make_stage


def make_shared(**limits: object) -> Stage:
    stage = make_stage(**limits)
    stage.planner.share()
    return stage


def test_on_a_server_that_is_not_ours_nothing_is_planned_and_nothing_may_leave() -> None:
    stage = make_stage(allocated_channels=1)
    stage.feed(make_queue(), [make_item(1), make_item(2)])
    (placed,) = stage.plan()
    assert stage.planner.may_leave(placed, stage.wall)
    stage.planner.set_ours(1, False)
    assert not stage.planner.is_ours(1)
    assert not stage.planner.may_leave(placed, stage.wall)
    stage.planner.release(placed, stage.now)
    assert stage.plan() == []
    assert stage.planner.hungry_lanes(stage.wall) == []


def test_one_that_comes_back_is_looked_through_from_the_start() -> None:
    """What another worker dialed meanwhile is none of what is in memory."""
    stage = make_stage()
    stage.feed(make_queue(), [make_item(1)])
    lane = stage.planner.lanes[1, 1]
    assert lane.cursor == 1
    stage.planner.set_ours(1, True)  # as it was
    assert lane.cursor == 1
    stage.planner.set_ours(1, False)
    stage.planner.set_ours(1, True)
    assert (lane.cursor, lane.held) == (0, set())
    assert stage.planner.hungry_lanes(stage.wall) == [lane]


def test_a_queue_with_work_for_other_workers_alone_may_be_completed_for_all_we_know() -> None:
    stage = Stage().servers(make_server(1), make_server(2)).clients(make_client(1))
    stage.feed(make_queue(), [make_item(1), make_item(2, server_id=2)])
    stage.plan()
    for lane in stage.planner.lanes.values():
        lane.more = lane.server_id == 2
    assert stage.planner.idle_queues() == []
    stage.planner.set_ours(2, False)
    assert stage.planner.idle_queues() == [1]


def test_a_client_that_others_fill_holds_up_nobody_else() -> None:
    stage = make_shared(allocated_channels=5)
    stage.clients(make_client(1, allocated_channels=5), make_client(2, allocated_channels=5))
    queue = make_queue(2, client_id=2)
    stage.feed(make_queue(), [make_item(1)])
    stage.feed(queue, [make_item(2, client_id=2, queue_id=2)])
    refused, granted = sorted(stage.plan(), key=lambda placed: placed.client.id)
    stage.planner.denied(refused, stage.now, stage.now + 0.25)
    stage.planner.granted(granted)
    assert stage.planner.live_calls() == {1: 1}
    assert stage.plan() == []
    assert stage.planner.wake_at is not None
    assert stage.now < stage.planner.wake_at <= stage.now + 0.25
    stage.now = stage.planner.wake_at
    assert stage.plan_ids() == [1]


def test_room_ends_the_wait() -> None:
    stage = make_shared()
    stage.feed(make_queue(), [make_item(1)])
    (refused,) = stage.plan()
    stage.planner.denied(refused, stage.now, stage.now + 100.0)
    assert stage.plan() == []
    stage.planner.room()
    assert stage.plan_ids() == [1]


def test_what_was_denied_goes_first_when_it_is_granted() -> None:
    stage = make_shared(allocated_channels=3)
    stage.feed(make_queue(), [make_item(n) for n in range(1, 6)])
    placed = stage.plan()
    assert [p.candidate.id for p in placed] == [1, 2, 3]
    stage.planner.granted(placed[0])
    for refused in placed[1:]:
        stage.planner.denied(refused, stage.now, stage.now + 0.25)
    stage.now += 0.25
    assert stage.plan_ids() == [2]  # one alone, to try


def test_a_client_that_rests_is_not_planned_for() -> None:
    stage = make_shared()
    stage.feed(make_queue(), [make_item(1)])
    stage.planner.rest_client(1, stage.now + 0.5)
    assert stage.plan() == []
    stage.now += 0.5
    assert stage.plan_ids() == [1]


def test_a_queue_that_is_gone_takes_nothing_back() -> None:
    stage = make_shared()
    stage.feed(make_queue(), [make_item(1)])
    (placed,) = stage.plan()
    stage.planner.forget_queue(1)
    stage.planner.denied(placed, stage.now)
    assert stage.planner.on_the_way == set()
    assert stage.planner.live_calls() == {1: 0}


def test_servers_catch_up_more_where_slots_are_shared() -> None:
    planner = Planner(lambda: "id")
    planner.set_servers([make_server(1, max_cps=10.0)])
    planner.set_clients([make_client(1)], 0.0)
    assert planner.gates(1, 1)[0].catch_up == planner.catch_up == CATCH_UP
    planner.share()
    planner.set_servers([make_server(2, max_cps=10.0)])
    for owner in (planner, Departures(planner)):
        assert [owner.gates(n, 1)[0].catch_up for n in (1, 2)] == [SHARED_CATCH_UP] * 2
    assert planner.gates(1, 1)[1].catch_up == CATCH_UP
