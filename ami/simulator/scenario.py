"""A scenario: what far ends do by number, by weight and by chance, repeatable by its seed."""

import fnmatch
import math
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ami.simulator.plan import CONGESTION, SILENCE, Behaviour, Signal, find_behaviour

RING: Final = 0.2  # seconds before an answer where nothing is said


class Word(StrEnum):
    """What a far end does."""

    ANSWER = "answer"
    BUSY = "busy"
    NO_ANSWER = "no-answer"  # rings until the caller gives up
    CONGESTION = "congestion"
    UNALLOCATED = "unallocated"
    UNAVAILABLE = "unavailable"
    REJECT = "reject"
    DECLINE = "decline"
    ERROR = "error"
    NOTHING = "nothing"  # says nothing at all


_ENDS: Final = {
    Word.BUSY: Behaviour("busy", cause=17, sip_code=486, dial_status="BUSY"),
    Word.NO_ANSWER: Behaviour("ring", Signal.RINGING, wait=None),
    Word.CONGESTION: CONGESTION,
    Word.UNALLOCATED: Behaviour("unallocated", cause=1, sip_code=404),
    Word.UNAVAILABLE: Behaviour("unavailable", cause=19, sip_code=480),
    Word.REJECT: Behaviour("reject", cause=21, sip_code=403),
    Word.DECLINE: Behaviour("decline", cause=21, sip_code=603),
    Word.ERROR: Behaviour("error", cause=38, sip_code=500),
    Word.NOTHING: SILENCE,
}


class Spread(StrEnum):
    """How a span of time varies."""

    FIXED = "fixed"
    UNIFORM = "uniform"  # between two bounds
    EXPONENTIAL = "exponential"  # by its mean
    LOGNORMAL = "lognormal"  # by its median and the deviation of its logarithm


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds, drawn anew for each call, never above `most`. `second` is a uniform's upper bound,
    or a lognormal's deviation."""

    spread: Spread
    first: float
    second: float = 0.0
    most: float = math.inf

    def draw(self, chance: random.Random) -> float:
        match self.spread:
            case Spread.FIXED:
                drawn = self.first
            case Spread.UNIFORM:
                drawn = chance.uniform(self.first, self.second)
            case Spread.EXPONENTIAL:
                drawn = chance.expovariate(1.0 / self.first)
            case Spread.LOGNORMAL:
                drawn = chance.lognormvariate(math.log(self.first), self.second)
        return min(drawn, self.most)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that may happen, `weight` times as likely as one of weight 1. `ring`: how long it
    rings, or sends early media, before that; `talk`: how long an answered call lasts."""

    does: Word
    weight: float = 1.0
    ring: Span | None = None
    early_media: bool = False
    talk: Span = Span(Spread.FIXED, 2.0)

    def behave(self, chance: random.Random) -> Behaviour:
        """What the far end of one call does."""
        ring = self.ring.draw(chance) if self.ring is not None else None
        signal = Signal.PROGRESS if self.early_media else Signal.RINGING
        if self.does is Word.ANSWER:
            talk = self.talk.draw(chance)
            wait = RING if ring is None else ring
            return Behaviour("answer", signal if wait > 0 else None, wait, talk)
        end = _ENDS[self.does]
        if end.wait is None:  # nothing but the caller ends it
            return replace(end, signal=signal) if end.signal is not None else end
        return replace(end, signal=signal, wait=ring) if ring else end


@dataclass(frozen=True, slots=True)
class Rule:
    """What may happen to calls to numbers that match a pattern: `*` any digits, `?` one, `[2-4]`
    one of these."""

    pattern: str
    outcomes: tuple[Outcome, ...]


class Plan:
    """Chooses for each call by the first rule that its number matches; `second`: of second legs,
    which go by the other rules where there are none of their own. A number that no rule matches is
    answered by the number table (`plan`).

    The nth call to a number has the same outcome for the same seed, whatever else is dialed and in
    whichever order.
    """

    def __init__(self, rules: Iterable[Rule], second: Iterable[Rule] = (), seed: int = 0) -> None:
        first = _compile(rules)
        self._rules = {False: first, True: _compile(second) or first}
        self._seed = seed
        self._dialed: Counter[tuple[bool, str]] = Counter()

    def choose(self, number: str, second: bool) -> Behaviour:
        outcomes = next(
            (outcomes for matches, outcomes in self._rules[second] if matches.match(number)), None
        )
        if outcomes is None:
            return find_behaviour(number)
        self._dialed[second, number] += 1
        nth = self._dialed[second, number]
        # Chance for tests, and no secret.
        chance = random.Random(f"{self._seed}/{second}/{number}/{nth}")  # noqa: S311
        weights = [outcome.weight for outcome in outcomes]
        return chance.choices(outcomes, weights)[0].behave(chance)


def _compile(rules: Iterable[Rule]) -> list[tuple[re.Pattern[str], tuple[Outcome, ...]]]:
    return [(re.compile(fnmatch.translate(rule.pattern)), rule.outcomes) for rule in rules]
