"""The faults of a cluster: by their names, and those at failpoints."""

import random

from chaos.cluster.catalogue import ALL, FAULTS, HANDS
from chaos.cluster.members import Role
from chaos.cluster.points import AT_POINTS, MORE, POINTS, draw_rule, points_of
from dialer.failpoints import POINTS as EXISTING
from dialer.failpoints import read_rules

UNREACHED = {"event.BridgeEntered", "event.RecordingStarted"}
"""Calls of a campaign run Wait alone, and nothing is recorded."""


def test_hands_of_a_storm_do_what_there_is() -> None:
    named = [name for names, _ in HANDS for name in names]
    assert set(named) <= FAULTS.keys()
    assert len(named) == len(set(named))


def test_every_beginning_of_a_failpoint_means_some() -> None:
    for role, beginnings in POINTS.items():
        for beginning in beginnings:
            assert any(name.startswith(beginning) for name in points_of(role)), beginning


def test_every_failpoint_that_calls_come_to_is_one_fault() -> None:
    reached = {name.partition("-at-")[2] for name in AT_POINTS}
    assert reached == EXISTING.keys() - UNREACHED
    assert AT_POINTS.keys() <= ALL.keys()


def test_a_rule_is_one_that_the_dialer_takes() -> None:
    rng = random.Random(3)
    for role in Role:
        for point in points_of(role):
            (rule,) = read_rules(draw_rule(point, rng))
            assert rule.name == point
            assert rule.hit in range(1, 26)
    assert all(draw_rule(point, rng).endswith("@1") for point in MORE)
