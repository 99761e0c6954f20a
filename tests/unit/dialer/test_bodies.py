"""Reading request bodies: types, spellings, limits."""

import json
from typing import Any

import pytest

from dialer.bodies import (
    BATCH,
    CROWDED,
    MOST_VALUES,
    NO_DATA,
    TOO_MANY,
    Parsed,
    count_values,
    parse_batch,
    parse_quick_call,
    read_account,
    read_batch,
    read_object,
)
from dialer.errors import FieldError, Refused

ACTION = {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1"}
ITEM = {"asterisk_server_code": "server1", "action": ACTION}


def batch(*items: Any, **fields: Any) -> bytes:
    return json.dumps({"batch_id": 1, "data": list(items), **fields}).encode()


def one(item: dict[str, Any]) -> Parsed:
    return parse_batch(batch(item))


def fields_of(errors: list[FieldError]) -> list[tuple[int | None, str]]:
    return [(error.index, error.field) for error in errors]


def test_a_documented_body_comes_back_in_documented_order() -> None:
    body = b'{"data":[{"action":{"Channel":"PJSIP/1","Action":"Originate"}}],"batch_id":"7"}'
    parsed = parse_batch(body)
    assert parsed.errors == []
    assert list(parsed.content) == ["batch_id", "data"]
    assert parsed.content["batch_id"] == 7
    assert list(parsed.content["data"][0]["action"]) == ["Action", "Channel"]


def test_numbers_come_as_text_and_keys_in_any_case() -> None:
    action = {
        "action": "Originate",
        "CHANNEL": "PJSIP/1@t",
        "timeout": "20000",
        "async": "True",
        "earlymedia": 0,
        "variable": "A=1",
        "CallerId": "x",
    }
    item = {"action": action, "retry": "3", "call_timeout": "25", "connected": "false"}
    parsed = one(item)
    assert parsed.errors == []
    assert parsed.content["data"][0]["action"] == {
        "Action": "Originate",
        "Channel": "PJSIP/1@t",
        "Timeout": 20000,
        "CallerID": "x",
        "Variable": "A=1",
        "EarlyMedia": False,
        "Async": True,
    }
    assert parsed.content["data"][0]["retry"] == 3


def test_the_digest_is_of_what_the_body_says() -> None:
    plain = parse_batch(batch(ITEM))
    spaced = parse_batch(json.dumps({"data": [ITEM], "batch_id": "1"}, indent=3).encode())
    lower = {"action": {key.lower(): value for key, value in ACTION.items()}}
    spelled = parse_batch(batch({**lower, "asterisk_server_code": "server1"}))
    other = parse_batch(batch({**ITEM, "project": "x"}))
    assert plain.digest() == spaced.digest() == spelled.digest()
    assert other.digest() != plain.digest()


@pytest.mark.parametrize("given", [{}, {"data": None}, {"data": []}])
def test_data_is_required(given: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        parse_batch(json.dumps({"batch_id": 1, **given}).encode())
    assert caught.value.errors == [FieldError("data", NO_DATA)]


@pytest.mark.parametrize("item", [{}, ITEM, {"action": {"unknown": 1}}, 5])
def test_a_batch_has_1000_items(item: Any) -> None:
    with pytest.raises(Refused) as caught:
        parse_batch(batch(*[item] * 1001))
    assert caught.value.errors == [FieldError("data", TOO_MANY)]


def test_a_thousand_pass() -> None:
    assert len(parse_batch(batch(*[ITEM] * 1000)).content["data"]) == 1000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"batch_id": 1, "data": [{"project": "\xff"}]}',
        b'{"batch_id": 1, "data": [{"project": "\\ud800"}]}',
        b"[" * 100_000,
        b'{"data":' * 5000,
        b'\xef\xbb\xbf{"batch_id": 1}',
    ],
)
def test_what_is_no_json_object(body: bytes) -> None:
    for parse in (parse_batch, parse_quick_call, read_object):
        with pytest.raises(Refused) as caught:
            parse(body)
        assert [error.field for error in caught.value.errors] == ["body"]


@pytest.mark.parametrize("data", [5, "x", {"a": 1}, True])
def test_data_is_a_list(data: Any) -> None:
    with pytest.raises(Refused) as caught:
        parse_batch(json.dumps({"batch_id": 1, "data": data}).encode())
    assert fields_of(caught.value.errors) == [(None, "data")]


