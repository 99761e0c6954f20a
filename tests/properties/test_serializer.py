"""The serializer is the only door to AMI: of more than a million generated headers Asterisk hears
one action with exactly the given ones, or they do not leave."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from random import Random
from typing import Final

import pytest

from ami.actions import Action, Hangup, Login, Originate, serialize
from ami.errors import ActionInvalid
from tests.manager_input import Heard, hear
from tests.properties.generated_actions import Case, Verdict, make_case
from tests.properties.sound_actions import count_headers

SEEDS: Final = range(20_260, 20_268)
ACTIONS: Final = 5_200
"""Of each seed."""

PLAIN: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
EATEN: Final = str.maketrans("", "", '"\\')


@dataclass(slots=True)
class Tally:
    """Headers that were judged, by what became of their action, and how often each thing that was
    put into an action was refused."""

    sent: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)


@cache
def judge(seed: int) -> Tally:
    """Raises AssertionError with the seed, the number and the action of a case judged wrongly."""
    random, tally = Random(seed), Tally()
    for number in range(ACTIONS):
        case = make_case(random)
        complaint = judge_case(case, tally)
        assert not complaint, f"seed {seed}, case {number}: {complaint}\n{case!r}"
    return tally


def judge_case(case: Case, tally: Tally) -> str:
    """What is wrong with the serializer's answer, or ""."""
    headers = count_headers(case.action)
    try:
        data = serialize(case.action)
    except ActionInvalid as error:
        tally.refused += headers
        tally.faults[case.fault] += 1
        if case.verdict is Verdict.SENT:
            return f"refused, but nothing is wrong with it: {error.header} {error.rule}"
        if case.header and case.header != error.header:
            return f"the refusal names {error.header} instead of {case.header}"
        return ""
    tally.sent += headers
    if case.verdict is Verdict.REFUSED:
        return "sent"
    return find_difference(case, *hear(data))


def find_difference(case: Case, messages: list[Heard], rest: bytes) -> str:
    """Between what was given and what Asterisk hears, or ""."""
    if len(messages) != 1 or messages[0].error or rest:
        return f"heard as {messages} and {rest!r}"
    heard = messages[0]
    pairs = [(name.decode(), value.decode()) for name, value in heard.pairs()]
    fixed = [pair for pair in pairs if pair[0] != "Variable"]
    given = spell(case.action)
    if len(fixed) != len(given) or dict(fixed) != given:
        return f"heard {fixed} instead of {given}"
    if any(heard.header(name) != value.encode() for name, value in given.items()):
        return "a header's name finds another one"
    if isinstance(case.action, Originate):
        return find_forbidden(case.action, given) or find_misread(case, case.action, heard)
    return "" if len(pairs) == len(given) else "headers that nobody gave"


def spell(action: Action) -> dict[str, str]:
    """The headers that the action stands for, but for variables."""
    headers: dict[str, str | int | None] = {
        "Action": type(action).__name__,
        "ActionID": action.action_id,
    }
    if isinstance(action, Login):
        headers |= {"Username": action.username, "Secret": action.secret, "Events": action.events}
    if isinstance(action, Hangup):
        headers |= {"Channel": action.channel_id, "Cause": action.cause}
    if isinstance(action, Originate):
        headers |= {
            "Channel": action.channel,
            "ChannelId": action.channel_id,
            "OtherChannelId": action.other_channel_id,
            "Application": action.application,
            "Data": action.data,
            "Context": action.context,
            "Exten": action.exten,
            "Priority": action.priority,
            "Timeout": action.timeout_ms,
            "CallerID": action.caller_id,
            "Account": action.account,
            "Codecs": action.codecs,
            "Async": "true",
        }
    return {name: str(value) for name, value in headers.items() if value not in (None, "")}


def find_misread(case: Case, call: Originate, message: Heard) -> str:
    """A variable that Asterisk sets otherwise than it was given, or ""."""
    found = [(name.decode(), value.decode()) for name, value in message.variables()]
    if case.verdict is Verdict.SENT:
        differing = (pair for pair in zip_longest(found, case.assigned) if pair[0] != pair[1])
        return next((f"assigns {heard!r}, not {meant!r}" for heard, meant in differing), "")
    names = [text.partition("=")[0] for text in call.variables]
    if [name for name, _ in found] != names:
        return f"assigns {found}"
    wrong = [n for n in names if n not in call.functions and not PLAIN.fullmatch(n)]
    return f"assigns to {wrong}" if wrong else ""


def find_forbidden(call: Originate, given: dict[str, str]) -> str:
    """What no Originate may carry, looked for in another way than the serializer's, or ""."""
    for text in (*given.values(), *call.variables):
        if not text.isprintable() and (
            found := [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        ):
            return f"contains {found}"
        bare = text.translate(EATEN)
        if "${" in bare or "$[" in bare or "^{" in bare:
            return f"Asterisk may evaluate {text!r}"
    return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_asterisk_hears_the_given_headers_or_nothing(seed: int) -> None:
    tally = judge(seed)
    assert tally.sent > 3 * tally.refused


def test_a_million_headers_were_judged() -> None:
    """Most of them sent, so that refusing everything would not do."""
    tallies = [judge(seed) for seed in SEEDS]
    sent = sum(tally.sent for tally in tallies)
    refused = sum(tally.refused for tally in tallies)
    assert sent >= 800_000
    assert refused >= 100_000
    assert sent + refused >= 1_000_000


def test_every_fault_was_tried() -> None:
    faults = sum((judge(seed).faults for seed in SEEDS), Counter[str]())
    del faults[""]
    assert len(faults) >= 75
    assert min(faults.values()) >= 30
