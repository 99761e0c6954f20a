"""Actions by the thousand, each with what must become of it: sent as it is, or refused for one
thing that was put into it, or either (a soup of everything)."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random

from ami.actions import Action, Originate
from tests.properties.broken_actions import BREAKING
from tests.properties.generated_texts import CONTROLS, EATEN, MARKS, SENDABLE, SURROGATES
from tests.properties.sound_actions import (
    BARE,
    FUNCTIONS,
    NAMES,
    count_headers,
    make_hangup,
    make_id,
    make_login,
    make_sound,
    make_variable,
)


class Verdict(Enum):
    SENT = auto()
    REFUSED = auto()
    EITHER = auto()


@dataclass(frozen=True, slots=True)
class Case:
    """`fault`: what was done to it, "" where nothing; `header`: the one a refusal must name.
    `assigned`: what its variables must become, where it must be sent."""

    action: Action
    verdict: Verdict
    fault: str = ""
    header: str = ""
    assigned: tuple[tuple[str, str], ...] = ()


def make_case(random: Random) -> Case:
    kind = random.random()
    if kind < 0.60:
        return _sound(random)
    if kind < 0.85:
        return _faulty(random)
    return Case(make_soup(random), Verdict.EITHER)


def _sound(random: Random) -> Case:
    kind = random.random()
    if kind < 0.05:
        return Case(random.choice(BARE)(make_id(random)), Verdict.SENT)
    if kind < 0.10:
        return Case(make_hangup(random), Verdict.SENT)
    if kind < 0.15:
        return Case(make_login(random), Verdict.SENT)
    call, variables = make_sound(random, random.choice((0, 1, 3, 8, 20, 60, 100, 112)))
    if len(variables) == 112:
        more = [make_variable(random) for _ in range(128 - count_headers(call))]
        call = replace(call, variables=call.variables + tuple(v.text for v in more))
        variables += more
    assigned = tuple((variable.name, variable.value) for variable in variables)
    return Case(call, Verdict.SENT, assigned=assigned)


def _faulty(random: Random) -> Case:
    fault, header, action = random.choice(BREAKING)(random)
    return Case(action, Verdict.REFUSED, fault, header)


def make_soup(random: Random) -> Originate:
    """An Originate of anything: most break a rule, some do not."""
    rare = (*CONTROLS, *SURROGATES, *MARKS)

    def soup() -> str:
        pieces = random.choices(SENDABLE + EATEN, k=random.randint(0, 6))
        if random.random() < 0.02:
            pieces.append(random.choice(rare))
        return "".join(pieces)

    names = (*NAMES, *FUNCTIONS, "FILE(/x)", '"A"', "A ", "")
    call, _ = make_sound(random, 0)
    return replace(
        call,
        channel=f"PJSIP/{soup()}",
        data=soup() if call.application else "",
        caller_id=soup(),
        account=soup(),
        variables=tuple(
            f"{random.choice(names[: random.choice((5, 9, 17))])}={soup()}"
            for _ in range(random.choice((0, 0, 1, 2)))
        ),
    )
