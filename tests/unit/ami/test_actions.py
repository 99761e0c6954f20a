"""What leaves is read by Asterisk as one action with exactly the given headers, or it does not
leave."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
    serialize,
)
from ami.errors import ActionInvalid
from tests.manager_input import hear

CALL = Originate(
    action_id="0190b0b0-7b0b-7000-8000-000000000001",
    channel_id="0190b0b0-7b0b-7000-8000-000000000002",
    channel="PJSIP/123400@carrier",
    timeout_ms=30_000,
    application="Wait",
    data="1",
)


def sent(action: Action) -> list[tuple[str, str]]:
    return heard(serialize(action))[0]


def heard(data: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The headers, and the assignments of variables, of the one action that Asterisk hears."""
    (message,), rest = hear(data)
    assert (message.error, rest) == ("", b"")
    return decode(message.pairs()), decode(message.variables())


def decode(pairs: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in pairs]


def refusal(action: Action) -> tuple[str, str]:
    with pytest.raises(ActionInvalid) as caught:
        serialize(action)
    return caught.value.header, caught.value.rule


@pytest.mark.parametrize(
    "action",
    [
        Logoff("a-1"),
        Ping("a-1"),
        CoreShowChannels("a-1"),
        CoreStatus("a-1"),
        CoreSettings("a-1"),
        ListCommands("a-1"),
    ],
)
def test_bare_actions(action: Action) -> None:
    assert sent(action) == [("Action", type(action).__name__), ("ActionID", "a-1")]


def test_login() -> None:
    assert sent(Login("a-1", "dialer", "s3cret")) == [
        ("Action", "Login"),
        ("ActionID", "a-1"),
        ("Username", "dialer"),
        ("Secret", "s3cret"),
        ("Events", "on"),
    ]


def test_hangup() -> None:
    assert sent(Hangup("a-1", "call-1")) == [
        ("Action", "Hangup"),
        ("ActionID", "a-1"),
        ("Channel", "call-1"),
    ]
    assert sent(Hangup("a-1", "call-1;2", cause=26))[2:] == [
        ("Channel", "call-1;2"),
        ("Cause", "26"),
    ]


def test_originate_to_an_application() -> None:
    assert sent(CALL) == [
        ("Action", "Originate"),
        ("ActionID", CALL.action_id),
        ("Channel", "PJSIP/123400@carrier"),
        ("ChannelId", CALL.channel_id),
        ("Application", "Wait"),
        ("Data", "1"),
        ("Timeout", "30000"),
        ("Async", "true"),
    ]


def test_originate_with_everything() -> None:
    call = replace(
        CALL,
        application=None,
        data="",
        context="outbound",
        exten="s",
        priority=1,
        caller_id='"Zoë" <5551234>',
        account="acme",
        variables=("A=1", "TIMEOUT(absolute)=7200", "__B="),
        functions=frozenset({"TIMEOUT(absolute)"}),
        codecs="ulaw,alaw",
        other_channel_id="other-1",
    )
    assert sent(call)[2:] == [
        ("Channel", "PJSIP/123400@carrier"),
        ("ChannelId", CALL.channel_id),
        ("OtherChannelId", "other-1"),
        ("Context", "outbound"),
        ("Exten", "s"),
        ("Priority", "1"),
        ("Timeout", "30000"),
        ("CallerID", '"Zoë" <5551234>'),
        ("Account", "acme"),
        ("Codecs", "ulaw,alaw"),
        ("Async", "true"),
        ("Variable", "A=1"),
        ("Variable", "TIMEOUT(absolute)=7200"),
        ("Variable", "__B="),
    ]


CONTROLS = [chr(code) for code in (0, 1, 9, 10, 13, 27, 127, 0x80, 0x85, 0x9F, 0x2028, 0x2029)]


@pytest.mark.parametrize("char", [*CONTROLS, chr(0xD800), chr(0xDFFF)], ids=ascii)
@pytest.mark.parametrize(
    ("header", "field"),
    [("CallerID", "caller_id"), ("Data", "data"), ("Channel", "channel"), ("Account", "account")],
)
def test_control_characters_are_refused(char: str, header: str, field: str) -> None:
    call = replace(CALL, **{field: f"PJSIP/1{char}@x"})  # type: ignore[arg-type]
    assert refusal(call) == (header, "a control character or a lone surrogate")


