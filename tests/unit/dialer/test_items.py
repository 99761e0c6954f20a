"""One item by all rules."""

from typing import Any

import pytest

from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.errors import FieldError, Refused
from dialer.items import NO_SERVER, format_time, reachable_servers
from dialer.policy import Policy
from dialer.store.contract import NewItem
from tests.unit.dialer.builders import make_client, make_server
from tests.unit.dialer.test_batch import build, errors_of
from tests.unit.dialer.test_bodies import ACTION, ITEM, batch

BAD_TEXT = "a\u2028b"


def make(**fields: Any) -> NewItem:
    return build({**ITEM, **fields})[0]


def act(**fields: Any) -> NewItem:
    return build({**ITEM, "action": {**ACTION, **fields}})[0]


def error_of(item: dict[str, Any]) -> FieldError:
    (error,) = errors_of(item)
    assert error.index == 0
    return error


def test_defaults_of_what_is_not_given() -> None:
    assert make().payload == {
        "asterisk_server_code": "server1",
        "caller_id": None,
        "action": {
            "Action": "Originate",
            "ActionID": None,
            "Channel": "PJSIP/1234567890@endpoint1",
            "Application": None,
            "Data": None,
            "Timeout": 30000,
            "CallerID": None,
            "Variable": None,
            "Account": None,
            "EarlyMedia": True,
            "Async": True,
            "Codecs": None,
            "ChannelId": None,
            "OtherChannelId": None,
            "PreDialGoSub": None,
        },
        "retry": 0,
        "call_tried": 0,
        "call_success": 0,
        "call_failed": 0,
        "call_status": "pending",
        "connected": False,
        "create_recording": False,
        "recording_format": "wav",
        "queue_type": "outbound",
        "queue_status": "pending",
        "call_timeout": 30,
        "recording_path": None,
        "mix_monitor_command": None,
        "disposition": None,
        "contact_number": None,
        "project": None,
        "deadline": None,
    }


def test_null_is_as_good_as_absent() -> None:
    nulls = dict.fromkeys(make().payload) | ITEM
    action = dict.fromkeys(make().payload["action"]) | ACTION
    assert build({**nulls, "action": action}) == build(ITEM)


def test_state_fields_start_at_their_defaults() -> None:
    told = {"call_tried": 5, "call_status": "processed", "connected": True, "disposition": "busy"}
    assert make(**told, call_success=1, call_failed=2, queue_status="paused") == make()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("call_status", ["pending", "queued", "processed", "terminated", "Processed"]),
        ("queue_status", ["pending", "in-progress", "paused", "completed", "PAUSED"]),
        ("queue_type", ["outbound", "Outbound"]),
        ("disposition", ["", "answered", "NO-ANSWER", "not-available", "expired", "Terminated"]),
    ],
)
def test_words_of_the_state_fields(name: str, words: list[str]) -> None:
    assert [make(**{name: word}) for word in words] == [make()] * len(words)


def test_a_wrong_state_names_the_right_ones() -> None:
    error = error_of({**ITEM, "call_status": "done"})
    assert error.message == "must be one of pending, processed, queued, terminated"


def test_the_ids_of_a_local_channel_are_a_pair() -> None:
    ids = {"ChannelId": "channel-1", "OtherChannelId": "channel-12"}
    local = {**ITEM, "action": {**ACTION, **ids, "Channel": "Local/100@out"}}
    policy = Policy(local_contexts=frozenset({"out"}))
    with pytest.raises(Refused) as caught:
        build_batch(
            parse_batch(batch(local)), make_client(policy=policy), {"server1": 7}, lambda: "x"
        )
    assert [error.field for error in caught.value.errors] == ["action.OtherChannelId"]
    assert act(**ids).payload["action"]["OtherChannelId"] == "channel-12"


def test_call_ids() -> None:
    assert act(ActionID="mine").call_id == "mine"
    assert act(ActionID="").call_id == "our-id"
    assert act().call_id == "our-id"


@pytest.mark.parametrize("fits", ["channel-123", "0190a7c6-8f3e-7b2a-9c4d-1e2f3a4b5c6d"])
def test_channel_ids_that_go_on_the_wire(fits: str) -> None:
    assert act(ChannelId=fits).wanted_channel_id == fits


def test_any_other_channel_id_is_only_echoed() -> None:
    item = act(ChannelId="short;1", OtherChannelId="x")
    assert item.wanted_channel_id is None
    assert item.payload["action"]["ChannelId"] == "short;1"


