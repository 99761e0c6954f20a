"""What an Originate asks for."""

import pytest

from ami.simulator.requests import (
    Target,
    first_value,
    read_caller_id,
    read_originate,
    read_target,
    read_variables,
    refuse_originate,
)

RECORDING = frozenset({"dialer-recording"})
CHANNEL = {"channel": ["PJSIP/1@carrier"]}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("PJSIP/9000@carrier", Target("PJSIP", "9000", "carrier")),
        ("SIP/trunk/9000", Target("SIP", "9000", "trunk")),
        ("PJSIP/desk", Target("PJSIP", "", "desk")),
        ("Local/9000@out/n", Target("Local", "9000", "out")),
        ("Local/9000@out", Target("Local", "9000", "out")),
        ("PJSIP", None),
        ("/9000", None),
        ("PJSIP/", None),
    ],
)
def test_targets(text: str, target: Target | None) -> None:
    assert read_target(text) == target


@pytest.mark.parametrize(
    ("text", "number", "name"),
    [
        ('"Lab" <555-1000>', "5551000", "Lab"),
        ("Lab <5551000>", "5551000", "Lab"),
        ("<5551000>", "5551000", "<unknown>"),
        ("(555) 1000", "5551000", "<unknown>"),
        ("Lab", "<unknown>", "Lab"),
        ("", "<unknown>", "<unknown>"),
    ],
)
def test_caller_ids(text: str, number: str, name: str) -> None:
    assert read_caller_id(text) == (number, name)


def test_variables_split_at_commas_that_nothing_escapes() -> None:
    headers = {"variable": ["A=1,B=x\\,y", "A=2,C,D="]}
    assert read_variables(headers) == {"A": "1", "B": "x,y", "D": ""}


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"channelid": ["i" * 150]}, "Uniqueid length exceeds maximum of 149\n"),
        ({"otherchannelid": ["i" * 150]}, "Uniqueid length exceeds maximum of 149\n"),
        ({"channel": [""]}, "Channel not specified"),
        ({"priority": ["x y"]}, "Invalid priority"),
        ({"timeout": ["soon"]}, "Invalid timeout"),
        ({"channel": ["PJSIP"]}, "Invalid channel"),
        ({"application": ["AGI"]}, "Originate Access Forbidden: app or data blacklisted"),
        ({"data": ["my-FILE"]}, "Originate Access Forbidden: app or data blacklisted"),
        ({"context": ["nowhere"], "priority": ["1"]}, "Extension does not exist."),
        ({"context": ["dialer-recording"], "priority": ["1"]}, None),
        ({"application": ["Wait"], "data": ["filed"]}, None),
    ],
)
def test_refusals(more: dict[str, list[str]], refusal: str | None) -> None:
    assert refuse_originate(CHANNEL | more, RECORDING) == refusal


@pytest.mark.parametrize(
    ("timeout", "seconds"), [("1500", 1.5), ("", 30.0), ("0", None), ("-1", None)]
)
def test_timeouts(timeout: str, seconds: float | None) -> None:
    assert read_originate(CHANNEL | {"timeout": [timeout]}).timeout == seconds


def test_headers_in_any_case_and_the_first_counts() -> None:
    headers = {"channelid": ["one", "two"]}
    assert first_value(headers, "ChannelId") == "one"
    assert first_value(headers, "Account") == ""
