"""What the serializer lets through comes back from a real Asterisk as it was given."""

import re
from dataclasses import replace
from random import Random
from typing import Final

import pytest

from ami.actions import Hangup, Originate, assign, serialize
from tests.lab.raw_ami import Message, RawAmi
from tests.lab.running_lab import Lab
from tests.lab.table_calls import logged_in, unique
from tests.manager_input import hear
from tests.properties.generated_texts import cut, fill, make_text
from tests.properties.sound_actions import LINE, make_sound, make_variable

pytestmark = pytest.mark.lab

SEED: Final = 20_260
LIVE: Final = 16
"""Calls that are up at the same time."""

VARIABLES: Final = 40
"""Of each live call."""

FAILING: Final = 150
NAME: Final = 79
"""Bytes of a requested channel that OriginateResponse repeats, though longer ones are dialed."""

REFUSED_WORDS: Final = re.compile("CURL|DB|EVAL|FILE|ODBC|REALTIME|SHELL")
"""In Data Asterisk refuses them: that is no reading fault."""

VALUE: Final = re.compile(
    rb"Response: Success\r\nActionID: ([^\r\n]*)\r\nVariable: ([^\r\n]*)\r\nValue: (.*?)\r\n\r\n",
    re.DOTALL,
)
RAW_VARIABLES: Final = (
    *("A=1,B=2", 'A="1,2",B=x', "A=(1,2)[,],B=[(,])", 'A=\\,\\"\\\\,B=\\(,C=1', 'A=a"b"c,,B=,C'),
    *("A=),B=],C=1", 'A="(",B=1),C=2', " A= 1 ,B =2,B=3 ", "A=1=2,=3,A=4", "A=[(,],B=)1,C=2"),
    ",".join(f"A{number}={number}" for number in range(70)),
)
"""Of more than one assignment, which the serializer refuses: for the model of Asterisk alone."""


def find_header(message: bytes, name: str) -> str:
    """The exact value: blanks at its end too, which Message would drop."""
    found = re.search(rb"^%s: (.*)$" % name.encode(), message.replace(b"\r\n", b"\n"), re.MULTILINE)
    assert found is not None, message
    return found[1].decode()


def find_blocks(ami: RawAmi, begin: bytes) -> list[bytes]:
    blocks = bytes(ami.received).split(b"\r\n\r\n")
    return [block for block in blocks if block.startswith(begin)]


def is_response(message: Message) -> bool:
    return message.event == "OriginateResponse"


async def test_failed_originates_come_back(lab: Lab) -> None:
    random = Random(SEED)
    calls: dict[str, Originate] = {}
    while len(calls) < FAILING:
        call, _ = make_sound(random, 3)
        if call.application is None or REFUSED_WORDS.search(call.data):
            continue
        identity = unique(f"hard-{len(calls):03}").ljust(random.choice((30, 149)), "-")
        channel = cut(f"NoTech/{make_text(random)}", NAME)
        if len(calls) % 7 == 0:
            channel = "NoTech/" + fill(random, NAME - len("NoTech/"))
        call = replace(call, action_id=identity, channel_id=identity, channel=channel)
        calls[identity] = call
    async with logged_in(lab.pbx1) as ami:
        ami.forget()
        for call in calls.values():
            ami.writer.write(serialize(call))
        await ami.until(lambda session: sum(map(is_response, session.messages)) >= FAILING)
    blocks = {
        find_header(block, "ActionID"): block
        for block in find_blocks(ami, b"Event: OriginateResponse")
    }
    assert blocks.keys() == calls.keys()
    for identity, call in calls.items():
        names = ("Channel", "Application", "Data", "Uniqueid")
        found = tuple(find_header(blocks[identity], name) for name in names)
        assert found == (call.channel, call.application, call.data, call.channel_id)