def test_servers() -> None:
    unknown = error_of({**ITEM, "asterisk_server_code": "nowhere"})
    assert (unknown.field, unknown.message) == ("asterisk_server_code", NO_SERVER)
    missing = error_of({"action": ACTION})
    assert (missing.field, missing.message) == ("asterisk_server_code", "Field required")


def test_a_client_names_its_servers_only() -> None:
    servers = [make_server(1), make_server(2), make_server(3, removed=True)]
    assert reachable_servers(make_client(), servers) == {"pbx1": 1, "pbx2": 2}
    own = make_client(server_ids=frozenset({2, 3}))
    assert reachable_servers(own, servers) == {"pbx2": 2}


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"asterisk_server_code": "server1"}, "action"),
        ({**ITEM, "action": {"Channel": "PJSIP/1@t"}}, "action.Action"),
        ({**ITEM, "action": {"Action": "Originate"}}, "action.Channel"),
        ({**ITEM, "action": {"Action": "Originate", "Channel": ""}}, "action.Channel"),
    ],
)
def test_required(item: dict[str, Any], field: str) -> None:
    error = error_of(item)
    assert (error.field, error.message) == (field, "Field required")


def test_only_originate() -> None:
    assert error_of({**ITEM, "action": {**ACTION, "Action": "Logoff"}}).field == "action.Action"
    assert act(Action="originate").payload["action"]["Action"] == "Originate"


@pytest.mark.parametrize(
    "name",
    [
        "asterisk_server_code",
        "caller_id",
        "call_status",
        "recording_format",
        "queue_type",
        "queue_status",
        "recording_path",
        "mix_monitor_command",
        "disposition",
        "project",
    ],
)
def test_control_characters_anywhere_in_an_item(name: str) -> None:
    error = error_of({**ITEM, name: BAD_TEXT})
    assert (error.field, "U+2028" in error.message) == (name, True)


@pytest.mark.parametrize(
    "name",
    [name for name in make().payload["action"] if name not in ("Timeout", "EarlyMedia", "Async")],
)
def test_control_characters_anywhere_in_an_action(name: str) -> None:
    error = error_of({**ITEM, "action": {**ACTION, name: BAD_TEXT}})
    assert (error.field, "U+2028" in error.message) == (f"action.{name}", True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"Channel": "DAHDI/1"}, "action.Channel"),
        ({"Channel": "PJSIP/1@t&PJSIP/2@t"}, "action.Channel"),
        ({"Channel": "Local/1@default"}, "action.Channel"),
        ({"Application": "System", "Data": "id"}, "action.Application"),
        ({"Application": "Dial", "Data": "DAHDI/1"}, "action.Data"),
        ({"Application": "Dial", "Data": "PJSIP/1@t,30,tT"}, "action.Data"),
        ({"Data": "${X}"}, "action.Data"),
        ({"Data": "SHELL"}, "action.Data"),
        ({"Variable": "FILE(/x)=y"}, "action.Variable"),
        ({"Codecs": "ulaw alaw"}, "action.Codecs"),
        ({"PreDialGoSub": "ctx,s,1"}, "action.PreDialGoSub"),
        ({"OtherChannelId": "a;2"}, "action.OtherChannelId"),
        ({"CallerID": " 1001"}, "action.CallerID"),
        ({"CallerID": "^{X}"}, "action.CallerID"),
        ({"Application": "Echo", "Data": " x"}, "action.Data"),
        ({"Variable": "MONITOR_EXEC=id"}, "action.Variable"),
        ({"Variable": " A=1"}, "action.Variable"),
        ({"CallerID": "x" * 81}, "action.CallerID"),
        ({"Timeout": 999}, "action.Timeout"),
        ({"Timeout": 120_001}, "action.Timeout"),
        ({"Timeout": 0}, "action.Timeout"),
    ],
)
def test_rules_of_the_action(fields: dict[str, Any], field: str) -> None:
    assert error_of({**ITEM, "action": {**ACTION, **fields}}).field == field


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("caller_id", "x" * 81),
        ("caller_id", " 1001"),
        ("call_status", "banana"),
        ("call_status", "in-progress"),
        ("queue_status", "nonsense"),
        ("queue_status", "queued"),
        ("queue_type", "inbound"),
        ("disposition", "whatever"),
        ("call_timeout", 0),
        ("call_timeout", 121),
        ("recording_path", "../x"),
        ("recording_format", "wav|gsm"),
        ("mix_monitor_command", "rm -rf /"),
        ("contact_number", "12a"),
        ("contact_number", -5),
        ("contact_number", "+"),
        ("contact_number", "١٢٣"),
        ("deadline", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_rules_of_the_item(name: str, value: Any) -> None:
    assert error_of({**ITEM, name: value}).field == name


def test_timeouts() -> None:
    assert act(Timeout="20000").payload["action"]["Timeout"] == 20000
    assert make(call_timeout=45).payload["action"]["Timeout"] == 45000
    both = build({**ITEM, "call_timeout": 45, "action": {**ACTION, "Timeout": 1000}})[0].payload
    assert (both["action"]["Timeout"], both["call_timeout"]) == (1000, 45)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1234567890, 1234567890),
        ("989121234567", 989121234567),
        ("09121234567", "09121234567"),
        ("+989121234567", "+989121234567"),
        (0, 0),
        ("9" * 30, "9" * 30),
    ],
)
def test_contact_numbers_lose_nothing(given: int | str, kept: int | str) -> None:
    assert make(contact_number=given).payload["contact_number"] == kept