@pytest.mark.parametrize("char", CONTROLS, ids=ascii)
def test_control_characters_in_variables_and_secrets(char: str) -> None:
    assert refusal(replace(CALL, variables=("A=1", f"B={char}")))[0] == "Variable"
    header, rule = refusal(Login("a-1", "dialer", f"topsecret{char}"))
    assert header == "Secret"
    assert "topsecret" not in rule


@pytest.mark.parametrize("char", ["\n", "\x00", "\u2028", ",", " ", "/", "é", "\ud800"], ids=ascii)
def test_ids_have_plain_characters_only(char: str) -> None:
    rule = "a character other than letters, digits and . _ : ; -"
    assert refusal(Ping(f"a{char}1")) == ("ActionID", rule)
    assert refusal(Hangup("a-1", f"{char}call")) == ("Channel", rule)
    assert refusal(replace(CALL, channel_id=f"a{char}b")) == ("ChannelId", rule)
    assert refusal(replace(CALL, other_channel_id=f"a{char}b")) == ("OtherChannelId", rule)


@pytest.mark.parametrize(
    ("fields", "header", "rule"),
    [
        ({"action_id": ""}, "ActionID", "is empty"),
        ({"channel_id": ""}, "ChannelId", "is empty"),
        ({"channel_id": "x" * 150}, "ChannelId", "more than 149 bytes"),
        ({"channel": "PJSIP"}, "Channel", "is not TECH/resource"),
        ({"channel": "PJSIP/"}, "Channel", "is not TECH/resource"),
        ({"channel": ""}, "Channel", "is not TECH/resource"),
        ({"channel": "/.*/"}, "Channel", "begins with /, which Asterisk takes for a pattern"),
        ({"channel": "PJSIP/" + "1" * 195}, "Channel", "more than 200 bytes"),
        ({"channel": "PJSIP/" + "é" * 98}, "Channel", "more than 200 bytes"),
        ({"caller_id": "1" * 81}, "CallerID", "more than 80 bytes"),
        ({"caller_id": "é" * 41}, "CallerID", "more than 80 bytes"),
        ({"account": "a" * 80}, "Account", "more than 79 bytes"),
        ({"timeout_ms": 0}, "Timeout", "is not 1 to 120000 ms"),
        ({"timeout_ms": -1}, "Timeout", "is not 1 to 120000 ms"),
        ({"timeout_ms": 120_001}, "Timeout", "is not 1 to 120000 ms"),
        ({"codecs": "ulaw, alaw"}, "Codecs", "is not a comma list of codec names"),
        ({"application": ""}, "Application", "is not the name of an application"),
        ({"application": "Wait,1"}, "Application", "is not the name of an application"),
        ({"exten": "s"}, "Application", "stands beside Context, Exten or Priority"),
        ({"data": " 1"}, "Data", "begins with a blank, which Asterisk drops"),
        ({"data": "x" * 1017}, "Data", "a line of more than 1022 bytes"),
        ({"data": "é" * 509}, "Data", "a line of more than 1022 bytes"),
        ({"variables": ("A=1",) * 121}, "Variable", "more than 128 headers in one action"),
    ],
)
def test_what_an_originate_may_not_have(fields: dict[str, object], header: str, rule: str) -> None:
    assert refusal(replace(CALL, **fields)) == (header, rule)  # type: ignore[arg-type]


PLACE = replace(CALL, application=None, data="", context="out", exten="s", priority=1)


@pytest.mark.parametrize(
    ("fields", "header", "rule"),
    [
        ({"context": None}, "Application", "neither it nor all of Context, Exten and Priority"),
        ({"exten": ""}, "Application", "neither it nor all of Context, Exten and Priority"),
        ({"priority": None}, "Application", "neither it nor all of Context, Exten and Priority"),
        ({"priority": 0}, "Priority", "is not 1 to 2147483647"),
        ({"priority": 2**31}, "Priority", "is not 1 to 2147483647"),
        ({"priority": 10**5000}, "Priority", "is not 1 to 2147483647"),
        ({"data": "1"}, "Data", "stands without an Application"),
        ({"context": "c" * 80}, "Context", "more than 79 bytes"),
        ({"exten": "1" * 80}, "Exten", "more than 79 bytes"),
    ],
)
def test_what_a_dialplan_place_may_not_have(
    fields: dict[str, object], header: str, rule: str
) -> None:
    assert refusal(replace(PLACE, **fields)) == (header, rule)  # type: ignore[arg-type]


