"""Windows and breakers in the plan: a sick server's calls wait, and nobody else's."""

import itertools

import pytest

from dialer.backpressure import FIRST, LEAST
from dialer.breaker import FIRST_PAUSE, LONGEST_PAUSE, TOLERATED, BreakerState, Trouble
from dialer.planner import Placement, Planner
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_server

WALL = 1000.0


def make_planner(cps: float | None = None) -> Planner:
    """Two servers that are up and take so many calls a second, one client with hundreds of items
    for each."""
    ids = itertools.count(1)
    planner = Planner(lambda: f"id-{next(ids)}")
    planner.set_servers([make_server(1, max_cps=cps), make_server(2, max_cps=cps)])
    planner.set_clients([make_client(1, allocated_channels=1000)], 0.0)
    for server_id in (1, 2):
        planner.set_up(server_id, True)
        queue = make_queue(server_id)
        planner.items_added(queue, [server_id])
        lane = planner.lanes[server_id, server_id]
        first = server_id * 1000
        items = [
            make_item(n, server_id=server_id, queue_id=server_id) for n in range(first, first + 300)
        ]
        lane.add_fresh(items, 1000, set())
        lane.retry_load_at = None
        planner.loaded(lane, 0.0)
    return planner


def plan(planner: Planner, now: float) -> dict[int, list[Placement]]:
    placed: dict[int, list[Placement]] = {1: [], 2: []}
    for placement in planner.plan(WALL, now):
        placed[placement.server.id].append(placement)
    return placed


def test_a_full_window_holds_up_its_own_server_alone() -> None:
    planner = make_planner()
    placed = plan(planner, 0.0)
    assert [len(placed[server]) for server in (1, 2)] == [int(FIRST), int(FIRST)]
    assert not any(plan(planner, 1.0).values())
    for placement in placed[2]:
        planner.answered(placement, 0.005, 1.0)
    later = plan(planner, 1.0)
    assert (len(later[1]), len(later[2])) == (0, int(FIRST))
    assert planner.answered(placed[1][0], 0.3, 1.0)  # a call waited for it
    assert len(plan(planner, 1.0)[1]) == 1


def test_a_server_that_falls_silent_gets_no_more_until_it_is_heard() -> None:
    planner = make_planner(cps=10.0)
    placed = [plan(planner, at)[1] for at in (0.0, 0.5, 1.0)]
    assert [len(calls) for calls in placed] == [1, 1, 1]
    assert plan(planner, 1.5)[1] == []
    assert planner.answered(placed[0][0], 1.6, 1.6)  # a call waited for it
    assert len(plan(planner, 1.6)[1]) == 1


def test_a_slow_server_gets_fewer() -> None:
    planner = make_planner()
    for placement in plan(planner, 0.0)[1]:
        planner.answered(placement, 2.0, 2.0)
    assert len(plan(planner, 2.0)[1]) == int(FIRST / 2)


@pytest.mark.parametrize("outcome", ["unsent", "lost", "refused"])
def test_what_is_not_answered_for_a_reason_narrows_nothing(outcome: str) -> None:
    planner = make_planner()
    for placement in plan(planner, 0.0)[1]:
        if outcome == "unsent":
            planner.unsent(placement)
        elif outcome == "lost":
            planner.unanswered(placement, 1.0, lost=True)
        else:
            planner.refused(placement, WALL, 1.0)
    planner.lanes[1, 1].resting_until = 0.0
    if outcome != "refused":  # then its lane is read anew
        assert len(plan(planner, 1.0)[1]) == int(FIRST)
    assert planner.breaker(1).state is BreakerState.CLOSED


def test_missing_answers_open_the_breaker_and_a_probe_closes_it() -> None:
    planner = make_planner()
    placed = plan(planner, 0.0)
    for placement in placed[1][: TOLERATED[Trouble.UNANSWERED]]:
        planner.unanswered(placement, 10.0, lost=False)
    for placement in placed[1][TOLERATED[Trouble.UNANSWERED] :]:
        planner.answered(placement, 9.0, 10.0)  # too late to help
    for placement in placed[2]:
        planner.answered(placement, 0.005, 10.0)
    during = plan(planner, 10.0)
    assert (len(during[1]), len(during[2])) == (0, int(FIRST))
    assert planner.wake_at == 10.0 + FIRST_PAUSE
    (probe,) = plan(planner, 10.0 + FIRST_PAUSE)[1]
    assert plan(planner, 15.5)[1] == []
    assert planner.wake_at == 10.0 + FIRST_PAUSE + LONGEST_PAUSE  # were nothing heard of it
    assert planner.answered(probe, 0.005, 16.0)
    assert len(plan(planner, 16.0)[1]) == int(LEAST)


def test_missing_originate_responses_open_it_and_one_that_comes_closes_it() -> None:
    planner = make_planner()
    for _ in range(TOLERATED[Trouble.UNREPORTED]):
        planner.unreported(1, 10.0)
    assert plan(planner, 10.0)[1] == []
    (probe,) = plan(planner, 15.0)[1]
    planner.answered(probe, 0.005, 15.1)
    assert plan(planner, 15.1)[1] == []
    assert planner.reported(1)
    assert len(plan(planner, 15.2)[1]) > 1
    assert not planner.reported(1)


def test_a_probe_that_asterisk_refuses_is_followed_by_another() -> None:
    planner = make_planner()
    for _ in range(TOLERATED[Trouble.UNREPORTED]):
        planner.unreported(1, 10.0)
    (probe,) = plan(planner, 15.0)[1]
    assert planner.answered(probe, 0.005, 15.1, refused=True)
    assert len(plan(planner, 15.1)[1]) == 1


def test_a_lost_link_and_its_return() -> None:
    planner = make_planner()
    placed = plan(planner, 0.0)[1]
    planner.link_down(1, Trouble.LINK_LOST, 1.0)
    for placement in placed:
        planner.unanswered(placement, 1.0, lost=True)
        planner.release(placement, 1.0, dialed=False)
    assert plan(planner, 1e6)[1] == []
    assert planner.breaker(1).describe(1.0) == "open: the link is lost"
    planner.link_up(1)
    assert len(plan(planner, 2.0)[1]) == int(FIRST)


def test_an_attempt_that_was_withdrawn_has_its_ids_again() -> None:
    planner = make_planner()
    queue = make_queue(3)
    planner.items_added(queue, [2])
    lane = planner.lanes[3, 2]
    kept = ("campaign-1", "act-1", "cdr-1")
    lane.add_fresh([make_item(1, queue_id=3, server_id=2, kept_ids=kept)], 10, set())
    planner.loaded(lane, 0.0)
    (again,) = [one for one in plan(planner, 0.0)[2] if one.candidate.id == 1]
    assert (again.channel_id, again.action_id, again.cdr_id) == kept
    planner.unsent(again)
    planner.release(again, 1.0, dialed=False)
    planner.withdrawing(again)
    assert 1 in planner.on_the_way
    planner.withdrawn(again)
    assert 1 not in planner.on_the_way
    assert lane.needs_fresh