@pytest.mark.parametrize(
    ("given", "epoch", "shown"),
    [
        ("2024-12-31T23:59:59Z", 1735689599.0, "2024-12-31T23:59:59Z"),
        ("2024-12-31T23:59:59+03:30", 1735676999.0, "2024-12-31T20:29:59Z"),
        ("2024-12-31 23:59:59.5", 1735669799.5, "2024-12-31T18:29:59.500Z"),
        ("2001-01-01T00:00:00Z", 978307200.0, "2001-01-01T00:00:00Z"),
    ],
)
def test_deadlines_without_zone_are_the_clients(given: str, epoch: float, shown: str) -> None:
    client = make_client(timezone="Asia/Kolkata")
    (item,) = build_batch(
        parse_batch(batch({**ITEM, "deadline": given})), client, {"server1": 7}, lambda: "x"
    )
    assert (item.deadline, item.payload["deadline"]) == (epoch, shown)


def test_each_item_has_its_own_deadline() -> None:
    times = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00", None]
    items = build(*[{**ITEM, "deadline": time} for time in times])
    assert [item.deadline for item in items] == [1704067200.0, 1704067200.0, 1704153600.0, None]


def test_shared_wrong_values_are_told_of_every_item() -> None:
    wrong = {**ITEM, "caller_id": "x" * 81, "deadline": "0001-01-01T00:00:00+14:00"}
    told = sorted((error.index, error.field) for error in errors_of(wrong, wrong))
    assert told == [(0, "caller_id"), (0, "deadline"), (1, "caller_id"), (1, "deadline")]


def test_policies_are_per_client() -> None:
    local = {**ITEM, "action": {**ACTION, "Channel": "Local/100@out"}}
    policy = Policy(local_contexts=frozenset({"out"}))
    parsed = parse_batch(batch(local))
    (item,) = build_batch(parsed, make_client(policy=policy), {"server1": 7}, lambda: "x")
    assert item.number == "100"
    assert item.payload["action"]["Channel"] == "Local/100@out"


def test_times_are_written_as_in_the_documents() -> None:
    assert format_time(1704103200) == "2024-01-01T10:00:00Z"
    assert format_time(1704103200.25) == "2024-01-01T10:00:00.250Z"


def test_data_that_a_recorded_calls_line_could_not_hold() -> None:
    data = "PJSIP/1@t,30," + "r" * 985
    assert act(Application="Dial", Data=data).payload["action"]["Data"] == data
    recorded = {
        **ITEM,
        "create_recording": True,
        "action": {**ACTION, "Application": "Dial", "Data": data},
    }
    assert error_of(recorded).field == "action.Data"


def test_a_recordings_format_is_echoed_in_lower_case() -> None:
    assert make(recording_format="WAV").payload["recording_format"] == "wav"


OPTIONAL_TEXTS = (
    *("caller_id", "call_status", "recording_format", "queue_type", "queue_status"),
    *("recording_path", "mix_monitor_command", "disposition", "contact_number"),
)


@pytest.mark.parametrize("name", OPTIONAL_TEXTS)
def test_an_empty_text_is_as_good_as_none(name: str) -> None:
    empty, absent = make(**{name: ""}).payload, make().payload
    assert {**empty, name: empty[name] or None} == {**absent, name: absent[name] or None}
