"""Attacks on the exchange behind the dialer, each with the field that must be named.

`MARKER` stands for a file that a program would make if one of them got through to Asterisk.
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dialer.bodies import Action, QueueItem, QuickCallRequest
from dialer.policy import DEFAULT_POLICY

Body = dict[str, Any]

MARKER: Final = "/var/lab/recordings/got.through"  # no accountcode's folder has that name
NUMBER: Final = "66600000"
"""Begins every number that an attack dials; nobody else dials it."""

TRUNK: Final = "carrier"
"""The one endpoint that the client's policy allows."""

CONTROLS: Final = ("\r\n", "\n", "\r", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029")
SHELL: Final = f"${{SHELL(touch {MARKER})}}"


@dataclass(frozen=True, slots=True)
class Attack:
    """`fields` and `action` replace a harmless item's; `field` is what the answer must name."""

    field: str
    fields: Body
    action: Body

    def item(self, server: str) -> Body:
        calm = harmless_item(server, f"{NUMBER}1")
        return {**calm, **self.fields, "action": {**calm["action"], **self.action}}


def harmless_item(server: str, number: str) -> Body:
    return {
        "asterisk_server_code": server,
        "action": {
            "Action": "Originate",
            "Channel": f"PJSIP/{number}@{TRUNK}",
            "Application": "Wait",
            "Data": "1",
        },
    }


def harmless_quick_call(server: str, number: str) -> Body:
    return {
        "asterisk_server_code": server,
        "number1": number,
        "customer_name": "Nobody",
        "endpoint": TRUNK,
        "action": {"Application": "Wait", "Data": "1"},
    }


def inject(control: str) -> str:
    """Short, so that no limit of length is in the way of the rule that is meant."""
    return f"1{control}Action: Command"


def control_attacks(control: str) -> Iterator[Attack]:
    """A line break, or what somewhere is taken for one, in every field of an item in turn."""
    for name in QueueItem.__annotations__:
        if name != "action":
            yield Attack(name, {name: inject(control)}, {})
    for name in Action.__annotations__:
        yield Attack(f"action.{name}", {}, {name: inject(control)})
    yield Attack("action", {}, {f"Channel{control}Action": "Command"})


def act(field: str, **action: Any) -> Attack:
    return Attack(f"action.{field}", {}, action)


def dial(data: str) -> Attack:
    return act("Data", Application="Dial", Data=data)


def program_attacks() -> Iterator[Attack]:
    """What Asterisk would run, evaluate, or take for more than one call."""
    one = f"PJSIP/{NUMBER}2@{TRUNK}"
    for program in (
        "System",
        "system",
        "TrySystem",
        "Exec",
        "AGI",
        "Originate",
        "MixMonitor",
        " System",
    ):
        yield act("Application", Application=program, Data=f"touch {MARKER}")
    yield act("Application", Application=f"Wait(1)&System(touch {MARKER})")
    yield act("Action", Action="Command")
    for mark in (SHELL, "$[1+1]", f"^{{SHELL(touch {MARKER})}}", f'$"{{SHELL(touch {MARKER})}}'):
        yield act("Channel", Channel=f"PJSIP/{mark}@{TRUNK}")
        yield act("CallerID", CallerID=mark)
        yield Attack("caller_id", {"caller_id": mark}, {})
        yield act("Variable", Variable=f"A={mark}")
        yield dial(f"PJSIP/{mark}@{TRUNK},30")
        yield act("Data", Application="Playback", Data=mark)
        yield act("Data", Application="ConfBridge", Data=mark)
        yield act("Codecs", Codecs=mark)
        yield act("PreDialGoSub", PreDialGoSub=mark)
        yield act("OtherChannelId", OtherChannelId=mark)
    for mark in "&|`;":
        yield act("Channel", Channel=f"{one}{mark}{one}")
        yield dial(f"{one}{mark}{one},30")
    yield act("Data", Application="Queue", Data=f"sales,,,,30,{MARKER}.agi")
    yield act("Data", Application="Playback", Data="../../../etc/passwd")
    yield act("PreDialGoSub", PreDialGoSub="internal,s,1")
    for key in ("Context", "Exten", "Command", "Variable\r\nX"):
        yield Attack("action", {}, {key: "internal"})


def place_attacks() -> Iterator[Attack]:
    """Calls to where the client may not call."""
    for channel in (
        f"Local/{NUMBER}3@lab-out",
        f"local/{NUMBER}3@internal/n",
        f"DAHDI/1/{NUMBER}3",
        f"PJSIP/{NUMBER}3@endpoint2",
        f"PJSIP/endpoint2/{NUMBER}3",
        f"SIP/endpoint2/{NUMBER}3",
        f"PJSIP/{TRUNK}@endpoint2",
        "PJSIP/endpoint2",
    ):
        yield act("Channel", Channel=channel)
        yield dial(f"{channel},30")
    yield act("Channel", Channel=f"PJSIP/{NUMBER}3@{TRUNK}/n")
    yield act("Channel", Channel=f"PJSIP/{TRUNK}/sip:{NUMBER}3@10.0.0.1")
    yield act("Channel", Channel="")


def option_attacks() -> Iterator[Attack]:
    """Dial options that run dialplan, and all others that are not known to be harmless."""
    one = f"PJSIP/{NUMBER}4@{TRUNK}"
    for letter in sorted(set(string.ascii_letters) - DEFAULT_POLICY.dial_options):
        yield dial(f"{one},30,{letter}")
        yield dial(f"{one},30,{letter}(internal^s^1)")
        yield dial(f"{one},30,rS(5){letter}(internal^s^1)")
    for trick in (
        "m(a)G(internal^s^1)",
        "r(a,b)U(x)",
        "\\G(internal^s^1)",
        '"G(internal^s^1)"',
        "S(5",
    ):
        yield dial(f"{one},30,{trick}")


def variable_attacks() -> Iterator[Attack]:
    """Names that call functions, that are ours, and that Asterisk acts on."""
    for name in (
        *(f"FILE({MARKER})", f"SHELL(touch {MARKER})", "A)", "CHANNEL(hangup_handler_push)"),
        *("DIALER_RECORDING", "_DIALER_PROFILE", "__DIALER_X", "dialer)", "1A", "A B", ""),
        *(
            "MONITOR_EXEC",
            "__MONITOR_EXEC",
            "monitor_exec",
            "MIXMONITOR_FILENAME",
            "DYNAMIC_FEATURES",
        ),
        *("TRANSFER_CONTEXT", "GOSUB_RESULT", f'FI"LE({MARKER})"'),
    ):
        yield act("Variable", Variable=f"{name}=touch {MARKER}")
        yield act("Variable", Variable=f"GOOD=1,{name}=touch {MARKER}")
    yield act("Variable", Variable="NOTHING")
    yield act("Variable", Variable="A=1\\")


def long_attacks() -> Iterator[Attack]:
    """What Asterisk would cut, or drop with the whole action."""
    for digits in ("6" * 300, "\u0661" * 150):
        yield act("Channel", Channel=f"PJSIP/{digits}@{TRUNK}")
        yield dial(f"PJSIP/{digits}@{TRUNK},30")
    for filler in ("x" * 1100, "\u00e9" * 520):
        yield act("Variable", Variable=f"A={filler}")
        yield act("Data", Application="Playback", Data=filler)
        yield act("Codecs", Codecs=filler)
    yield dial(f"PJSIP/{NUMBER}5@{TRUNK},30,{'r' * 1000}")
    yield act("CallerID", CallerID="9" * 300)
    yield act("CallerID", CallerID="\u00e9" * 41)
    yield act("Variable", Variable=",".join(f"A{n}=1" for n in range(70)))
    yield act("Timeout", Timeout=10**9)
    yield Attack("call_timeout", {"call_timeout": 10**6}, {})


def file_attacks() -> Iterator[Attack]:
    for path in ("../other/x", "/etc/asterisk/x", "a/../../x", "~/x", "a b", f"$(touch {MARKER})"):
        yield Attack("recording_path", {"create_recording": True, "recording_path": path}, {})
    yield Attack("recording_format", {"create_recording": True, "recording_format": "wav;id"}, {})
    for command in (f"touch {MARKER}", "nobody-made-this-profile"):
        yield Attack("mix_monitor_command", {"mix_monitor_command": command}, {})


ATTACKS: Final = (
    *(attack for control in CONTROLS for attack in control_attacks(control)),
    *program_attacks(),
    *place_attacks(),
    *option_attacks(),
    *variable_attacks(),
    *long_attacks(),
    *file_attacks(),
)


def combine(control: str, server: str) -> tuple[Body, set[str]]:
    """One item with the control characters in all of its fields, and all the fields to be named."""
    attacks = tuple(control_attacks(control))
    item = harmless_item(server, NUMBER)
    for attack in attacks:
        item = {**item, **attack.fields, "action": {**item["action"], **attack.action}}
    return item, {attack.field for attack in attacks}


@dataclass(frozen=True, slots=True)
class QuickAttack:
    """A quick call's attack: `body` replaces a harmless one's fields."""

    field: str
    body: Body

    def call(self, server: str) -> Body:
        calm = harmless_quick_call(server, f"{NUMBER}6")
        action = {**calm["action"], **self.body.get("action", {})}
        return {**calm, **self.body, "action": action}


ACCOUNTS: Final = ("accountcode", "client_code")
"""Whom a call is for: one that is not the caller is not there, 404."""


def quick_attacks() -> Iterator[QuickAttack]:
    for control in CONTROLS:
        for name in QuickCallRequest.__annotations__:
            if name not in ("action", *ACCOUNTS):
                yield QuickAttack(name, {name: inject(control)})
        for name in Action.__annotations__:
            yield QuickAttack(f"action.{name}", {"action": {name: inject(control)}})
    for mark in ("&", "|", ";", "`", "/", "@", ",", "${X}", " ", "\u0661"):
        for name in ("number1", "number2", "prefix", "endpoint"):
            yield QuickAttack(name, {name: f"{NUMBER}{mark}1"})
    yield QuickAttack("endpoint", {"endpoint": "endpoint2"})
    yield QuickAttack("number1", {"number1": "6" * 300})
    yield QuickAttack("action.Channel", {"action": {"Channel": f"PJSIP/{NUMBER}7@{TRUNK}"}})
    yield QuickAttack("action.Application", {"action": {"Application": "System", "Data": "id"}})


QUICK_ATTACKS: Final = tuple(quick_attacks())
