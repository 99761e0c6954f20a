"""Actions that break no rule, however they look, many of them just at the limits."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from ami.actions import (
    Action,
    CoreSettings,
    CoreShowChannels,
    CoreStatus,
    Hangup,
    ListCommands,
    Login,
    Logoff,
    Originate,
    Ping,
    assign,
)
from tests.properties.generated_texts import cut, fill, make_text

NAMES: Final = ("A", "b", "CAMPAIGN", "QUEUE_ID", "_X", "__inherited_1", "Z" * 40, "_", "Action")
FUNCTIONS: Final = ("TIMEOUT(absolute)", "PJSIP_HEADER(add,X-Foo)", "CDR(a)", "MONITOR_EXEC")
"""Names that an operator may allow, the last a reserved one."""

RAW: Final = (
    *(("(a,b)x", "(a,b)x"), ("[1,,2]", "[1,,2]"), ("((,),)", "((,),)"), ("[(,])", "[(,])")),
    *(
        ('"("x,y)', "(x,y)"),
        ('("[",)]x', "([,)]x"),
        ("\\)(,)", ")(,)"),
        ('"),"\\"', '),"'),
        ("", ""),
    ),
)
"""Values as a client may write them, and what Asterisk makes of them."""

BARE: Final = (Logoff, Ping, CoreShowChannels, CoreStatus, CoreSettings, ListCommands)
ID_LETTERS: Final = "abcXYZ0123456789._:;-"
LINE: Final = 1022
"""Bytes of a line without CR LF that Asterisk reads whole."""

LIMITS: Final = {"channel": 200, "caller_id": 80, "account": 79, "context": 79, "exten": 79}
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A Variable header as text, and what Asterisk must make of it."""

    text: str
    name: str
    value: str


def make_sound(random: Random, count: int) -> tuple[Originate, list[Variable]]:
    """An Originate with `count` variables that breaks no rule, at the limits at times."""
    variables = [make_variable(random) for _ in range(count)]
    fields: dict[str, Any] = {}
    if random.random() < 0.8:
        data = fill(random, LINE - 6) if random.random() < 0.05 else make_text(random)
        fields |= {"application": random.choice(("Wait", "Dial", "Echo_2")), "data": data}
    else:
        context, exten = _short(random, "context"), _short(random, "exten")
        fields |= {"context": context, "exten": exten, "priority": random.randint(1, 99)}
    for field in ("caller_id", "account"):
        fields[field] = random.choice(("", _short(random, field)))
    call = Originate(
        action_id=make_id(random),
        channel_id=make_id(random),
        channel=_channel(random),
        timeout_ms=random.choice((1, 120_000, random.randint(1, 120_000))),
        variables=tuple(variable.text for variable in variables),
        functions=frozenset(FUNCTIONS),
        codecs=random.choice(("", "ulaw", "ulaw,alaw,slin16")),
        other_channel_id=random.choice(("", make_id(random))),
        **fields,
    )
    return call, variables


def make_variable(random: Random) -> Variable:
    """Sendable, mostly written by `assign`, sometimes in a client's own quotes or brackets."""
    kind = random.random()
    name = random.choice(NAMES) if kind < 0.95 else random.choice(FUNCTIONS)
    if kind < 0.02:
        value = fill(random, LINE - len(f"Variable: {name}="))
    elif kind < 0.1:
        value = make_text(random, eaten=False).replace("(", "").replace("[", "") + ",x,"
        return Variable(f'{name}="{value}"', name, value)
    elif kind < 0.15:
        text, value = random.choice(RAW)
        return Variable(f"{name}={text}", name, value)
    else:
        value = random.choice(("", " ", ",")) + make_text(random)
    return Variable(assign(name, value), name, value)


def count_headers(action: Action) -> int:
    """Of the action as it was meant: a field that is empty gives no header."""
    if isinstance(action, Originate):
        optional = (
            action.application,
            action.data,
            action.context,
            action.exten,
            action.priority,
            action.caller_id,
            action.account,
            action.codecs,
            action.other_channel_id,
        )
        fixed = 6  # Action, ActionID, Channel, ChannelId, Timeout, Async
        return fixed + len(action.variables) + sum(map(bool, optional))
    if isinstance(action, Hangup):
        return 3 + (action.cause is not None)
    return 5 if isinstance(action, Login) else 2


def make_hangup(random: Random) -> Hangup:
    cause = random.choice((None, 0, 127, random.randint(0, 127)))
    return Hangup(make_id(random), make_id(random), cause)


def make_login(random: Random) -> Login:
    secret = fill(random, LINE - 8) if random.random() < 0.1 else make_text(random)
    secret += random.choice(("", "${x}", "^{"))[: LINE - 8 - len(secret.encode())]
    events = random.choice(("on", "off", "call,system"))
    return Login(make_id(random), make_text(random), secret, events)


def make_id(random: Random) -> str:
    size = random.choice((1, 36, 36, 36, 36, 148, 149))
    return "".join(random.choices(ID_LETTERS, k=size))


def _channel(random: Random) -> str:
    technology = random.choice(("PJSIP/", "Local/", "é/"))
    if random.random() < 0.1:
        size = random.choice((199, 200)) - len(technology.encode())
        return technology + fill(random, size, eaten=True)
    return cut(technology + make_text(random), LIMITS["channel"])


def _short(random: Random, field: str) -> str:
    limit = LIMITS[field]
    if random.random() < 0.1:
        return fill(random, random.choice((limit - 1, limit)))
    return cut(make_text(random), limit)
