"""Actions with one thing in them that must be refused, and the header the refusal must name."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from ami.actions import Action, Hangup, Originate
from tests.properties.generated_texts import CONTROLS, MARKS, SURROGATES, cut, fill, make_text, put
from tests.properties.sound_actions import (
    BARE,
    FUNCTIONS,
    LIMITS,
    LINE,
    NAMES,
    count_headers,
    make_id,
    make_login,
    make_sound,
    make_variable,
)

RESERVED_NAMES: Final = ("MONITOR_EXEC", "__Monitor_Filename", "dynamic_features", "_SIPADDHEADER1")
Breaking = Callable[[Random], tuple[str, str, Action]]
"""Gives what was done, the header that a refusal must name, and the action."""

TEXT_FIELDS: Final = {
    "Channel": "channel",
    "Data": "data",
    "CallerID": "caller_id",
    "Account": "account",
    "Context": "context",
    "Exten": "exten",
}


def _base(random: Random, field: str) -> Originate:
    """A sound Originate of few headers on which the field means something."""
    call, _ = make_sound(random, random.choice((0, 1, 2, 5, 10)))
    if field in ("context", "exten", "priority"):
        return replace(call, application=None, data="", context="c", exten="s", priority=1)
    if field in ("data", "application"):
        return replace(call, application="Wait", data="1", context=None, exten=None, priority=None)
    return call


def _break_text(random: Random) -> tuple[str, str, Action]:
    header, field = random.choice(tuple(TEXT_FIELDS.items()))
    call = _base(random, field)
    sound = "PJSIP/" + make_text(random) if header == "Channel" else make_text(random)
    limit = LIMITS.get(field, LINE - len(f"{header}: "))
    fault, text = random.choice(
        (
            ("control", put(random, sound, random.choice(CONTROLS))),
            ("control", put(random, sound, random.choice(CONTROLS))),
            ("surrogate", put(random, sound, random.choice(SURROGATES))),
            ("mark", put(random, sound, random.choice(MARKS))),
            ("blank", random.choice((" ", "   ")) + sound),
            ("long", cut(sound, limit) + fill(random, limit + 1 - len(cut(sound, limit).encode()))),
            ("longer", sound + fill(random, limit + random.choice((2, 3, 4, 300, 5000)))),
        )
    )
    return f"{header} {fault}", header, replace(call, **{field: text})  # type: ignore[arg-type]


def _bad_id(random: Random) -> tuple[str, str]:
    bad = (*CONTROLS, *SURROGATES, *MARKS, " ", "/", ",", "é", "€", "|", "\u200b", "\u0661")
    return random.choice(
        (
            ("empty", ""),
            ("letter", put(random, make_id(random), random.choice(bad))),
            ("letter", put(random, make_id(random), random.choice(bad))),
            ("long", "x" * random.choice((150, 151, 1020))),
        )
    )


def _break_id(random: Random) -> tuple[str, str, Action]:
    header = random.choice(("ActionID", "ChannelId", "OtherChannelId", "Hangup", "Ping"))
    fault, text = _bad_id(random)
    if header == "Hangup":
        return f"Channel {fault}", "Channel", Hangup(make_id(random), text)
    if header == "Ping":
        return f"ActionID {fault}", "ActionID", random.choice(BARE)(text)
    call = _base(random, "")
    if header == "OtherChannelId":
        return f"{header} letter", header, replace(call, other_channel_id=text or "/")
    field = {"ActionID": "action_id", "ChannelId": "channel_id"}[header]
    return f"{header} {fault}", header, replace(call, **{field: text})  # type: ignore[arg-type]


def _bad_variable(random: Random) -> tuple[str, str]:
    name, value = random.choice(NAMES), make_text(random, eaten=False)
    long = fill(random, LINE - len(f"Variable: {name}=") + random.choice((1, 2, 3, 1000)))
    value = value.replace("(", "").replace("[", "")
    return random.choice(
        (
            ("control", put(random, f"{name}={value}", random.choice(CONTROLS))),
            ("surrogate", put(random, f"{name}={value}", random.choice(SURROGATES))),
            ("mark", f"{name}={put(random, value, random.choice(MARKS))}"),
            ("comma", f"{name}={put(random, value, ',')}"),
            ("comma", f"{name}={value},{random.choice(FUNCTIONS)}=1"),
            ("comma", f'{name}="{value}",B=1'),
            ("comma", f"{name}=({value}),FILE(/x)=1"),
            ("comma", f"{name}={value}\\\\,B=1"),
            ("comma", f'{name}=(")",FILE(/x)={value}'),
            ("comma", f'{name}=["]{value}",B=1'),
            ("backslash", f"{name}={value}\\"),
            ("backslash", f"{name}={value}\\\\\\"),
            (
                "name",
                random.choice(("1", "é", "-", ":", "(", "$", "\u0661")) + f"{name}={value}",
            ),
            ("name", f"={value}"),
            ("name", name),
            ("name", f"{name}{random.choice((' ', '-', '.', ':', 'é', '()', '(x)', ')'))}={value}"),
            ("function", f"{random.choice(('FILE(/x)', 'SHELL(id)', 'cdr(a)', 'CDR(b)'))}={value}"),
            ("function", f'"{random.choice(FUNCTIONS)}"=1'),
            ("function", f"\\{random.choice(FUNCTIONS)}=1"),
            ("blank", f" {name}={value}"),
            ("long", f"{name}={long}"),
        )
    )


def _break_variable(random: Random) -> tuple[str, str, Action]:
    call = _base(random, "")
    if random.random() < 0.1:
        more = random.choice((1, 2, 100)) + 128 - count_headers(call)
        many = call.variables + tuple(make_variable(random).text for _ in range(more))
        return "Variable many", "Variable", replace(call, variables=many)
    if random.random() < 0.1:
        bad = f"{random.choice(RESERVED_NAMES)}={make_text(random, eaten=False)}"
        # Sound ones of its own, as it may name no function.
        plain = replace(call, variables=("A=1", bad), functions=frozenset())
        return "Variable reserved", "Variable", plain
    if random.random() < 0.1:
        eaten = random.choice(('F("a,b")', '"A"', "F(a\\,b)", "\\A"))
        allowed = replace(call, variables=(f"{eaten}=1",), functions=frozenset({eaten}))
        return "Variable eaten", "Variable", allowed
    fault, bad = _bad_variable(random)
    place = random.randint(0, len(call.variables))
    variables = (*call.variables[:place], bad, *call.variables[place:])
    return f"Variable {fault}", "Variable", replace(call, variables=variables)


def _break_rest(random: Random) -> tuple[str, str, Action]:
    control = random.choice(CONTROLS)
    header, fields = random.choice(
        (
            ("Timeout", {"timeout_ms": random.choice((0, -1, 120_001, 10**30))}),
            ("Priority", {"priority": random.choice((0, -1, 2**31, 10**30))}),
            ("Codecs", {"codecs": random.choice((" ", "a, b", "a,", f"a{control}", "é"))}),
            ("Channel", {"channel": random.choice(("", "PJSIP", "PJSIP/", "/a", "//", "1"))}),
            ("Application", {"application": random.choice(("", "1", "a b", "a,1", f"a{control}"))}),
            ("Application", {"application": None}),
            ("Application", {"application": "Wait", "context": "c"}),
        )
    )
    call = _base(random, header.lower())
    return f"{header} rule", header, replace(call, **fields)


def _break_login(random: Random) -> tuple[str, str, Action]:
    if random.random() < 0.2:
        hangup = Hangup(make_id(random), make_id(random), random.choice((-1, 128, 10**30)))
        return "Cause rule", "Cause", hangup
    header = random.choice(("Username", "Secret", "Events"))
    sound = make_text(random)
    fault, text = random.choice(
        (
            ("control", put(random, sound, random.choice(CONTROLS))),
            ("surrogate", put(random, sound, random.choice(SURROGATES))),
            ("blank", f" {sound}"),
            ("long", fill(random, LINE + 1 - len(f"{header}: "))),
        )
    )
    login = replace(make_login(random), **{header.lower(): text})
    return f"{header} {fault}", header, login


BREAKING: Final[tuple[Breaking, ...]] = (
    *(_break_text, _break_text, _break_text, _break_variable, _break_variable),
    *(_break_id, _break_rest, _break_login),
)
