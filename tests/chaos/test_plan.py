"""Plans of lives: every failpoint has its turn, and a seed repeats them."""

from itertools import islice

from chaos.plan import AT_RANDOM, FAILPOINTS, NEEDS_CUT, Fate, LifePlan, Planner
from dialer.failpoints import POINTS, read_rules


def lives(planner: Planner, count: int) -> list[LifePlan]:
    return list(islice(iter(planner.next_life, None), count))


def test_failpoints_exist_and_are_enough() -> None:
    assert FAILPOINTS.keys() <= POINTS.keys()
    assert len(FAILPOINTS) >= 20


def test_every_failpoint_has_its_turn() -> None:
    plans = lives(Planner(1), 70)
    assert {plan.point for plan in plans if plan.point} == FAILPOINTS.keys()
    for plan in plans:
        if plan.rule is None:
            assert plan.where == AT_RANDOM
        else:
            [rule] = read_rules(plan.rule)
            assert (rule.name, rule.hit) == (plan.point, plan.hit)
            assert 1 <= plan.hit <= FAILPOINTS[rule.name][0]


def test_a_seed_repeats_a_campaign() -> None:
    assert lives(Planner(7), 100) == lives(Planner(7), 100)
    assert lives(Planner(7), 100) != lives(Planner(8), 100)


def test_stops_are_in_the_mix_and_bounded() -> None:
    plans = lives(Planner(3, stop_every=4, longest_stop=5.0), 400)
    stopped = [plan for plan in plans if plan.stopped]
    assert len(stopped) == 100
    assert {plan.fate for plan in stopped} == {Fate.STOPPED, Fate.STOPPED_KILLED}
    assert max(plan.stopped for plan in stopped) == 5.0
    assert sum(plan.fate is Fate.TIME for plan in plans) > 50
    assert any(plan.fresh for plan in plans)
    assert all(plan.cut for plan in plans if plan.point in NEEDS_CUT)
    assert sum(plan.cut for plan in plans) > 30


def test_only_what_is_asked_for() -> None:
    plans = lives(Planner(3, points=("link.up",), stop_every=0, cut_every=0, fresh_every=0), 20)
    assert {plan.point for plan in plans} == {"link.up", None}
    assert not any(plan.fresh or plan.stopped or plan.cut for plan in plans)