def test_what_just_fits() -> None:
    assert ("Data", "x" * 1016) in sent(replace(CALL, data="x" * 1016))
    assert ("Data", "é" * 508) in sent(replace(CALL, data="é" * 508))
    assert ("ChannelId", "x" * 149) in sent(replace(CALL, channel_id="x" * 149))
    assert ("CallerID", "é" * 40) in sent(replace(CALL, caller_id="é" * 40))
    assert ("Timeout", "120000") in sent(replace(CALL, timeout_ms=120_000))
    assert len(sent(replace(CALL, variables=("A=1",) * 120))) == 128


@pytest.mark.parametrize("login", [Login("a-1", "", "s"), Login("a-1", "u", "")])
def test_a_login_needs_both(login: Login) -> None:
    assert refusal(login)[1] == "is empty"


@pytest.mark.parametrize("cause", [-1, 128])
def test_a_cause_is_of_q850(cause: int) -> None:
    assert refusal(Hangup("a-1", "call-1", cause)) == ("Cause", "is not 0 to 127")


def test_a_secret_does_not_show() -> None:
    assert "s3cret" not in repr(Login("a-1", "dialer", "s3cret"))


NAME_RULE = "its name is neither plain nor allowed by name"
COMMA_RULE = "an unescaped comma, where Asterisk would split it"


@pytest.mark.parametrize(
    ("variable", "rule"),
    [
        ("A", "is not NAME=value"),
        ("=1", NAME_RULE),
        ("1A=1", NAME_RULE),
        ("A B=1", NAME_RULE),
        ("É=1", NAME_RULE),
        ("FILE(/etc/passwd)=x", NAME_RULE),
        ("TIMEOUT(digit)=1", NAME_RULE),
        ("TIMEOUT(absolute) =1", NAME_RULE),
        ('"A"=1', NAME_RULE),
        ("A=1,B=2", COMMA_RULE),
        ("A=1,FILE(/x)=y", COMMA_RULE),
        ("A=(1),B=2", COMMA_RULE),
        ("A=)(,),B=2", COMMA_RULE),
        ('A="1",B=2', COMMA_RULE),
        ("A=1\\\\,B=2", COMMA_RULE),
        ("A=[1]],B=2", COMMA_RULE),
        ("A=1\\", "ends in a backslash that escapes nothing"),
    ],
)
def test_what_a_variable_may_not_be(variable: str, rule: str) -> None:
    call = replace(CALL, variables=(variable,), functions=frozenset({"TIMEOUT(absolute)"}))
    assert refusal(call) == ("Variable", rule)


@pytest.mark.parametrize("name", ["MONITOR_EXEC", "__Monitor_Filename", "DYNAMIC_FEATURES"])
def test_names_that_asterisk_acts_on_are_allowed_by_exact_name_only(name: str) -> None:
    call = replace(CALL, variables=(f"{name}=x",))
    assert refusal(call) == ("Variable", f"Asterisk itself acts on '{name}'")
    assert refusal(replace(call, functions=frozenset({f"_{name}"})))[0] == "Variable"
    assert ("Variable", f"{name}=x") in sent(replace(call, functions=frozenset({name})))


@pytest.mark.parametrize("name", ['F("a,b")', "F(a\\,b)"])
def test_a_name_that_asterisk_would_read_as_another_is_allowed_to_nobody(name: str) -> None:
    call = replace(CALL, variables=(f"{name}=x",), functions=frozenset({name}))
    rule = "its name has a quote or backslash, which Asterisk eats"
    assert refusal(call) == ("Variable", rule)


@pytest.mark.parametrize("mark", ["${", "$[", "^{", "$\\{", '$"{'])
@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Channel", {"channel": "PJSIP/1@x#"}),
        ("Data", {"data": "#"}),
        ("CallerID", {"caller_id": "#"}),
        ("Account", {"account": "#"}),
        ("Variable", {"variables": "A=#"}),
        ("Context", {"application": None, "data": "", "context": "#", "exten": "s", "priority": 1}),
        ("Exten", {"application": None, "data": "", "context": "c", "exten": "#", "priority": 1}),
    ],
)
def test_nothing_is_sent_that_asterisk_may_evaluate(
    header: str, fields: dict[str, str], mark: str
) -> None:
    given = {key: put_mark(value, mark) for key, value in fields.items()}
    if "variables" in given:
        given["variables"] = (given["variables"],)
    rule = f"'{mark}', which Asterisk may evaluate"
    assert refusal(replace(CALL, **given)) == (header, rule)


