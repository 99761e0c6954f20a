"""Departures: each at its own turn, the longest wait first, and no gate of one line in another."""

import heapq
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

import pytest

from dialer.attempts import LiveAttempt, Stage
from dialer.coordination.contract import Turn
from dialer.coordination.turns import SLACK, space
from dialer.departures import Departures
from dialer.pacing import LINE
from dialer.planner import AHEAD, Placement, Planner
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_server


class Platform:
    """Two servers and two clients, and their departures."""

    def __init__(self, server_cps: float | None, *client_cps: float | None) -> None:
        self.planner = Planner(lambda: "id")
        self.planner.set_servers([make_server(n, max_cps=server_cps) for n in (1, 2)])
        self.set_clients(*client_cps)
        for server_id in (1, 2):
            self.planner.set_up(server_id, True)
        self.departures = Departures(self.planner)

    def set_clients(self, *client_cps: float | None) -> None:
        clients = [
            make_client(n, max_cps=cps, allocated_channels=9999)
            for n, cps in enumerate(client_cps, 1)
        ]
        self.planner.set_clients(clients, 0.0)

    def add(self, number: int, server: int = 1, client: int = 1) -> LiveAttempt:
        placement = Placement(
            candidate=make_item(number, client_id=client, server_id=server),
            server=self.planner.server(server),
            client=self.planner.client(client),
            number=1,
            channel_id=f"channel-{number}",
            action_id=f"action-{number}",
            cdr_id=f"cdr-{number}",
        )
        attempt = LiveAttempt(placement, Stage.CLEARED)
        self.departures.add(attempt)
        return attempt

    def leave(self, now: float) -> list[int]:
        """The items of all that leave at `now`."""
        left = []
        while (attempt := self.departures.pop(now)) is not None:
            left.append(attempt.placement.candidate.id)
        return left


def test_without_limits_all_leave_at_once_in_the_order_they_came() -> None:
    platform = Platform(None, None, None)
    platform.add(1)
    platform.add(2, client=2)
    platform.add(3, server=2)
    platform.add(4)
    assert platform.leave(10.0) == [1, 2, 3, 4]
    assert platform.departures.next_at() is None


def test_one_leaves_at_a_time_and_the_next_turn_is_known_to_the_letter() -> None:
    platform = Platform(100.0, None)
    for number in range(1, 51):
        platform.add(number)
    now, starts = 10.0, []
    while platform.departures.next_at() is not None:
        assert len(platform.leave(now)) == 1
        starts.append(now)
        at = platform.departures.next_at()
        now = at if at is not None else now
        assert platform.leave(now - 1e-6) == []
    assert len(starts) == 50
    assert all(later - start >= 0.005 for start, later in pairwise(starts))
    assert starts[-1] - starts[0] > 49 * 0.01


def test_a_closed_gate_of_one_client_holds_up_no_other() -> None:
    platform = Platform(None, 1.0, None)
    platform.add(1)
    platform.add(2)
    platform.add(3, client=2)
    assert platform.leave(10.0) == [1, 3]
    assert platform.leave(11.0) == []
    assert platform.leave(11.02) == [2]


def test_clients_that_share_a_servers_gate_go_in_turn() -> None:
    platform = Platform(10.0, None, None)
    for number, client in ((1, 1), (2, 2), (3, 1), (4, 2)):
        platform.add(number, client=client)
    assert [platform.leave(10.0 + n * 0.11) for n in range(4)] == [[1], [2], [3], [4]]


def test_a_client_has_one_limit_on_all_servers() -> None:
    platform = Platform(None, 2.0)
    platform.add(1)
    platform.add(2, server=2)
    assert platform.leave(10.0) == [1]
    assert platform.leave(10.55) == [2]


def test_what_was_taken_to_another_stage_takes_no_turn() -> None:
    platform = Platform(None, 1.0)
    lost = platform.add(1)
    platform.add(2)
    lost.move(Stage.LOST)
    assert platform.leave(10.0) == [2]


def test_a_raised_limit_brings_the_turn_forward() -> None:
    platform = Platform(None, 0.1)
    platform.add(1)
    platform.add(2)
    assert platform.leave(10.0) == [1]
    assert platform.departures.next_at() == 10.0 + 10.15
    platform.set_clients(None)
    assert platform.leave(10.1) == [2]


def test_cleared_departures_hand_out_who_still_waits() -> None:
    platform = Platform(None, 1.0)
    lost = platform.add(1)
    waiting = [platform.add(2), platform.add(3)]
    lost.move(Stage.LOST)
    assert platform.departures.clear() == waiting
    assert platform.departures.next_at() is None


def test_the_planner_reserves_nothing_for_which_a_line_waits_already() -> None:
    """Ten commits that took long come at once: nothing is planned until few of them wait."""
    platform = Platform(10.0, None)
    for number in range(1, 11):
        platform.add(number)
    assert platform.leave(10.0) == [1]
    planned, _ = platform.planner.gates(1, 1)
    wire, _ = platform.departures.gates(1, 1)
    assert abs(planned.earliest() - (wire.earliest() + 9 * 0.1015 - LINE)) < 1e-6


