"""Scenarios: chance by the seed, rules by the number."""

import random
from collections import Counter

import pytest

from ami.simulator.plan import Behaviour, Signal, find_behaviour
from ami.simulator.scenario import Outcome, Plan, Rule, Span, Spread, Word

ANSWER = Outcome(Word.ANSWER, 3.0, Span(Spread.UNIFORM, 1.0, 4.0), talk=Span(Spread.FIXED, 9.0))
BUSY = Outcome(Word.BUSY, 1.0)
MIXED = (Rule("*", (ANSWER, BUSY)),)


def did(plan: Plan, numbers: list[str], *, second: bool = False) -> list[str]:
    return [plan.choose(number, second).did for number in numbers]


def test_weights_are_shares() -> None:
    count = Counter(did(Plan(MIXED), [f"{n}" for n in range(2000)]))
    assert count["answer"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert count.keys() == {"answer", "busy"}


def test_a_seed_repeats_it_in_any_order() -> None:
    numbers = [f"{n % 50}" for n in range(200)]  # each four times
    first, again, other = (Plan(MIXED, seed=seed) for seed in (7, 7, 8))
    by_number = [(n, first.choose(n, False)) for n in numbers]
    shuffled = sorted(numbers)
    assert sorted(by_number, key=lambda pair: pair[0]) == [
        (n, again.choose(n, False)) for n in shuffled
    ]
    assert [behaviour for _, behaviour in by_number] != [other.choose(n, False) for n in numbers]


def test_the_first_rule_that_matches() -> None:
    plan = Plan(
        [Rule("91[2-4]*", (BUSY,)), Rule("91?", (Outcome(Word.REJECT),)), Rule("9*", (ANSWER,))]
    )
    assert did(plan, ["9125", "915", "9155"]) == ["busy", "reject", "answer"]
    assert plan.choose("5504", False) == find_behaviour("5504")


def test_second_legs_have_rules_of_their_own_or_the_same() -> None:
    assert did(Plan([Rule("*", (BUSY,))]), ["1"], second=True) == ["busy"]
    plan = Plan([Rule("*", (BUSY,))], [Rule("*", (Outcome(Word.REJECT),))])
    assert did(plan, ["1"], second=True) == ["reject"]
    assert did(plan, ["1"]) == ["busy"]


@pytest.mark.parametrize("word", Word)
def test_every_word_is_a_behaviour(word: Word) -> None:
    behaviour = Outcome(word).behave(random.Random(0))
    assert (behaviour.talk is not None) == (word is Word.ANSWER)
    assert (behaviour.wait is None) == (word in (Word.NO_ANSWER, Word.NOTHING))


def test_ringing_and_early_media_before_an_end() -> None:
    ring = Span(Spread.FIXED, 1.5)
    rung = Outcome(Word.BUSY, ring=ring).behave(random.Random(0))
    assert rung == Behaviour("busy", Signal.RINGING, 1.5, None, 17, 486, "BUSY")
    heard = Outcome(Word.ANSWER, ring=ring, early_media=True).behave(random.Random(0))
    assert (heard.signal, heard.wait, heard.talk) == (Signal.PROGRESS, 1.5, 2.0)
    silent = Outcome(Word.NOTHING, ring=ring).behave(random.Random(0))
    assert silent.signal is None
    at_once = Outcome(Word.ANSWER, ring=Span(Spread.FIXED, 0.0)).behave(random.Random(0))
    assert (at_once.signal, at_once.wait) == (None, 0.0)


@pytest.mark.parametrize(
    ("span", "middle"),
    [
        (Span(Spread.FIXED, 3.0), 3.0),
        (Span(Spread.UNIFORM, 2.0, 4.0), 3.0),
        (Span(Spread.EXPONENTIAL, 10.0), 6.93),  # the mean times ln 2
        (Span(Spread.LOGNORMAL, 45.0, 0.8), 45.0),
    ],
)
def test_spans(span: Span, middle: float) -> None:
    chance = random.Random(1)
    drawn = sorted(span.draw(chance) for _ in range(2001))
    assert drawn[1000] == pytest.approx(middle, rel=0.1)
    assert Span(span.spread, span.first, span.second, most=0.5).draw(chance) <= 0.5
