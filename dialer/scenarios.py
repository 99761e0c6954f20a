"""Scenario files: TOML → the configuration of a simulated Asterisk (docs/simulate.md)."""

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ami import WANTED
from ami.simulator import SimulatorConfig
from ami.simulator.faults import (
    Disorder,
    Ending,
    Fault,
    Flood,
    Interruption,
    Loss,
    Slowness,
    When,
)
from ami.simulator.scenario import Outcome, Plan, Rule, Span, Spread, Word
from dialer.errors import DialerError

# A day: more than any scenario lasts, and what nobody means who writes it.
LONGEST: Final = 86_400.0
# UserEvents are wanted by their first words.
_LOSABLE: Final = tuple(sorted({name.partition(":")[0] for name in WANTED}))
_SPANS: Final = (
    "write seconds, { uniform = [from, to] }, { exponential = mean } or"
    " { lognormal = [median, deviation] }"
)


class ScenarioInvalid(DialerError):
    """A scenario that cannot be played. Says which file and which key, in one sentence."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Seconds = Annotated[float, Field(ge=0, le=LONGEST)]
Some = Annotated[float, Field(gt=0, le=LONGEST)]
Count = Annotated[int, Field(ge=1)]


class _Span(_Table):
    fixed: Seconds | None = None
    uniform: tuple[Seconds, Seconds] | None = None
    exponential: Some | None = None
    lognormal: tuple[Some, Annotated[float, Field(ge=0, le=10)]] | None = None
    most: Seconds = math.inf

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = (self.fixed, self.uniform, self.exponential, self.lognormal)
        if sum(value is not None for value in given) != 1:
            raise ValueError(_SPANS)
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            raise ValueError("uniform: the first bound is above the second")
        return self

    def make(self) -> Span:
        if self.uniform is not None:
            return Span(Spread.UNIFORM, *self.uniform, self.most)
        if self.lognormal is not None:
            return Span(Spread.LOGNORMAL, *self.lognormal, self.most)
        if self.exponential is not None:
            return Span(Spread.EXPONENTIAL, self.exponential, most=self.most)
        return Span(Spread.FIXED, self.fixed or 0.0, most=self.most)


def _read_span(value: object) -> object:
    """A number is as long as it says; lists are TOML's tuples."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"fixed": value}
    if not isinstance(value, dict):
        raise ValueError(_SPANS)
    return {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}


SpanKey = Annotated[_Span, BeforeValidator(_read_span)]


class _Outcome(_Table):
    does: Annotated[Word, Field(strict=False)]
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    ring: SpanKey | None = None
    early_media: bool = False
    talk: SpanKey | None = None

    @model_validator(mode="after")
    def _talks(self) -> Self:
        if self.talk is not None and self.does is not Word.ANSWER:
            raise ValueError(f"talk: a call that does '{self.does}' does not talk")
        return self

    def make(self) -> Outcome:
        ring = self.ring.make() if self.ring is not None else None
        made = Outcome(self.does, self.weight, ring, self.early_media)
        return replace(made, talk=self.talk.make()) if self.talk is not None else made


class _Rule(_Table):
    match: Annotated[str, Field(min_length=1)]
    outcomes: Annotated[list[_Outcome], Field(min_length=1)]

    def make(self) -> Rule:
        return Rule(self.match, tuple(outcome.make() for outcome in self.outcomes))


class _Timed(_Table):
    at_call: Count | None = None
    every_calls: Count | None = None
    at_second: Seconds | None = None

    @model_validator(mode="after")
    def _is_timed(self) -> Self:
        given = (self.at_call, self.every_calls, self.at_second)
        if sum(value is not None for value in given) != 1:
            raise ValueError("write one of at_call, every_calls and at_second")
        return self

    @property
    def when(self) -> When:
        return When(self.at_call, self.every_calls, self.at_second)


class _Interruption(_Timed):
    do: Literal["cut", "restart", "shutdown"]
    down: Seconds = 0.0

    def make(self) -> Fault:
        return Interruption(Ending(self.do), self.when, self.down)


class _Flood(_Timed):
    do: Literal["flood"]
    events: Annotated[int, Field(ge=1, le=1_000_000)]

    def make(self) -> Fault:
        return Flood(self.when, self.events)


class _Slowness(_Timed):
    do: Literal["slow"]
    delay: Some
    lasts: Some

    def make(self) -> Fault:
        return Slowness(self.when, self.delay, self.lasts)


class _Loss(_Table):
    do: Literal["lose"]
    event: str
    every: Count

    @model_validator(mode="after")
    def _is_heard(self) -> Self:
        if self.event not in _LOSABLE:
            raise ValueError(f"event: write one that the dialer reads: {', '.join(_LOSABLE)}")
        return self

    def make(self) -> Fault:
        return Loss(self.event, self.every)


class _Disorder(_Table):
    do: Literal["reorder"]
    share: Annotated[float, Field(gt=0, le=1)]
    within: Annotated[float, Field(gt=0, le=10)]

    def make(self) -> Fault:
        return Disorder(self.share, self.within)


_Fault = Annotated[
    _Interruption | _Flood | _Slowness | _Loss | _Disorder, Field(discriminator="do")
]


class _Server(_Table):
    max_calls: Count | None = None
    max_cps: Count | None = None
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    endpoints: Annotated[list[str], Field(min_length=1)] = ["*"]
    local_contexts: dict[str, str] = {"lab-out": "carrier"}


class _Scenario(_Table):
    server: _Server = _Server()
    numbers: list[_Rule] = []
    second_legs: list[_Rule] = []
    faults: list[_Fault] = []


def read_scenario(path: Path, seed: int) -> SimulatorConfig:
    """What the file asks for, with chance by `seed`. Raises ScenarioInvalid."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ScenarioInvalid(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ScenarioInvalid(f"{path} is no UTF-8: {error}") from error
    return parse_scenario(text, str(path), seed)


def parse_scenario(text: str, name: str, seed: int) -> SimulatorConfig:
    """As `read_scenario`, of the text of a file `name`."""
    try:
        scenario = _Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(f"{name} is no TOML: {error}") from error
    except ValidationError as error:
        raise ScenarioInvalid(f"{name}: {_describe(error)}") from error
    server = scenario.server
    rules = [rule.make() for rule in scenario.numbers]
    second = [rule.make() for rule in scenario.second_legs]
    return SimulatorConfig(
        endpoints=frozenset(server.endpoints),
        dead_endpoints=frozenset(),
        local_contexts=server.local_contexts,
        scale=server.scale,
        max_calls=server.max_calls,
        max_cps=server.max_cps,
        seed=seed,
        far_end=Plan(rules, second, seed).choose,
        faults=tuple(fault.make() for fault in scenario.faults),
    )


def _describe(error: ValidationError) -> str:
    """The first thing that is wrong, by its key as it would be written in a program."""
    first = error.errors(include_url=False)[0]
    key = ""
    for number, part in enumerate(first["loc"]):
        if number == 2 and first["loc"][0] == "faults":
            continue  # the kind of fault, by which pydantic chose
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    return f"{key}: {_say(first)}"


def _say(first: ErrorDetails) -> str:
    match first["type"]:
        case "extra_forbidden":
            return "there is no such key"
        case "missing":
            return "is missing"
        case "union_tag_not_found":
            return "do is missing: what goes wrong"
        case "union_tag_invalid":
            return f"there is no fault '{first['ctx']['tag']}', but {first['ctx']['expected_tags']}"
        case "value_error":
            return str(first["ctx"]["error"])
        case _:
            return str(first["msg"])