WRONG_IN_ITEM: list[tuple[str, Any]] = [
    ("asterisk_server_code", 5),
    ("asterisk_server_code", "x" * 256),
    ("caller_id", ["x"]),
    ("action", "Originate"),
    ("retry", "many"),
    ("retry", True),
    ("retry", -1),
    ("retry", 1001),
    ("retry", 1.5),
    ("call_tried", "x"),
    ("call_success", []),
    ("call_failed", {}),
    ("call_status", 1),
    ("connected", "maybe"),
    ("create_recording", "perhaps"),
    ("recording_format", 1),
    ("queue_type", 1),
    ("queue_status", False),
    ("call_timeout", "x"),
    ("call_timeout", 2**64),
    ("recording_path", 1),
    ("mix_monitor_command", 1),
    ("disposition", 1),
    ("contact_number", 1.5),
    ("contact_number", True),
    ("contact_number", "1" * 33),
    ("project", 1.5),
    ("project", -1),
    ("caller_id", True),
    ("deadline", "tomorrow"),
    ("deadline", ""),
    ("deadline", "2024-13-01T00:00:00"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_IN_ITEM)
def test_wrong_types_in_an_item_are_one_error_each(name: str, value: Any) -> None:
    parsed = parse_batch(batch(ITEM, {**ITEM, name: value}))
    assert fields_of(parsed.errors) == [(1, name)]
    assert name not in parsed.content["data"][1]
    assert parsed.content["data"][0] == ITEM


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Action", 1),
        ("ActionID", True),
        ("Channel", 1),
        ("Channel", "x" * 1023),
        ("Application", []),
        ("Data", {}),
        ("Timeout", "soon"),
        ("Timeout", True),
        ("CallerID", True),
        ("Variable", {"A": 1}),
        ("Account", True),
        ("EarlyMedia", "x"),
        ("Async", 7),
        ("Codecs", ["ulaw"]),
        ("ChannelId", True),
        ("OtherChannelId", 1),
        ("PreDialGoSub", 1),
    ],
)
def test_wrong_types_in_an_action_are_one_error_each(name: str, value: Any) -> None:
    parsed = one({**ITEM, "action": {**ACTION, name: value}})
    assert fields_of(parsed.errors) == [(0, f"action.{name}")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_id", "x"),
        ("batch_id", 2**63),
        ("batch_id", True),
        ("queue_id", "x"),
        ("queue_id", 1.5),
        ("dids", "x"),
        ("dids", [""]),
        ("dids", [[]]),
        ("dids", ["1"] * 1001),
        ("accountcode", 5),
    ],
)
def test_wrong_types_of_the_batch(name: str, value: Any) -> None:
    parsed = parse_batch(batch(ITEM, **{name: value}))
    assert fields_of(parsed.errors) == [(None, name)]


def test_unknown_keys_in_action_are_refused_and_others_left_alone() -> None:
    keys = {f"Bad{n}": n for n in range(12)}
    parsed = one({**ITEM, "extra": 1, "action": {**ACTION, **keys}})
    (error,) = parsed.errors
    assert (error.index, error.field) == (0, "action")
    assert "'Bad0'" in error.message
    assert "and 2 more" in error.message
    assert "Bad0" not in parsed.content["data"][0]["action"]
    assert parse_batch(batch(ITEM, extra=1)).errors == []


def test_a_key_given_in_two_spellings_is_refused() -> None:
    parsed = one({**ITEM, "action": {**ACTION, "channel": "PJSIP/2@t"}})
    assert fields_of(parsed.errors) == [(0, "action.Channel")]


def test_every_error_is_found() -> None:
    wrong = {"retry": "x", "connected": "maybe", "action": {"Timeout": "z", "Nope": 1}}
    parsed = parse_batch(batch(wrong, 7, ITEM, wrong, batch_id="x"))
    assert set(fields_of(parsed.errors)) == {
        (None, "batch_id"),
        (0, "retry"),
        (0, "connected"),
        (0, "action.Timeout"),
        (0, "action"),
        (1, "data"),
        (3, "retry"),
        (3, "connected"),
        (3, "action.Timeout"),
        (3, "action"),
    }
    assert len(parsed.content["data"]) == 4


@pytest.mark.parametrize(
    ("text", "plain"),
    [(b"abc", True), (b"a\\u0007", False), (b"a\x7f", False), ("é".encode(), False)],
)
def test_plain_bodies_can_hold_no_control_character(text: bytes, plain: bool) -> None:
    body = batch({**ITEM, "project": "@"}).replace(b"@", text)
    assert parse_batch(body).plain is plain


def test_raw_control_characters_are_no_json() -> None:
    for code in range(0x20):
        with pytest.raises(Refused):
            parse_batch(batch({**ITEM, "project": "@"}).replace(b"@", bytes([code])))


def test_quick_calls() -> None:
    body = {"number1": 1234567890, "action": {"application": "Dial"}, "create_recording": "1"}
    parsed = parse_quick_call(json.dumps(body).encode())
    assert parsed.errors == []
    assert parsed.content == {
        "number1": "1234567890",
        "action": {"Application": "Dial"},
        "create_recording": True,
    }
    wrong = parse_quick_call(b'{"number1": [], "customer_name": 5, "action": {"x": 1}}')
    assert set(fields_of(wrong.errors)) == {
        (None, "number1"),
        (None, "customer_name"),
        (None, "action"),
    }


