"""Quick calls."""

import json
from typing import Any

import pytest

from dialer.bodies import parse_quick_call
from dialer.errors import Refused
from dialer.policy import Policy
from dialer.quick_call import build_quick_call
from dialer.store.contract import NewItem
from tests.unit.dialer.builders import make_client

BODY: dict[str, Any] = {
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "number2": "0987654321",
    "customer_name": "John Doe",
    "prefix": "1",
    "endpoint": "provider1",
    "action": {
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30",
        "Async": True,
        "ChannelId": "channel-123",
    },
    "create_recording": True,
    "recording_format": "wav",
    "call_timeout": 30,
    "project": "quick_campaign",
}


def build(body: dict[str, Any], **client: Any) -> NewItem:
    parsed = parse_quick_call(json.dumps(body).encode())
    return build_quick_call(
        parsed, make_client(**client), {"server1": 7}, lambda: "our-id", 1704103260.0
    )


def fields_refused(body: dict[str, Any], **client: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        build(body, **client)
    assert {error.index for error in caught.value.errors} == {None}
    return sorted(error.field for error in caught.value.errors)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in BODY.items() if name not in names}


def test_the_documents_example() -> None:
    item = build(BODY)
    assert (item.number, item.call_id, item.server_id) == ("11234567890", "our-id", 7)
    assert (item.retry, item.deadline) == (0, 1704103260.0)
    assert item.wanted_channel_id == "channel-123"
    action = item.payload["action"]
    assert action["Channel"] == "PJSIP/11234567890@provider1"
    assert action["Data"] == "PJSIP/0987654321@endpoint2,30"
    assert item.payload["customer_name"] == "John Doe"
    assert item.payload["deadline"] == "2024-01-01T10:01:00Z"
    assert item.payload["project"] == "quick_campaign"
    assert item.payload["number2"] == "0987654321"


def test_without_an_endpoint_the_first_leg_goes_where_the_second_does() -> None:
    action = build(without("endpoint")).payload["action"]
    assert action["Channel"] == "PJSIP/11234567890@endpoint2"


def test_without_any_endpoint_the_number_is_one() -> None:
    body = {**without("endpoint", "prefix"), "action": {"Application": "Dial"}}
    action = build(body).payload["action"]
    assert action["Channel"] == "PJSIP/1234567890"
    assert action["Data"].startswith("PJSIP/0987654321")


def test_endpoint_and_prefix_default_to_the_clients() -> None:
    body = {**without("endpoint", "prefix"), "action": {"Application": "Dial"}}
    action = build(body, endpoint="trunk", prefix="00").payload["action"]
    assert action["Channel"] == "PJSIP/001234567890@trunk"
    assert action["Data"] == "PJSIP/000987654321@trunk"


def test_number2_is_dialed_by_dial_without_data_only() -> None:
    echo = build({**BODY, "action": {"Application": "Echo"}})
    assert echo.payload["action"]["Data"] is None
    alone = build({**without("number2"), "action": {"Application": "Dial"}})
    assert alone.payload["action"]["Data"] is None


def test_call_id_and_caller_id() -> None:
    item = build({**BODY, "action": {"Application": "Wait", "ActionID": "mine"}}, did="555")
    assert (item.call_id, item.caller_id) == ("mine", "555")
    assert build({**BODY, "caller_id": "777"}, did="555").caller_id == "777"


@pytest.mark.parametrize("missing", ["asterisk_server_code", "number1", "customer_name", "action"])
def test_required(missing: str) -> None:
    assert missing in fields_refused(without(missing))


def test_all_errors_at_once() -> None:
    assert fields_refused({}) == [
        "action",
        "asterisk_server_code",
        "customer_name",
        "number1",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number1": "12 34"}, "number1"),
        ({"number1": "1&PJSIP/2"}, "number1"),
        ({"number1": "1@evil"}, "number1"),
        ({"number2": "1/2"}, "number2"),
        ({"prefix": "${X}"}, "prefix"),
        ({"endpoint": "a b"}, "endpoint"),
        ({"customer_name": "a\nb"}, "customer_name"),
        ({"call_timeout": 500}, "call_timeout"),
        ({"mix_monitor_command": "id"}, "mix_monitor_command"),
        ({"action": {"Application": "System"}}, "action.Application"),
        ({"action": {"Data": "x"}}, "action.Application"),
        ({"action": {"Application": "Wait", "Bad": 1}}, "action"),
        ({"action": {"Application": "Wait", "Action": "Hangup"}}, "action.Action"),
        ({"action": {"Application": "Wait", "Channel": "PJSIP/1"}}, "action.Channel"),
    ],
)
def test_wrong_fields_by_name(change: dict[str, Any], field: str) -> None:
    assert field in fields_refused({**BODY, **change})


def test_both_numbers_are_checked_as_they_are_dialed() -> None:
    policy = Policy(prefixes=frozenset({"11", "00", "098"}))
    dial = {**BODY, "action": {"Application": "Dial"}}
    assert fields_refused(dial, policy=policy) == ["number2"]  # 1 0987654321
    assert fields_refused({**dial, "prefix": "0"}, policy=policy) == ["number1"]
    assert fields_refused({**dial, "prefix": "2"}, policy=policy) == ["number1", "number2"]
    assert fields_refused(without("prefix"), policy=policy) == ["number1"]
    assert build(without("prefix"), policy=policy, prefix="1").number == "11234567890"
    both = Policy(prefixes=frozenset({"1"}))
    assert build(dial, policy=both).payload["action"]["Data"].startswith("PJSIP/10987654321@")
    alone = without("endpoint")
    fields = fields_refused({**alone, "action": {"Application": "Dial"}}, policy=policy)
    assert fields == ["number2"]


def test_the_second_leg_of_its_own_and_the_caller_id_obey_the_policy() -> None:
    policy = Policy(prefixes=frozenset({"1"}), caller_ids=frozenset({"555"}))
    assert fields_refused({**BODY, "caller_id": "777"}, policy=policy) == [
        "action.Data",
        "caller_id",
    ]
    endpoints = Policy(endpoints=frozenset({"provider1"}))
    assert fields_refused(BODY, policy=endpoints) == ["action.Data"]
    assert fields_refused({**BODY, "endpoint": "other"}, policy=endpoints) == [
        "action.Data",
        "endpoint",
    ]


def test_a_dial_string_that_grew_too_long() -> None:
    assert fields_refused({**BODY, "number1": "1" * 80, "endpoint": "e" * 120}) == ["endpoint"]
