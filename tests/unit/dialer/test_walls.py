"""All walls in a row: what a batch may hold can be sent as it is, and nothing harmful is sent."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami import serialize
from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.errors import Refused
from dialer.originate import build_originate
from dialer.policy import DEFAULT_POLICY
from tests.unit.dialer.builders import make_client, make_item
from tests.unit.dialer.test_bodies import ACTION, ITEM

CLIENT = make_client()


def send(action: dict[str, Any], dids: list[str] | None = None, **fields: Any) -> list[str]:
    """The lines on the wire. Raises `Refused` when the batch is refused; every other error would
    be one that the client is not told of."""
    item = {**ITEM, **fields, "action": {**ACTION, **action}}
    body = json.dumps({"batch_id": 1, "dids": dids, "data": [item]}).encode()
    (new,) = build_batch(parse_batch(body), CLIENT, {"server1": 7}, lambda: "our-id")
    try:
        originate = build_originate(
            make_item(payload=new.payload, caller_id=new.caller_id),
            CLIENT,
            channel_id=new.wanted_channel_id or "our-channel",
            action_id="our-action",
            cdr_id="cdr-1",
            max_duration=7200,
            policy=DEFAULT_POLICY,
        )
    except Refused as refused:
        raise AssertionError(f"accepted, then refused: {refused}") from refused
    return serialize(originate).decode().removesuffix("\r\n\r\n").split("\r\n")


NASTY = st.one_of(
    st.text(' "\\,;=()[]{}$^&|`<>@/%#\u00e9\u0663\u00a0aA1_-.', max_size=24),
    st.text(max_size=12),
    st.sampled_from(["", " ", " 1001", "a" * 80, "\u00e9" * 40, "\u00e9" * 41, "x" * 255]),
)
CHANNELS = st.one_of(
    NASTY.map(lambda text: f"PJSIP/{text}@t"),
    st.integers(180, 200).map(lambda size: f"pjsip/{'1' * size}@t"),
    st.sampled_from(["PJSIP/1@t", "sip/1@t", "IAX2/t/1", "SIP/1", "Local/1@t/n"]),
)
DIALS = st.builds(
    lambda target, timeout, letter, size: f"{target},{timeout},{letter * size}",
    CHANNELS,
    st.sampled_from(["", "1", "99999", "0.5", "1.5", " 1"]),
    st.sampled_from(["r", "m(x)", "L(1:2:3)", "S(9)", "U(x)", "i", " r"]),
    st.one_of(st.integers(0, 3), st.integers(195, 260), st.integers(980, 1015)),
)
DATA = st.one_of(
    NASTY,
    DIALS,
    st.integers(1000, 1022).map(lambda size: "x" * size),
    st.sampled_from(["sales,i,,hello,30", "hello&bye,skip", "1.5", "room,a,b,c", "jazz,5"]),
)
NAMES = st.sampled_from(
    ["A", "__B", "MONITOR_EXEC", "_FORWARD_CONTEXT", "FILE(x)", "DIALER_X", " A"]
)
VARIABLES = st.one_of(
    NASTY,
    st.lists(st.tuples(NAMES, NASTY), max_size=3).map(
        lambda pairs: ",".join(f"{name}={value}" for name, value in pairs)
    ),
    st.integers(500, 520).map(lambda size: 'A="' + "," * size + '"'),
)
ACTIONS = st.fixed_dictionaries(
    {},
    optional={
        "Channel": CHANNELS,
        "Application": st.sampled_from(
            ["", *sorted(DEFAULT_POLICY.applications), "echo", " Echo", "System"]
        ),
        "Data": DATA,
        "CallerID": NASTY,
        "Variable": VARIABLES,
        "Codecs": st.one_of(NASTY, st.sampled_from(["ulaw,alaw", " ulaw"])),
        "ActionID": NASTY,
        "Account": NASTY,
        "ChannelId": st.one_of(NASTY, st.just("client-channel")),
        "OtherChannelId": st.one_of(NASTY, st.just("client-channel-2")),
        "Timeout": st.sampled_from([1000, 120_000, 5000]),
    },
)


@settings(max_examples=200, deadline=None)
@given(action=ACTIONS, caller_id=st.none() | NASTY, did=NASTY, call_timeout=st.integers(1, 120))
@example(action={"CallerID": " 1001"}, caller_id=None, did="1", call_timeout=30)
@example(action={}, caller_id=" 1001", did="1", call_timeout=30)
@example(action={}, caller_id=None, did=" 1001", call_timeout=30)
@example(action={"Application": "Echo", "Data": " x"}, caller_id=None, did="1", call_timeout=30)
@example(
    action={"Application": "Dial", "Data": "PJSIP/1@t,," + "r" * 1004},
    caller_id=None,
    did="1",
    call_timeout=120,
)
def test_what_is_accepted_can_be_sent(
    action: dict[str, Any], caller_id: str | None, did: str, call_timeout: int
) -> None:
    """Otherwise every attempt would fail and the client never learn why."""
    try:
        lines = send(action, dids=[did or "1"], caller_id=caller_id, call_timeout=call_timeout)
    except Refused:
        return
    assert lines[0] == "Action: Originate"
    assert f"Account: {CLIENT.accountcode}" in lines
    assert "Variable: TIMEOUT(absolute)=7200" in lines


@pytest.mark.parametrize("application", sorted(DEFAULT_POLICY.applications))
@settings(max_examples=25, deadline=None)
@given(data=DATA)
def test_data_of_every_application_that_is_accepted_can_be_sent(
    application: str, data: str
) -> None:
    try:
        lines = send({"Application": application, "Data": data})
    except Refused:
        return
    assert any(line.startswith("Application: ") for line in lines)


def test_the_wall_is_not_closed() -> None:
    lines = send(
        {
            "Application": "Queue",
            "Data": "sales,i,,hello,30",
            "CallerID": '"Zo\u00eb" <100>',
            "Variable": 'CAMPAIGN="a,b",__lead=7',
            "Codecs": "ulaw,alaw",
            "ChannelId": "client-channel",
            "OtherChannelId": "client-other",
        },
        call_status="processed",
        disposition="Busy",
    )
    assert lines[2:] == [
        "Channel: PJSIP/1234567890@endpoint1",
        "ChannelId: client-channel",
        "Application: Queue",
        "Data: sales,i,,hello,30",
        "Timeout: 30000",
        'CallerID: "Zo\u00eb" <100>',
        f"Account: {CLIENT.accountcode}",
        "Codecs: ulaw,alaw",
        "Async: true",
        "Variable: TIMEOUT(absolute)=7200",
        "Variable: CAMPAIGN=a\\,b",
        "Variable: __lead=7",
    ]


EXPLOITS: list[tuple[str, dict[str, Any]]] = [
    ("Variable", {"Application": "Queue", "Data": "q", "Variable": "MONITOR_EXEC=touch /x"}),
    ("Variable", {"Variable": "MONITOR_FILENAME=/etc/asterisk/x"}),
    ("Variable", {"Variable": "__monitor_options=b"}),
    ("Variable", {"Variable": "TOUCH_MIXMONITOR=/etc/asterisk/x"}),
    ("Variable", {"Variable": "TOUCH_MONITOR=x;id"}),
    ("Variable", {"Variable": "AUTOMON=x"}),
    ("Variable", {"Variable": "MIXMONITOR_FILENAME=/x"}),
    ("Variable", {"Variable": "DYNAMIC_FEATURES=run_program"}),
    ("Variable", {"Variable": "BRIDGE_FEATURES=TtKkWw"}),
    ("Variable", {"Variable": "BRIDGE_PLAY_SOUND=/etc/passwd"}),
    ("Variable", {"Variable": "FORWARD_CONTEXT=internal"}),
    ("Variable", {"Variable": "TRANSFER_CONTEXT=internal"}),
    ("Variable", {"Variable": "GOTO_ON_BLINDXFR=internal^s^1"}),
    ("Variable", {"Variable": "GOSUB_RESULT=GOTO:internal^s^1"}),
    ("Variable", {"Variable": "MACRO_RESULT=GOTO:internal^s^1"}),
    ("Variable", {"Variable": "END_WHILE_0=internal,s,1"}),
    ("Variable", {"Variable": "CONNECTED_LINE_SEND_SUB=internal,s,1"}),
    ("Variable", {"Variable": "__REDIRECTING_SEND_SUB=internal,s,1"}),
    ("Variable", {"Variable": "REDIRECTING_CALLEE_SEND_MACRO=internal"}),
    ("Variable", {"Variable": "ATTENDED_TRANSFER_COMPLETE_SOUND=/etc/passwd"}),
    ("Variable", {"Variable": "BLINDTRANSFER=PJSIP/1900@trunk"}),
    ("Variable", {"Variable": "PARKINGDYNCONTEXT=internal"}),
    ("Variable", {"Variable": "PARKINGLOT=others"}),
    ("Variable", {"Variable": "SPYGROUP=all"}),
    ("Variable", {"Variable": "PICKUPMARK=me"}),
    ("Variable", {"Variable": "EXITCONTEXT=internal"}),
    ("Variable", {"Variable": "OUTBOUND_GROUP=none"}),
    ("Variable", {"Variable": "QUEUE_PRIO=100"}),
    ("Variable", {"Variable": "LIMIT_CONNECT_FILE=/etc/passwd"}),
    ("Variable", {"Variable": "MVM_FILENAME=/etc/passwd"}),
    ("Variable", {"Variable": "AGISIGHUP=no"}),
    ("Variable", {"Variable": "DUNDIDIALARGS=,G(internal^s^1)"}),
    ("Variable", {"Variable": "TESTTIME=2024/01/01 12:00:00"}),
    ("Variable", {"Variable": "SIPADDHEADER=X-Y: z"}),
    ("Variable", {"Variable": "SIPFROMDOMAIN=example.org"}),
    ("Variable", {"Variable": "ASTSPOOLDIR=/x"}),
    ("Variable", {"Variable": "FILE(/etc/x)=y"}),
    ("Variable", {"Variable": 'FI"LE(/etc/x)"=y'}),
    ("Variable", {"Variable": "A=1,\\FILE(/etc/x)=y"}),
    ("Variable", {"Variable": "TIMEOUT(absolute)=0"}),
    ("Variable", {"Variable": "A=$\\{SHELL(id)}"}),
    ("Variable", {"Variable": "A=^{SHELL(id)}"}),
    ("Variable", {"Variable": "DIALER_RECORDING=/x"}),
    ("CallerID", {"CallerID": "^{SHELL(id)}"}),
    ("CallerID", {"CallerID": '"$\\{SHELL(id)}" <1>'}),
    ("CallerID", {"CallerID": "1\r\nAction: Command"}),
    ("Channel", {"Channel": "PJSIP/1@t&PJSIP/2@t"}),
    ("Channel", {"Channel": "Local/1@internal"}),
    ("Channel", {"Channel": "PJSIP/^{X}@t"}),
    ("Channel", {"Channel": "/.*/"}),
    ("Application", {"Application": "System", "Data": "id"}),
    ("Data", {"Application": "Dial", "Data": "PJSIP/1@t,30,G(internal^s^1)"}),
    ("Data", {"Application": "Dial", "Data": "PJSIP/1@t,30,U(internal)"}),
    ("Data", {"Application": "Dial", "Data": "Local/1@internal"}),
    ("Data", {"Application": "Queue", "Data": "sales,,,,60,script.agi"}),
    ("Data", {"Application": "Playback", "Data": "/etc/passwd"}),
    ("Data", {"Application": "Echo", "Data": "^{X}"}),
    ("Codecs", {"Codecs": "ulaw\r\nAction: Command"}),
    ("PreDialGoSub", {"PreDialGoSub": "internal,s,1"}),
]


@pytest.mark.parametrize(("field", "action"), EXPLOITS)
def test_what_would_do_harm_is_refused_by_name(field: str, action: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        send(action)
    assert [error.field for error in caught.value.errors] == [f"action.{field}"]


@pytest.mark.parametrize("mark", ["${X}", "$[1]", "^{X}", '$"{X}'])
def test_a_callers_name_is_never_evaluated(mark: str) -> None:
    for fields in ({"caller_id": mark}, {"dids": [mark]}):
        with pytest.raises(Refused):
            send({}, **fields)


def test_a_client_with_a_default_that_is_not_allowed_dials_nothing() -> None:
    client = replace(CLIENT, default_application="System(id)")
    with pytest.raises(Refused) as caught:
        build_originate(
            make_item(),
            client,
            channel_id="our-channel",
            action_id="our-action",
            cdr_id="cdr-1",
            max_duration=7200,
            policy=DEFAULT_POLICY,
        )
    assert [error.field for error in caught.value.errors] == ["default_application"]