def test_the_schema_says_what_is_required() -> None:
    schema = BATCH.json_schema()
    assert schema["required"] == ["batch_id", "data"]
    assert schema["$defs"]["QueueItem"]["required"] == ["asterisk_server_code", "action"]
    assert schema["$defs"]["Action"]["required"] == ["Action", "Channel"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_json_does_not_know_as_a_number_is_refused_wherever_it_stands(number: bytes) -> None:
    body = b'{"batch_id": 1, "data": [{"elsewhere": %s}]}' % number
    for parse in (parse_batch, parse_quick_call, read_object):
        with pytest.raises(Refused, match="not valid JSON"):
            parse(body)
    parse_batch(b'{"batch_id": 1, "data": [{"project": "NaN and Infinity"}]}')


@pytest.mark.parametrize("text", ["1_000", " 5", "+5", "5.0", "-0", ""])
def test_texts_that_are_no_plain_digits_are_no_numbers(text: str) -> None:
    parsed = parse_batch(json.dumps({"batch_id": text, "data": [{"retry": text}]}).encode())
    assert {error.field for error in parsed.errors} == {"batch_id", "retry"}


def test_whole_numbers_may_be_written_with_a_fraction_of_zero() -> None:
    body = {"batch_id": 7.0, "dids": [5.0], "data": [{"contact_number": 12.0, "retry": 1.0}]}
    content = parse_batch(json.dumps(body).encode()).content
    assert (content["batch_id"], content["dids"]) == (7, ["5"])
    assert content["data"] == [{"retry": 1, "contact_number": 12}]


@pytest.mark.parametrize("deadline", [1704103200, "1704103200", "2024-12-31", "2023-02-29T10:00Z"])
def test_a_deadline_is_a_date_and_a_time(deadline: object) -> None:
    body = {"batch_id": 1, "data": [{"deadline": deadline}]}
    parsed = parse_batch(json.dumps(body).encode())
    assert [error.field for error in parsed.errors] == ["deadline"]


def test_whom_a_superuser_acts_for_is_text_or_nothing() -> None:
    assert read_account(b" ") == {}
    assert read_account(b'{"client_code": "acme", "more": 1}') == {"client_code": "acme"}
    with pytest.raises(Refused, match="accountcode"):
        read_account(b'{"accountcode": 5}')


@pytest.mark.parametrize(
    ("crowd", "message"),
    [
        ([0] * MOST_VALUES, CROWDED),
        ([{}] * (MOST_VALUES // 2), CROWDED),
        ({"action": {f"k{number}": number for number in range(MOST_VALUES)}}, CROWDED),
        ([{**ITEM, "note": [0] * 20}] * 5000, TOO_MANY),
    ],
)
def test_a_body_of_too_many_values_is_refused_unread(crowd: Any, message: str) -> None:
    body = json.dumps({"batch_id": 1, "data": crowd}).encode()
    with pytest.raises(Refused) as caught:
        parse_batch(body + b" and no JSON")
    assert caught.value.errors == [FieldError("body", message)]


def test_deeply_nested_values_count() -> None:
    nested = '{"a":' * 100 + "1" + "}" * 100
    body = f'{{"batch_id": 1, "data": [{",".join([nested] * 1000)}]}}'.encode()
    assert count_values(body) > MOST_VALUES
    with pytest.raises(Refused, match=CROWDED):
        parse_batch(body)


def test_a_body_of_many_values_is_read_like_another() -> None:
    items = [{**ITEM, "note": [n] * 60} for n in range(1000)]
    assert 45_000 < count_values(batch(*items)) < MOST_VALUES
    many, few = parse_batch(batch(*items)), parse_batch(batch(*[ITEM] * 1000))
    assert (many.content, many.errors, many.plain) == (few.content, [], True)


def test_an_action_of_too_many_keys_keeps_those_that_are_spelled() -> None:
    keys = {f"Bad{n}": n for n in range(39)}
    parsed = parse_batch(batch(ITEM, {**ITEM, "action": {**ACTION, **keys}}))
    (error,) = parsed.errors
    assert (error.index, error.field) == (1, "action")
    assert error.message == "has 41 keys, of which 15 at most can be known"
    assert parsed.content["data"] == [ITEM, ITEM]


def test_a_usual_batch_is_checked_in_one_step_and_a_wrong_one_item_by_item() -> None:
    wrong = {**ITEM, "retry": "x"}
    assert len(list(read_batch(batch(*[ITEM] * 100)))) == 1
    assert len(list(read_batch(batch(*[wrong] * 100)))) > 200


def test_identifiers_may_be_numbers() -> None:
    action = {"ActionID": 4711, "CallerID": 1001, "Account": 5.0, "ChannelId": 10**18 - 1}
    item = {"caller_id": 1002, "project": 0, "action": {**ACTION, **action}}
    words = {"ActionID": "4711", "CallerID": "1001", "Account": "5", "ChannelId": "9" * 18}
    texts = {"caller_id": "1002", "action": {**ACTION, **words}, "project": "0"}
    parsed = one(item)
    assert (parsed.content["data"], parsed.errors) == ([texts], [])
    assert one(texts).digest() == parsed.digest()
    assert fields_of(one({"project": 10**18}).errors) == [(0, "project")]