def put_mark(value: object, mark: str) -> Any:
    return value.replace("#", mark) if isinstance(value, str) else value


def test_braces_alone_are_text() -> None:
    assert ("CallerID", "a{b}[c] $5^") in sent(replace(CALL, caller_id="a{b}[c] $5^"))
    assert sent(Login("a-1", "dialer", "s${cret}^{"))[3] == ("Secret", "s${cret}^{")


@pytest.mark.parametrize(
    "variable",
    [
        "A=(1,2)",
        "A=[1,2]",
        'A="1,2"',
        "A=1\\,2",
        "A=1=2",
        "__inherited_1=x",
        "TIMEOUT(absolute)=7200",
        "PJSIP_HEADER(add,X-Foo)=v",
    ],
)
def test_what_a_variable_may_be(variable: str) -> None:
    functions = frozenset({"TIMEOUT(absolute)", "PJSIP_HEADER(add,X-Foo)"})
    assert ("Variable", variable) in sent(replace(CALL, variables=(variable,), functions=functions))


PRINTABLE = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
    max_size=30,
)


@given(value=st.one_of(PRINTABLE, st.text('",\\()[]=a', max_size=12)))
@settings(max_examples=100)
def test_assign_sets_exactly_the_value(value: str) -> None:
    _, assigned = heard(serialize(replace(CALL, variables=(assign("A", value),))))
    assert assigned == [("A", value)]


ANYTHING = st.one_of(
    st.text(max_size=20),
    st.text('a\r\n:, =\\"()[]\x00\x85\u2028é', max_size=12),
    st.integers(900, 1100).map(lambda size: "x" * size),
)
MAYBE = st.one_of(st.none(), ANYTHING)
ORIGINATES = st.builds(
    Originate,
    action_id=st.one_of(st.just("a-1"), ANYTHING),
    channel_id=st.one_of(st.just("c-1"), ANYTHING),
    channel=st.one_of(st.just("PJSIP/1@x"), ANYTHING.map(lambda text: f"PJSIP/{text}"), ANYTHING),
    timeout_ms=st.integers(-10, 130_000),
    application=st.one_of(st.just("Wait"), MAYBE),
    data=ANYTHING,
    context=st.one_of(st.none(), ANYTHING),
    exten=st.one_of(st.none(), ANYTHING),
    priority=st.one_of(st.none(), st.integers(-1, 3)),
    caller_id=ANYTHING,
    account=ANYTHING,
    variables=st.lists(st.one_of(ANYTHING, ANYTHING.map(lambda text: f"A={text}"))).map(tuple),
    codecs=st.one_of(st.just(""), ANYTHING),
)
EASY = st.builds(
    replace,
    st.just(CALL),
    data=ANYTHING,
    caller_id=ANYTHING,
    variables=st.lists(ANYTHING.map(lambda text: f"A={text}"), max_size=2).map(tuple),
)


@given(call=st.one_of(ORIGINATES, EASY))
@settings(max_examples=200, deadline=None)
@example(call=replace(CALL, caller_id='"x" <1>\r\nAction: Command'))
def test_asterisk_sees_the_given_headers_or_nothing(call: Originate) -> None:
    try:
        data = serialize(call)
    except ActionInvalid:
        return
    headers, assigned = heard(data)
    given_headers = [
        ("Action", "Originate"),
        ("ActionID", call.action_id),
        ("Channel", call.channel),
        ("ChannelId", call.channel_id),
        ("Application", call.application or ""),
        ("Data", call.data),
        ("Context", call.context or ""),
        ("Exten", call.exten or ""),
        ("Priority", str(call.priority or "")),
        ("Timeout", str(call.timeout_ms)),
        ("CallerID", call.caller_id),
        ("Account", call.account),
        ("Codecs", call.codecs),
        ("Async", "true"),
        *(("Variable", variable) for variable in call.variables),
    ]
    assert headers == [header for header in given_headers if header[1]]
    assert len(assigned) == len(call.variables)