def run_day(platform: Platform, commit: Callable[[float], float], until: float) -> list[float]:
    """When the Originates of one client leave; a commit begun at `at` takes `commit(at)`."""
    platform.planner.items_added(make_queue(), [1])
    lane = platform.planner.lanes[1, 1]
    lane.add_fresh([make_item(n) for n in range(1, 5000)], 10_000, set())
    platform.planner.loaded(lane, 0.0)
    commits: list[tuple[float, int, Placement]] = []
    starts: list[float] = []
    now = 0.0
    while now < until:
        for placement in platform.planner.plan(1000.0, now):
            done = max([now + commit(now), *[at for at, _, _ in commits]])  # one after another
            heapq.heappush(commits, (done, placement.candidate.id, placement))
        while commits and commits[0][0] <= now:
            platform.departures.add(LiveAttempt(heapq.heappop(commits)[2], Stage.CLEARED))
        while (attempt := platform.departures.pop(now)) is not None:
            starts.append(now)
            platform.planner.answered(attempt.placement, 0.002, now)
        nexts = [platform.planner.wake_at, platform.departures.next_at()]
        nexts += [commits[0][0]] if commits else []
        now = max(now + 1e-6, min(at for at in nexts if at is not None))
    return starts


@pytest.mark.parametrize("commit", [0.001, 0.012, 0.03, 0.08])
def test_a_slow_disk_costs_no_rate_and_brings_no_burst(commit: float) -> None:
    starts = run_day(Platform(None, 100.0), lambda at: commit, 5.0)
    assert len(starts) > 0.97 * 100 * (5.0 - commit)
    assert max(bisect_left(starts, at + 1.0) - n for n, at in enumerate(starts)) <= 100


def test_after_a_disk_that_stalled_the_line_gets_short_again_and_the_rate_is_kept() -> None:
    platform = Platform(None, 100.0)
    starts = run_day(platform, lambda at: 0.5 - (at % 1.0) if 2.0 < at < 2.5 else 0.003, 6.0)
    assert len(starts) > 0.97 * 100 * 5.5
    assert max(bisect_left(starts, at + 1.0) - n for n, at in enumerate(starts)) <= 100
    assert len(platform.departures.clear()) * 0.01 <= LINE + AHEAD


def test_a_turn_decides_in_place_of_the_clients_gate() -> None:
    platform = Platform(None, 10.0)
    for number, turn in ((1, Turn(5.0, 5.025)), (2, Turn(5.03, 5.055))):
        platform.add(number).turn = turn
    assert platform.leave(4.9) == []
    assert platform.departures.next_at() == 5.0
    assert platform.leave(5.0) == [1]
    assert platform.leave(5.03) == [2]  # the gate alone would not open before 5.1


def test_the_servers_rolling_second_holds_whatever_turn_there_is() -> None:
    platform = Platform(2.0, 10.0)
    for number in (1, 2, 3):
        platform.add(number).turn = Turn(5.0, 5.025)
    assert platform.leave(5.0) == [1, 2]
    assert platform.departures.pop_late(5.02) is None
    late = platform.departures.pop_late(5.03)
    assert late is not None
    assert platform.departures.next_at() is None


@pytest.mark.parametrize("phase", [0.0, 0.01, 0.02, 0.03, 0.05, 0.07])
def test_clients_whose_turns_fill_a_server_use_them_all(phase: float) -> None:
    """Two grids of turns: each comes where its own client's grid has it, not the server's."""
    platform = Platform(18.0, 12.0, 6.0)
    turns = [(n * space(12.0), 1) for n in range(120)]
    turns += [(phase + n * space(6.0), 2) for n in range(60)]
    starts: list[float] = []
    for number, (at, client) in enumerate(sorted(turns)):
        platform.add(number, client=client).turn = Turn(at, at + SLACK)
        assert platform.departures.next_at() == at
        assert platform.departures.pop_late(at) is None
        assert platform.leave(at) == [number]
        starts.append(at)
    assert max(bisect_left(starts, at + 1.0) - n for n, at in enumerate(starts)) <= 18


def test_a_server_beyond_its_limit_has_turns_go_by_and_is_never_over_it() -> None:
    platform = Platform(18.0, 12.0, 12.0)
    turns = sorted([(n * space(12.0), 1) for n in range(120)] * 2)
    starts: list[float] = []
    for number, (at, client) in enumerate(turns):
        platform.add(number, client=client).turn = Turn(at, at + SLACK)
        starts += [at] * len(platform.leave(at))
        while platform.departures.pop_late(at + 2 * SLACK) is not None:
            pass
    busiest = max(bisect_left(starts, at + 1.0) - n for n, at in enumerate(starts))
    assert busiest == 18
    assert len(starts) > 0.95 * 18 * turns[-1][0]


def test_one_servers_departures_are_cleared_alone() -> None:
    platform = Platform(None, 10.0)
    platform.add(1)
    platform.add(2, server=2)
    assert [a.placement.candidate.id for a in platform.departures.clear(2)] == [2]
    assert platform.leave(1.0) == [1]
