"""Failpoints: which of them act, when, and that nothing arms them by accident."""

import ast
import logging
import os
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

import ami
from dialer.errors import SettingsError
from dialer.failpoints import (
    CONSENT,
    POINTS,
    SEED,
    VARIABLE,
    Action,
    FailpointHit,
    Failpoints,
    Rule,
    arm_from,
    failpoints,
    perform,
    read_rules,
)
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
DATABASE = "sqlite+aiosqlite:///here.db"


@pytest.fixture
def disarmed() -> None:
    assert not failpoints.armed


def reach_often(rule: Rule, times: int, seed: int = 0) -> list[int]:
    """At which hits, from 1, the rule acted."""
    acted: list[Rule] = []
    points = Failpoints(acted.append)
    points.arm([rule], seed)
    hits = []
    for count in range(1, times + 1):
        points.reach(rule.name)
        if acted:
            hits.append(count)
            acted.clear()
    return hits


def test_a_hit_count_acts_once() -> None:
    assert reach_often(Rule("link.up", Action.KILL, hit=3), 9) == [3]
    assert reach_often(Rule("link.up", Action.KILL), 9) == [1]


def test_a_probability_is_repeatable_by_its_seed() -> None:
    rule = Rule("link.up", Action.KILL, chance=0.2)
    first = reach_often(rule, 1000, seed=1)
    assert 120 < len(first) < 280
    assert first == reach_often(rule, 1000, seed=1)
    assert first != reach_often(rule, 1000, seed=2)
    assert reach_often(Rule("link.up", Action.KILL, hit=2, chance=1.0), 5) == [2]


def test_only_the_place_that_is_named_acts() -> None:
    acted: list[Rule] = []
    points = Failpoints(acted.append)
    points.arm([Rule("link.up", Action.KILL)])
    points.reach("link.down")
    assert acted == []
    with pytest.raises(KeyError):
        points.reach("link.sideways")
    points.arm([])
    assert not points.armed


def test_rules_are_read() -> None:
    text = "link.up=kill@37, link.down=delay:0.25%0.5,start.claimed=stop,start.left=raise@2%1"
    assert read_rules(text) == [
        Rule("link.up", Action.KILL, hit=37),
        Rule("link.down", Action.DELAY, chance=0.5, seconds=0.25),
        Rule("start.claimed", Action.STOP),
        Rule("start.left", Action.RAISE, hit=2, chance=1.0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "link.up",
        "link.up=explode",
        "link.up=kill@0",
        "link.up=kill%2",
        "link.up=delay",
        "link.up=kill:3",
        "link.sideways=kill",
    ],
)
def test_wrong_rules_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=VARIABLE):
        read_rules(text)


def test_nothing_is_armed_without_consent_that_names_the_database(
    disarmed: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert not arm_from({}, DATABASE)
    assert not arm_from({CONSENT: DATABASE}, DATABASE)
    assert caplog.records == []
    for consent in ({}, {CONSENT: "yes"}, {CONSENT: DATABASE + "x"}):
        caplog.clear()
        assert not arm_from({VARIABLE: "link.up=kill"} | consent, DATABASE)
        assert not failpoints.armed
        assert [(r.levelno, "are ignored" in r.message) for r in caplog.records] == [
            (logging.ERROR, True)
        ]


def test_armed_is_said_loudly(disarmed: None, caplog: pytest.LogCaptureFixture) -> None:
    consent = {CONSENT: DATABASE, SEED: "5"}
    try:
        assert arm_from({VARIABLE: "link.up=raise"} | consent, DATABASE)
        assert [r.levelno for r in caplog.records] == [logging.ERROR]
        with pytest.raises(FailpointHit):
            failpoints.reach("link.up")
        with pytest.raises(SettingsError, match=SEED):
            arm_from({VARIABLE: "link.up=raise"} | consent | {SEED: "x"}, DATABASE)
    finally:
        failpoints.arm([])


@pytest.mark.parametrize(("action", "status"), [("kill", -9), ("stop", -9)])
def test_the_process_ends_or_stops_itself(action: str, status: int) -> None:
    code = (
        "from dialer.failpoints import *; failpoints.arm(read_rules('link.up="
        f"{action}')); failpoints.reach('link.up')"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as process:
        if action == "stop":
            _, state = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(state)
            process.kill()
        assert process.wait(PATIENCE) == status


def test_a_delay_holds_the_thread() -> None:
    assert timeit.timeit(
        lambda: perform(Rule("link.up", Action.DELAY, seconds=0.01)), number=1
    ) == pytest.approx(0.01, abs=0.05)


def test_every_failpoint_stands_somewhere_and_each_place_is_known() -> None:
    placed = {name for path in (ROOT / "dialer").rglob("*.py") for name in find_names(path)}
    assert placed == POINTS.keys()
    assert len(POINTS) >= 20


FORMATTED = {
    "event.{}": [f"event.{kind.__name__}" for kind in ami.Event.__args__],
    "store.{}.commit.before": ["store.writes.commit.before", "store.runs.commit.before"],
    "store.{}.commit.after": ["store.writes.commit.after", "store.runs.commit.after"],
    "delivery.{}.before": ["delivery.callback.before", "delivery.sgapi.before"],
    "delivery.{}.after": ["delivery.callback.after", "delivery.sgapi.after"],
}


def find_names(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoints.reach":
            [argument] = node.args
            if isinstance(argument, ast.JoinedStr):
                pattern = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in argument.values
                )
                names += FORMATTED[pattern]
            else:
                assert isinstance(argument, ast.Constant)
                names.append(str(argument.value))
    return names