def make_live(random: Random, number: int) -> tuple[Originate, dict[str, str], str]:
    """A call that is answered and stays; what its variables must be; the name in its CallerID."""
    values = {f"V{n}": cut(make_variable(random).value, 500) for n in range(VARIABLES - 2)}
    values["LONG"] = fill(random, LINE - len("Variable: LONG="))
    values["ESCAPED"] = '",\\' * 167  # each takes two bytes
    texts = [assign(name, value) for name, value in values.items()]
    assert max(len(f"Variable: {text}".encode()) for text in texts) == LINE
    name = cut(make_text(random).strip(), 50)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    account = cut(make_text(random), 79)
    identity = unique(f"live-{number:03}")
    data = make_text(random)
    while REFUSED_WORDS.search(data):
        data = make_text(random)
    channel = ("PJSIP/9007@carrier", "Local/9007@lab-out/n")[number % 2]
    call = Originate(
        action_id=identity,
        channel_id=identity,
        channel=channel,
        timeout_ms=15_000,
        application="Echo",
        data=data,
        caller_id=f'"{quoted}" <5551234>',
        account=account,
        variables=tuple(texts),
    )
    return call, values, name


async def read_variables(ami: RawAmi, identity: str, names: list[str]) -> dict[str, str]:
    """By name, as Getvar gives them: all asked at once."""
    ami.forget()
    for name in names:
        ami.send("Getvar", {"ActionID": identity, "Channel": identity, "Variable": name})
    await ami.until(
        lambda session: sum(bool(m["Response"]) for m in session.messages) >= len(names)
    )
    found = VALUE.findall(bytes(ami.received))
    return {name.decode(): value.decode() for by, name, value in found if by.decode() == identity}


async def end_calls(ami: RawAmi, identities: set[str]) -> None:
    ami.forget()
    for identity in identities:
        ami.writer.write(serialize(Hangup(f"{identity}-end", identity)))
    await ami.until(
        lambda session: (
            identities <= {m["Uniqueid"] for m in session.messages if m.event == "Hangup"}
        )
    )


async def test_live_calls_have_what_was_given(lab: Lab) -> None:
    random = Random(SEED)
    calls = {
        call.action_id: (call, values, name)
        for call, values, name in (make_live(random, n) for n in range(LIVE))
    }
    async with logged_in(lab.pbx1) as ami:
        ami.forget()
        for call, _, _ in calls.values():
            ami.writer.write(serialize(call))
        await ami.until(lambda session: sum(map(is_response, session.messages)) >= LIVE)
        answers = find_blocks(ami, b"Event: OriginateResponse")
        for answer in answers:
            call, _, name = calls[find_header(answer, "ActionID")]
            assert find_header(answer, "Response") == "Success"
            assert find_header(answer, "Data") == call.data
            assert find_header(answer, "Uniqueid") == call.channel_id
            assert find_header(answer, "CallerIDNum") == "5551234"
            assert find_header(answer, "CallerIDName") == name
        for identity, (call, values, _) in calls.items():
            assert await read_variables(ami, identity, list(values)) == values
            ami.send("Status", {"ActionID": identity, "Channel": identity})
            await ami.first(lambda message: message.event == "StatusComplete")
            (status,) = find_blocks(ami, b"Event: Status\r\n")
            assert find_header(status, "AccountCode") == call.account
        await end_calls(ami, set(calls))


async def test_asterisk_takes_variables_apart_as_the_model_does(lab: Lab) -> None:
    async with logged_in(lab.pbx1) as ami:
        for number, text in enumerate(RAW_VARIABLES):
            identity = unique(f"raw-{number:03}")
            ami.forget()
            call = Originate(identity, identity, "PJSIP/9007@carrier", 15_000, "Echo")
            data = serialize(call)[:-2] + f"Variable: {text}\r\n\r\n".encode()
            ami.writer.write(data)
            await ami.first(is_response)
            assigned = hear(data)[0][0].variables()
            # Of two of the same name the first wins.
            expected = {name.decode(): value.decode() for name, value in reversed(assigned)}
            names = sorted({"A", "B", "C", *expected})
            found = await read_variables(ami, identity, names)
            await end_calls(ami, {identity})
            assert found == dict.fromkeys(names, "") | expected
